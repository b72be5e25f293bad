"""Leases: one sync per mapping and target, taken over at once from a process that died."""

from __future__ import annotations

import contextlib
import os
import secrets
import socket
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from time import monotonic, sleep
from typing import Any

from sqlalchemy import and_, delete, insert, select, update
from sqlalchemy.exc import IntegrityError

from connector.control.store import ControlStore, now
from connector.control.tables import leases
from connector.errors import Locked, StateError

LASTS = timedelta(seconds=60)
"""Without a sign of life for this long, another machine may take over."""

_RENEWED_EVERY = 15.0

_BRIEFLY = "briefly-"
"""Marks the token of a lease that is about to be given back."""

_PATIENCE = 30.0
_LOOK = 0.05
"""Seconds, for waiting for such a lease."""


@contextlib.contextmanager
def lease(store: ControlStore, mapping: str, *, briefly: bool = False) -> Iterator[None]:
    """Hold the lease of a mapping while the body runs.

    `briefly` promises to give it back within seconds: others then wait for it.

    Raises:
        Locked: a living process holds it.
    """
    mine = _Mine(store, mapping, briefly=briefly)
    mine.take()
    ended = threading.Event()
    renewer = threading.Thread(target=mine.renew_until, args=(ended,), daemon=True)
    renewer.start()
    try:
        yield
    finally:
        ended.set()
        renewer.join()
        mine.give_back()


@dataclass(frozen=True, slots=True)
class Holder:
    """A living process that syncs a mapping; `since` is naive UTC."""

    process: int
    host: str
    since: datetime


def holders(store: ControlStore) -> dict[str, Holder]:
    """Who syncs which mapping now, by the mapping's name; leases of the dead, and those held
    briefly, are left out."""
    with store.begin() as connection:
        rows = connection.execute(select(leases).where(leases.c.target == store.target)).mappings()
        held = [dict(row) for row in rows]
    return {
        row["mapping"]: Holder(row["process"], row["host"], row["taken_at"])
        for row in held
        if _alive(row) and not row["token"].startswith(_BRIEFLY)
    }


class _Mine:
    def __init__(self, store: ControlStore, mapping: str, *, briefly: bool) -> None:
        self._store = store
        self._mapping = mapping
        self._token = (_BRIEFLY if briefly else "") + secrets.token_hex(16)
        self._row = and_(leases.c.target == store.target, leases.c.mapping == mapping)

    def take(self) -> None:
        deadline = monotonic() + _PATIENCE
        while (held := self._try()) is not None:
            if not held.get("token", "").startswith(_BRIEFLY) or monotonic() > deadline:
                raise self._locked(held)
            sleep(_LOOK)

    def _try(self) -> dict[str, Any] | None:
        """Take the lease; otherwise who holds it, as far as that is known."""
        values = {
            "token": self._token,
            "host": socket.gethostname(),
            "process": os.getpid(),
            "process_started": _started(os.getpid()) or 0.0,
            "taken_at": now(),
            "expires_at": now() + LASTS,
        }
        with self._store.begin() as connection:
            held = connection.execute(select(leases).where(self._row)).mappings().first()
            if held is None:
                with contextlib.suppress(IntegrityError):
                    connection.execute(
                        insert(leases).values(
                            target=self._store.target, mapping=self._mapping, **values
                        )
                    )
                    return None
            elif not _alive(dict(held)):
                same = and_(self._row, leases.c.token == held["token"])
                if connection.execute(update(leases).where(same).values(**values)).rowcount:
                    return None
        return dict(held) if held else {}

    def _locked(self, held: Any) -> Locked:
        by = f" (process {held['process']} on {held['host']})" if held else ""
        return Locked(
            f"{self._mapping!r} is being synced by another process{by}",
            hint="wait for it to end; `connector status` shows it",
        )

    def renew_until(self, ended: threading.Event) -> None:
        while not ended.wait(_RENEWED_EVERY):
            # A store that is away for a moment must not end a sync: the lease outlasts it.
            with contextlib.suppress(StateError), self._store.begin() as connection:
                own = and_(self._row, leases.c.token == self._token)
                connection.execute(update(leases).where(own).values(expires_at=now() + LASTS))

    def give_back(self) -> None:
        with self._store.begin() as connection:
            own = and_(self._row, leases.c.token == self._token)
            connection.execute(delete(leases).where(own))


def _alive(held: dict[str, Any]) -> bool:
    """Whether the holder lives: on this machine its process is asked, elsewhere its lease."""
    if held["host"] != socket.gethostname():
        return bool(held["expires_at"] > now())
    started = _started(held["process"])
    return started is not None and abs(started - held["process_started"]) < 1.0


def _started(process: int) -> float | None:
    """When a process of this machine started (a number that tells it from a later one of the same
    id), None when there is none, or only what its parent has not yet asked after."""
    if Path("/proc/self/stat").exists():
        try:
            stat = Path(f"/proc/{process}/stat").read_text()
        except (FileNotFoundError, ProcessLookupError):
            return None
        # The second field is the command in parentheses, which may hold anything.
        state, *fields = stat.rpartition(")")[2].split()
        return None if state in {"Z", "X"} else float(fields[18])
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return None
    except PermissionError:
        pass
    return 0.0

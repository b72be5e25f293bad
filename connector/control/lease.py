"""Leases: one sync per mapping and target, taken over at once from a process that died."""

from __future__ import annotations

import contextlib
import functools
import hashlib
import os
import secrets
import socket
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from time import monotonic, sleep
from typing import Any

from sqlalchemy import Connection, and_, delete, select, update

from connector.control.engine import clock, insert_missing
from connector.control.store import ControlStore
from connector.control.tables import leases
from connector.errors import Locked, StateError

LASTS = timedelta(seconds=60)
"""Without a sign of life for this long, another machine may take over."""

_RENEWED_EVERY = 15.0

_BRIEFLY = "briefly-"
"""Marks the token of a lease that is about to be given back."""

_MARK = "#"
"""Parts the name of a machine from its mark."""

_PATIENCE = 30.0
_LOOK = 0.05
"""Seconds, for waiting for such a lease."""


_HOLDS = LASTS.total_seconds() - _RENEWED_EVERY
"""Seconds without a renewal after which a holder takes its lease for lost."""


@contextlib.contextmanager
def lease(
    store: ControlStore,
    mapping: str,
    *,
    briefly: bool = False,
    lost: Callable[[], None] | None = None,
) -> Iterator[None]:
    """Hold the lease of a mapping while the body runs.

    `briefly` promises to give it back within seconds: others then wait for it. `lost` is called
    when it could not be renewed in time, or another process took it: the body had better end.

    Raises:
        Locked: a living process holds it.
    """
    mine = _Mine(store, mapping, briefly=briefly)
    mine.take()
    ended = threading.Event()
    renewer = threading.Thread(
        target=mine.renew_until, args=(ended, lost or _nobody_told), daemon=True
    )
    renewer.start()
    try:
        yield
    finally:
        ended.set()
        renewer.join()
        mine.give_back()


def _nobody_told() -> None: ...


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
        moment = clock(connection) if held else None
    return {
        row["mapping"]: Holder(row["process"], _shown(row["host"]), row["taken_at"])
        for row in held
        if moment and _alive(row, moment) and not row["token"].startswith(_BRIEFLY)
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
            # Nobody is known where another process was quicker just now: it may hold it briefly.
            waits = not held or held["token"].startswith(_BRIEFLY)
            if not waits or monotonic() > deadline:
                raise self._locked(held)
            sleep(_LOOK)

    def _try(self) -> dict[str, Any] | None:
        """Take the lease; otherwise who holds it, as far as that is known."""
        with self._store.begin() as connection:
            moment = clock(connection)
            values = {
                "token": self._token,
                "host": _this_host(),
                "process": os.getpid(),
                "process_started": _started(os.getpid()) or 0.0,
                "taken_at": moment,
                "expires_at": moment + LASTS,
            }
            held = self._held(connection)
            if held is None:
                whose = {"target": self._store.target, "mapping": self._mapping}
                insert_missing(connection, leases, [whose | values])
                held = self._held(connection)
                if held and held["token"] == self._token:
                    return None
            elif not _alive(held, moment):
                same = and_(self._row, leases.c.token == held["token"])
                if connection.execute(update(leases).where(same).values(**values)).rowcount:
                    return None
        return held or {}

    def _held(self, connection: Connection) -> dict[str, Any] | None:
        row = connection.execute(select(leases).where(self._row)).mappings().first()
        return dict(row) if row else None

    def _locked(self, held: Any) -> Locked:
        by = f" (process {held['process']} on {_shown(held['host'])})" if held else ""
        return Locked(
            f"{self._mapping!r} is being synced by another process{by}",
            hint="wait for it to end; `connector status` shows it",
        )

    def renew_until(self, ended: threading.Event, lost: Callable[[], None]) -> None:
        renewed = monotonic()
        while not ended.wait(_RENEWED_EVERY):
            # A store that is away for a moment must not end a sync: the lease outlasts it.
            with contextlib.suppress(StateError):
                if not self._renew():
                    break
                renewed = monotonic()
            if monotonic() - renewed > _HOLDS:
                break
        if not ended.is_set():
            lost()

    def _renew(self) -> bool:
        """Keep it for longer; false when it is another's by now."""
        own = and_(self._row, leases.c.token == self._token)
        with self._store.begin() as connection:
            until = clock(connection) + LASTS
            renewed = connection.execute(update(leases).where(own).values(expires_at=until))
            return bool(renewed.rowcount)

    def give_back(self) -> None:
        with self._store.begin() as connection:
            own = and_(self._row, leases.c.token == self._token)
            connection.execute(delete(leases).where(own))


@functools.cache
def _this_host() -> str:
    """This machine's name, and what tells it from others of the same name: processes are only
    looked for where they can be seen."""
    marks = []
    with contextlib.suppress(OSError):
        marks.append(Path("/proc/sys/kernel/random/boot_id").read_text().strip())
        marks.append(str(Path("/proc/self/ns/pid").readlink()))
    mark = hashlib.sha256("".join(marks).encode()).hexdigest()[:12]
    return f"{socket.gethostname()[:150]}{_MARK}{mark}" if marks else socket.gethostname()


def _shown(host: str) -> str:
    return host.partition(_MARK)[0]


def _alive(held: dict[str, Any], moment: datetime) -> bool:
    """Whether the holder lives: on this machine its process is asked, elsewhere its lease."""
    if held["host"] != _this_host():
        return bool(held["expires_at"] > moment)
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

"""One quota, several processes: whoever sends to a target is on a list and takes an even share.

A newcomer waits until the others have had time to see it, so that the sum never exceeds the quota;
one that dies is forgotten after a few seconds. One that cannot reach the list stops sending before
the others forget it, and joins anew. Times are those of the store's database: clocks of machines
differ.
"""

from __future__ import annotations

import contextlib
import secrets
import threading
from collections.abc import Callable, Iterator
from datetime import timedelta
from time import monotonic

from sqlalchemy import and_, delete, func, insert, or_, select, update

from connector.control.engine import clock
from connector.control.store import ControlStore
from connector.control.tables import senders
from connector.errors import StateError

LOOK = 0.25
"""Seconds between two looks at the list."""

JOINING = 4 * LOOK
"""How long a newcomer waits when it is not alone."""

FORGOTTEN = timedelta(seconds=10)

KEPT = timedelta(hours=1)
"""How long the line of a process that died is left in the list."""

_UNHEARD = FORGOTTEN.total_seconds() / 2
"""Seconds without a look after which nothing is sent: soon the others count on more."""


class Share:
    """One process's part of the quota of a target.

    Read from memory: `joining` while nothing may be sent yet, `count` how many share the quota.
    """

    def __init__(self, store: ControlStore, idle: Callable[[], bool]) -> None:
        self._store = store
        self._idle = idle
        self._token = secrets.token_hex(16)
        self._ours = senders.c.target == store.target
        self._mine = and_(self._ours, senders.c.token == self._token)
        self._listed = False
        self._waits = 0.0
        self._looked = monotonic()
        self.count = 1

    @property
    def joining(self) -> bool:
        """Whether the others may not know of this process, or not any more."""
        return self._waits > 0.0 or monotonic() - self._looked > _UNHEARD

    def look(self) -> None:
        """Say that this process is sending, and see who else is.

        Raises:
            StateError: the control store cannot be used.
        """
        if self._idle():
            self.leave()
            return
        began = monotonic()
        if began - self._looked > _UNHEARD:
            self._listed = False
        with self._store.begin() as connection:
            moment = clock(connection)
            if self._listed:
                connection.execute(update(senders).where(self._mine).values(seen_at=moment))
            else:
                # With what those left who died, and this process before it was cut off.
                stale = and_(self._ours, senders.c.seen_at <= moment - KEPT)
                connection.execute(delete(senders).where(or_(self._mine, stale)))
                values = {"target": self._store.target, "token": self._token, "seen_at": moment}
                connection.execute(insert(senders).values(**values))
            living = and_(self._ours, senders.c.seen_at > moment - FORGOTTEN)
            found = connection.scalar(select(func.count()).select_from(senders).where(living))
        self._looked = began
        self.count = max(int(found or 1), 1)
        if not self._listed:
            self._waits = JOINING if self.count > 1 else 0.0
            self._listed = True
        else:
            self._waits = max(self._waits - LOOK, 0.0)

    def leave(self) -> None:
        """Give the share back."""
        if self._listed:
            with self._store.begin() as connection:
                connection.execute(delete(senders).where(self._mine))
            self._listed = False


@contextlib.contextmanager
def sharing(store: ControlStore, idle: Callable[[], bool]) -> Iterator[Share]:
    """Take part in the quota of a target while the body runs; not while `idle` says so.

    Raises:
        StateError: the control store cannot be used.
    """
    share = Share(store, idle)
    share.look()
    ended = threading.Event()

    def keep_looking() -> None:
        while not ended.wait(LOOK):
            # A store that is away for a moment changes nothing: the share stays what it was.
            with contextlib.suppress(StateError):
                share.look()

    watcher = threading.Thread(target=keep_looking, daemon=True, name="quota-share")
    watcher.start()
    try:
        yield share
    finally:
        ended.set()
        watcher.join()
        share.leave()

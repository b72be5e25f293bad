"""The right of way: a backfill sends only while no sync of its target does."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator

from connector.control.erasures import Ledger
from connector.control.lease import holders, lease
from connector.control.runs import latest_run
from connector.control.store import ControlStore
from connector.errors import Locked, StateError
from connector.snapshot.exchange import backfill_paths, catch_up
from connector.snapshot.store import Store, open_store
from connector.stop import Stop

LOOK = 0.2
"""Seconds between two looks at who holds a lease."""


def backfill_lease(mapping: str) -> str:
    """The lease of a mapping's backfill. No mapping can have this name."""
    return f".backfill/{mapping}"


def sending_lease(mapping: str) -> str:
    """The lease that a backfill holds only while it sends, briefly: whoever must be sure that it
    does not, takes it and waits until the backfill has stepped aside."""
    return f".sending/{mapping}"


def overlap_lease(mapping: str) -> str:
    """The same, held only while it sends what a sync of the mapping might send as well."""
    return f".overlapping/{mapping}"


def learn_from_backfill(control: ControlStore, store: Store) -> None:
    """Take over into the state of a mapping what its backfill has sent of a window not yet done.

    To be called with the mapping's lease: a backfill that is sending steps aside first.
    """
    paths = backfill_paths(store.paths)
    if not paths.file.exists():
        return
    # Locked: it is at times that the sync is through with, or has not begun to send.
    with (
        contextlib.suppress(Locked),
        lease(control, overlap_lease(store.paths.mapping)),
        open_store(paths, keep=False) as theirs,
    ):
        catch_up(theirs, store)


class RightOfWay:
    """Looks who goes first.

    While a sync runs, `held` says so, and nothing is to be sent. Where what is being sent has to be
    worked out anew, it also asks for a stop and sets `step_aside`: someone was erased meanwhile, or
    the mapping itself is being synced over times that the backfill is at as well.
    """

    def __init__(self, control: ControlStore, mapping: str) -> None:
        self._control = control
        self._mapping = mapping
        self._held = False
        self._overlapping = False
        self._mark = self._seen()
        self.step_aside = False

    def held(self) -> bool:
        """Whether somebody else goes first now; answered from memory."""
        return self._held

    def wait(self, stop: Stop) -> bool:
        """Wait until nobody else is under way; false when asked to stop meanwhile."""
        while self._others():
            if stop.wait(LOOK):
                break
        return not stop.requested

    @contextlib.contextmanager
    def watching(self, stop: Stop) -> Iterator[None]:
        """Keep looking while the body runs; `stop` is what is asked for where that is needed."""
        self.step_aside = False
        self.look(stop)
        ended = threading.Event()
        watcher = threading.Thread(
            target=self._watch, args=(ended, stop), daemon=True, name="right-of-way"
        )
        watcher.start()
        try:
            yield
        finally:
            ended.set()
            watcher.join()
            self._held = False

    def settled(self, *, overlapping: bool) -> None:
        """What is about to be compared knows of every erasure and sync so far.

        `overlapping` is whether a sync of the mapping may send some of it too.
        """
        self._overlapping = overlapping
        self._mark = self._seen()

    def _watch(self, ended: threading.Event, stop: Stop) -> None:
        while not ended.wait(LOOK):
            # A store that is away for a moment changes nothing.
            with contextlib.suppress(StateError):
                self.look(stop)

    def look(self, stop: Stop) -> None:
        """Look now, as it is done again and again while `watching`."""
        others = self._others()
        self._held = bool(others)
        if self._seen() != self._mark or (self._overlapping and self._mapping in others):
            self._held = self.step_aside = True
            stop.request()

    def _others(self) -> set[str]:
        return {name for name in holders(self._control) if not name.startswith(".backfill/")}

    def _seen(self) -> tuple[int, int, int]:
        """Changes when somebody was erased, or what is being sent may have been sent by a sync."""
        run = latest_run(self._control, self._mapping) if self._overlapping else 0
        return self._control.suppressed_count(), len(Ledger(self._control).by_hand()), run

"""A request to stop, passed down the road: finish what is in flight, flush, come back."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager


class Stop:
    """Set from a signal handler or another thread; polled by whoever does long work."""

    def __init__(self) -> None:
        self._event = threading.Event()
        self._interrupts: list[Callable[[], None]] = []

    def request(self) -> None:
        """Ask for an orderly end. Safe to call from a signal handler, and more than once."""
        self._event.set()
        for interrupt in list(self._interrupts):
            interrupt()

    @contextmanager
    def interrupting(self, interrupt: Callable[[], None]) -> Iterator[None]:
        """While the body runs, a request to stop also calls `interrupt`."""
        self._interrupts.append(interrupt)
        try:
            yield
        finally:
            self._interrupts.remove(interrupt)

    @property
    def requested(self) -> bool:
        """Whether an orderly end was asked for."""
        return self._event.is_set()

    def wait(self, seconds: float) -> bool:
        """Sleep up to `seconds`, waking early when asked to stop; returns `requested`."""
        return self._event.wait(seconds)

"""Work batches, pulled in a thread of their own: reading the next waits for nobody's sending."""

from __future__ import annotations

import asyncio
import threading
from collections import deque
from collections.abc import Callable, Iterable

from connector.destination.work import WorkBatch

LOOK_AHEAD = 2
"""Batches read and not yet begun; what bounds the memory of a delivery."""


class Feed:
    """The batches, taken without blocking. `news` is called in the loop when there is something.

    The iterable is advanced, and if it is a generator closed, in one thread only, which is not the
    caller's.
    """

    def __init__(self, batches: Iterable[WorkBatch], news: Callable[[], None]) -> None:
        self._batches = iter(batches)
        self._news = news
        self._loop = asyncio.get_running_loop()
        self._slots = threading.Semaphore(LOOK_AHEAD)
        self._closing = False
        self._ready: deque[WorkBatch] = deque()
        self._thread = threading.Thread(target=self._pull, name="delivery-feed", daemon=True)
        self.exhausted = False
        self.error: BaseException | None = None
        self._thread.start()

    def take(self) -> WorkBatch | None:
        """The next batch; None if there is none yet, or none any more (`exhausted`)."""
        if not self._ready:
            return None
        self._slots.release()
        return self._ready.popleft()

    @property
    def empty(self) -> bool:
        """Whether every batch was taken and no more will come."""
        return self.exhausted and not self._ready

    def close(self) -> None:
        """Stop reading, and wait until the iterable was left alone."""
        self._closing = True
        self._slots.release()
        self._thread.join()

    def _pull(self) -> None:
        error: BaseException | None = None
        try:
            while self._slots.acquire() and not self._closing:
                batch = next(self._batches, None)
                if batch is None:
                    break
                self._loop.call_soon_threadsafe(self._arrived, batch)
            if (close := getattr(self._batches, "close", None)) is not None:
                close()
        except BaseException as raised:  # noqa: BLE001 - raised again by the thread that delivers
            error = raised
        self._loop.call_soon_threadsafe(self._ended, error)

    def _arrived(self, batch: WorkBatch) -> None:
        self._ready.append(batch)
        self._news()

    def _ended(self, error: BaseException | None) -> None:
        self.exhausted = True
        self.error = error
        self._news()

"""A pacer that stands aside while somebody else goes first."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from connector.destination.pacing import Attempt, Pacer

LOOK_SECONDS = 0.05


class HeldPacer:
    """Gives no turn while `held` says so; in all else it is the pacer it stands before.

    `held` is called in the event loop, often: it must answer from memory.
    """

    def __init__(self, pacer: Pacer, held: Callable[[], bool]) -> None:
        self._pacer = pacer
        self._held = held
        self._closed = False
        # One at a time: whoever waits further in would still go when all others are held.
        self._turnstile = asyncio.Lock()

    async def acquire(self) -> bool:
        """Wait for a turn. False once closed."""
        async with self._turnstile:
            while self._held() and not self._closed:
                await asyncio.sleep(LOOK_SECONDS)
            return await self._pacer.acquire()

    def observe(self, attempt: Attempt) -> None:
        """Give the turn back, and learn from what came of it."""
        self._pacer.observe(attempt)

    def backoff(self, attempt: int) -> float:
        """Seconds before a failed request is sent again."""
        return self._pacer.backoff(attempt)

    def tick(self) -> None:
        """Called a few times a second."""
        self._pacer.tick()

    def close(self) -> None:
        """Let everybody who waits go home."""
        self._closed = True
        self._pacer.close()

    @property
    def over(self) -> str | None:
        """Why there is no point in going on, if there is none."""
        return self._pacer.over

    @property
    def throttled(self) -> bool:
        """Whether the API, or whoever goes first, holds us back at the moment."""
        return self._held() or self._pacer.throttled

    @property
    def in_flight(self) -> int:
        """Turns given and not given back."""
        return self._pacer.in_flight

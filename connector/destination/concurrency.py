"""How many requests at once: up quickly while it helps, down when it does not.

Slow start, then additive increase and multiplicative decrease, as TCP and Vector's adaptive request
concurrency have it. Errors and timeouts are one signal, round trips that grow well beyond the
quickest seen are the other; growth within `NOISE` seconds is our own scheduling, not load on the
API.
"""

from __future__ import annotations

import math

START = 4.0
DECREASE = 0.9
SLOWER = 2.0
NOISE = 0.02
FLOOR_BY_LATENCY = 4.0
REMEMBER = 30.0


class Concurrency:
    """The limit on requests in flight, as a float that is compared with their number."""

    def __init__(self, most: int) -> None:
        self._most = float(most)
        self.limit = min(START, self._most)
        self._threshold = self._most
        self._quickest = math.inf
        self._quickest_before = math.inf
        self._remembered = 0.0
        self._recent = 0.0
        self._fell = -math.inf

    def succeeded(self, now: float, seconds: float) -> None:
        """A first attempt of full size took `seconds`."""
        self._learn(now, seconds)
        if self._recent > max(SLOWER * self._base, self._base + NOISE):
            if self.limit > FLOOR_BY_LATENCY:
                self._fall(now, FLOOR_BY_LATENCY)
        elif self.limit < self._most:
            step = 1.0 if self.limit < self._threshold else 1.0 / self.limit
            self.limit = min(self._most, self.limit + step)

    def failed(self, now: float) -> None:
        """The API, or the way to it, gave out."""
        self._fall(now, 1.0)

    def recovered(self) -> None:
        """An outage is over: carefully, but fast, back to where things stood before it."""
        self._threshold = max(self._threshold, self.limit)
        self.limit = min(START, self._most)

    def _fall(self, now: float, floor: float) -> None:
        if now - self._fell < max(self._recent, 0.001):
            return
        self._fell = now
        self.limit = max(floor, self.limit * DECREASE)
        self._threshold = self.limit

    @property
    def _base(self) -> float:
        return min(self._quickest, self._quickest_before)

    def _learn(self, now: float, seconds: float) -> None:
        if now - self._remembered > REMEMBER:
            self._remembered = now
            self._quickest_before, self._quickest = self._quickest, math.inf
        self._quickest = min(self._quickest, seconds)
        self._recent += 0.1 * (seconds - self._recent) if self._recent else seconds

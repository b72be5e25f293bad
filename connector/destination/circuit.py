"""Keeping off an API that is down: a budget for retries, a circuit, and probes."""

from __future__ import annotations

import random

BUDGET = 500.0
TRANSIENT_COST = 14.0
THROTTLED_COST = 5.0
BACKOFF_BASE = 0.1
BACKOFF_CAP = 5.0
EXHAUSTED_WAIT = 1.0
FAILURES_IN_A_ROW = 10
FIRST_PROBE = 0.25
LAST_PROBE = 3.0


class Budget:
    """AWS's retry quota: retries cost, successes refund, and an empty one slows retries down.

    Rows must arrive in the end, so an empty budget does not forbid a retry: it makes it wait.
    """

    def __init__(self) -> None:
        self._tokens = BUDGET

    def failed(self, cost: float) -> None:
        """An attempt failed and will be made again."""
        self._tokens = max(0.0, self._tokens - cost)

    def succeeded(self, *, retry: bool) -> None:
        """An attempt succeeded; a successful retry gives back what it cost."""
        if self._tokens < BUDGET:
            self._tokens = min(BUDGET, self._tokens + (TRANSIENT_COST if retry else 1.0))

    def backoff(self, attempt: int) -> float:
        """Seconds before attempt number `attempt` (from 1) is made again: full jitter."""
        ceiling = min(BACKOFF_CAP, BACKOFF_BASE * 2.0 ** min(attempt, 16))
        wait = random.uniform(0.0, ceiling)  # noqa: S311 - spreads retries, guards nothing
        return wait if self._tokens > 0 else wait + EXHAUSTED_WAIT


class Circuit:
    """Opens after failures in a row; while open, lets a probe through now and then.

    Probes go by the clock, not one after another: a probe that hangs keeps none from following.
    """

    def __init__(self) -> None:
        self._failures = 0
        self._interval = FIRST_PROBE
        self._next = 0.0
        self.open = False

    def succeeded(self) -> None:
        """Any success closes it."""
        self._failures = 0
        self.open = False

    def failed(self, now: float) -> None:
        """A request failed for no fault of its own."""
        self._failures += 1
        if not self.open and self._failures >= FAILURES_IN_A_ROW:
            self.open = True
            self._interval = FIRST_PROBE
            self._schedule(now)

    def delay(self, now: float) -> float:
        """Seconds until a request may leave."""
        return self._next - now if self.open else 0.0

    def take(self, now: float) -> None:
        """A request leaves; if the circuit is open it is the probe."""
        if self.open:
            self._interval = min(LAST_PROBE, self._interval * 2)
            self._schedule(now)

    def _schedule(self, now: float) -> None:
        self._next = now + self._interval * random.uniform(0.7, 1.0)  # noqa: S311 - as above

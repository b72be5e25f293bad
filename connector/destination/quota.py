"""How many requests a second: the configured quota, or the one found out by being refused.

A configured quota is kept by a generic cell rate algorithm (a token bucket without a timer), set a
little below what is paid for: requests do not arrive as evenly as they leave, and the API counts
arrivals. Without one there is no limit until the first 429; from then on the rate follows the cubic
curve of TCP CUBIC (RFC 9438), as AWS's adaptive retries do: a multiplicative fall, a plateau near
the rate that was too much, then ever bolder probing.
"""

from __future__ import annotations

import math

from connector.destination.target import RateLimit

MARGIN = 0.995
"""The share of a configured rate that is aimed at."""
JITTER = 0.05
"""Seconds by which arrivals may bunch; that much of the rate is kept back from the burst."""
LATENESS = 0.02
"""Seconds a request may leave late without the time being lost, at the price of a small bunch."""
BUNCHING = 5e-6
"""The same for a rate that was found out, per request a second: nobody promised us any burst."""
BELOW = 0.97
"""The plateau, as a share of the rate that was too much: a burst had hidden by how much it was."""
FALL = 0.93
"""The rate after a fall, as a share of the plateau."""
PLATEAU_SECONDS = 8.0
"""From a fall until the plateau is reached; as long again, and the rate is well above it."""
COSTLY_BELOW = 0.8
"""The same for a refusal that costs a pause and follows at once on the one before: each that is
avoided is a pause saved, and the pause refills the burst that hides by how much it was too much."""
COSTLY_PLATEAU_SECONDS = 10.0
"""Where refusals cost a pause, probing is worth less."""
SLOWEST = 0.1
LEARNING = 3.0
"""Growth factor a second while nothing but a first, poor estimate is known."""
UNUSED = 4.0
"""How far the rate may run ahead of what is really sent."""
WINDOW = 1.0
SATURATED = 0.1
"""Share of refusals above which it tells how much less would have been right."""
TOLERATED = 0.03
"""Share of refusals that is shrugged off."""
FEW = 3
"""Refusals below which their share says little."""


class Quota:
    """The rate, now. Times are seconds on one monotonic clock, handed in by the caller."""

    def __init__(self, limit: RateLimit | None) -> None:
        self._configured = limit is not None
        self._known: RateLimit | None = None
        self._sharers = 1
        self._ceiling = math.inf
        self._burst = 1.0
        self._due = 0.0
        if limit is not None:
            self._keep_to(limit)
        self.rate = self._ceiling
        self._learning = not self._configured
        self._plateau = self._ceiling
        self._plateau_seconds = PLATEAU_SECONDS
        self._fell = -math.inf
        self._accepted = _Window()
        self._refused = _Window()

    @property
    def free(self) -> bool:
        """Whether nothing is known that would limit the rate."""
        return self.rate == math.inf

    def delay(self, now: float) -> float:
        """Seconds until the next request may leave."""
        if self.free:
            return 0.0
        lateness = LATENESS if self._known else min(LATENESS / 4, self.rate * BUNCHING)
        return self._due - (self._burst - 1.0) / self.rate - lateness - now

    def take(self, now: float) -> None:
        """One request leaves."""
        if not self.free:
            self._due = max(self._due, now) + 1.0 / self.rate

    def accepted(self) -> None:
        """A request was within the quota."""
        self._accepted.current += 1

    def refused(self, now: float, *, costly: bool = False) -> None:
        """A request was above the quota; `costly` where the API wants a pause for it.

        A few refusals in a hundred are no reason to slow down for good (arrivals bunch, some APIs
        refuse at random), unless each of them costs a pause.
        """
        self._refused.current += 1
        if now - self._fell < WINDOW / 2:
            return
        if self.free:
            self._fell = now
            self.rate = max(1.0, self._accepted.rate) * FALL
            self._due = now
            return
        accepted, refused = self._accepted.total, self._refused.total
        share = refused / (accepted + refused)
        if (share < TOLERATED or refused < FEW) and (self._known or not costly):
            return
        self._learning = accepted == 0
        too_much = self.rate
        if share > SATURATED and refused >= FEW:
            too_much *= max(0.5, 1.0 - share)
        below, self._plateau_seconds = BELOW, PLATEAU_SECONDS
        if costly:
            held = min(1.0, (now - self._fell) / PLATEAU_SECONDS)
            below = COSTLY_BELOW + (BELOW - COSTLY_BELOW) * held
            self._plateau_seconds = COSTLY_PLATEAU_SECONDS
        self._fell = now
        self._plateau = max(SLOWEST, too_much * below)
        self.rate = max(SLOWEST, self._plateau * FALL)
        self._accepted, self._refused = _Window(), _Window()

    def announced(self, limit: RateLimit) -> None:
        """The API told its quota: no reason to find it out the hard way."""
        if self._configured or limit == self._known:
            return
        self._keep_to(limit)
        self.rate = min(self.rate, self._ceiling)
        self._plateau = self._ceiling
        self._learning = False

    def shared_by(self, count: int) -> None:
        """So many processes use this quota, evenly; a quota that nobody told us is found alone."""
        if count == self._sharers:
            return
        before, self._sharers = self._sharers, count
        if self._known is not None:
            self._keep_to(self._known)
            # A rate below the ceiling was learned from refusals: it changes in proportion.
            self.rate = min(self.rate * before / count, self._ceiling)

    def _keep_to(self, limit: RateLimit) -> None:
        self._known = limit
        self._ceiling = limit.requests_per_second * MARGIN / self._sharers
        burst = (limit.burst - limit.requests_per_second * JITTER) / self._sharers
        self._burst = max(1.0, burst)

    def tick(self, now: float, seconds: float) -> None:
        """Time passed with requests wanting to leave: the rate may grow. Called often."""
        self._accepted.pass_time(seconds)
        self._refused.pass_time(seconds)
        if self.free or self.rate >= self._ceiling:
            return
        if self._learning:
            grown = self.rate * LEARNING**seconds
        else:
            curve = (now - self._fell) / self._plateau_seconds - 1.0
            grown = max(self.rate, self._plateau * (1.0 + (1.0 - FALL) * curve**3))
        used = max(self.rate, UNUSED * self._accepted.rate)
        self.rate = min(grown, used, self._ceiling)
        self._due = min(self._due, now + 1.0 / self.rate)


class _Window:
    """A count over the last one to two windows, forgetting in steps."""

    def __init__(self) -> None:
        self.current = 0
        self._before = 0
        self._seconds = 0.0
        self._full = False

    def pass_time(self, seconds: float) -> None:
        self._seconds += seconds
        if self._seconds >= WINDOW:
            self._before, self.current = self.current, 0
            self._seconds -= WINDOW
            self._full = True

    @property
    def total(self) -> int:
        return self._before + self.current

    @property
    def rate(self) -> float:
        """A second; a first window that is not over yet counts as a whole one."""
        return self.total / (WINDOW + self._seconds if self._full else WINDOW)

"""Whose turn it is: quota, concurrency, waits the API asked for, and outages, behind two calls.

A worker awaits `acquire()`, sends, and tells `observe()` what came of it. One pacer serves one
process; another implementation of the protocol may share a quota between several.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable
from time import monotonic
from typing import NamedTuple, Protocol

from connector.destination import advice
from connector.destination.circuit import THROTTLED_COST, TRANSIENT_COST, Budget, Circuit
from connector.destination.concurrency import Concurrency
from connector.destination.outcomes import Action, Failure
from connector.destination.quota import Quota
from connector.destination.target import Target
from connector.destination.transport import Answer, describe

LOOK_SECONDS = 0.02
"""How often the headers of a success are read; those of a 429 or 503 always are."""
NAP = 0.05
"""The longest sleep before looking again whether the reason for waiting is still there."""
RECENT = 2.0


class Attempt(NamedTuple):
    """What came of one request, and what is done about it."""

    action: Action
    result: Answer | Failure
    seconds: float
    retry: bool
    full_size: bool
    """Whether its time says something about the API's pace: not a repeat, not part of a split."""


class Pacer(Protocol):
    """Decides when the next request may leave."""

    async def acquire(self) -> bool:
        """Wait for a turn. False once closed: nothing may be sent any more."""

    def observe(self, attempt: Attempt) -> None:
        """Give the turn back, and learn from what came of it."""

    def backoff(self, attempt: int) -> float:
        """Seconds before a failed request is sent for the `attempt`-th time again."""

    def tick(self) -> None:
        """Called a few times a second."""

    def close(self) -> None:
        """Let everybody who waits go home."""

    @property
    def over(self) -> str | None:
        """Why there is no point in going on, if there is none."""

    @property
    def throttled(self) -> bool:
        """Whether the API holds us back at the moment."""

    @property
    def in_flight(self) -> int:
        """Turns given and not given back."""


class LocalPacer:
    """The pacer of one process. To be used within one event loop.

    `sharers` tells how many processes use the target's quota, this one included; it is asked often.
    """

    def __init__(self, target: Target, sharers: Callable[[], int] | None = None) -> None:
        self._sharers = sharers
        self._max_wait = target.max_wait
        self._give_up_after = target.give_up_after
        self._quota = Quota(target.rate_limit)
        self._concurrency = Concurrency(target.max_in_flight)
        self._circuit = Circuit()
        self._budget = Budget()
        self._turnstile = asyncio.Lock()
        self._freed: asyncio.Future[None] | None = None
        self._closed = False
        self._quiet = self._quota.free
        self._paused_until = 0.0
        self._looked = 0.0
        self._ticked = monotonic()
        self._throttled_at = -math.inf
        self._failing_since: float | None = None
        self._waited = 0.0
        self._last_problem = ""
        self.in_flight = 0
        self.over: str | None = None

    async def acquire(self) -> bool:
        """Wait for a turn; in the order of asking."""
        if self._quiet and self.in_flight < self._concurrency.limit and not self._closed:
            self.in_flight += 1
            return True
        async with self._turnstile:
            while not self._closed:
                now = monotonic()
                delay = self._delay(now)
                if delay <= 0.0:
                    self._quota.take(now)
                    self._circuit.take(now)
                    self.in_flight += 1
                    return True
                if delay < math.inf:
                    await asyncio.sleep(min(delay, NAP))
                else:
                    self._freed = asyncio.get_running_loop().create_future()
                    await self._freed
        return False

    def _delay(self, now: float) -> float:
        if self.in_flight >= self._concurrency.limit:
            return math.inf
        return max(self._paused_until - now, self._circuit.delay(now), self._quota.delay(now))

    def observe(self, attempt: Attempt) -> None:
        """Give the turn back, and learn from what came of it."""
        self.in_flight -= 1
        now = monotonic()
        action = attempt.action
        if action is Action.THROTTLE:
            self._throttled(now, attempt)
        elif action is Action.RETRY:
            self._failed(now, attempt)
        else:
            self._succeeded(now, attempt)
        if self._freed is not None:
            if not self._freed.done():
                self._freed.set_result(None)
            self._freed = None

    def _succeeded(self, now: float, attempt: Attempt) -> None:
        self._quota.accepted()
        self._budget.succeeded(retry=attempt.retry)
        if self._circuit.open:
            self._concurrency.recovered()
        self._circuit.succeeded()
        if attempt.full_size:
            self._concurrency.succeeded(now, attempt.seconds)
        self._failing_since = None
        self._waited = 0.0
        if isinstance(attempt.result, Answer) and now - self._looked > LOOK_SECONDS:
            self._looked = now
            self._listen(now, attempt.result)

    def _listen(self, now: float, answer: Answer) -> None:
        """Heed what a success says of the quota; an absurd wait is not believed until refused."""
        announced = advice.policy(answer.header)
        if announced is not None:
            self._quota.announced(announced)
        left = advice.allowance(answer.header)
        if left is not None and left.remaining == 0 and left.seconds <= self._max_wait:
            self._pause(now, left.seconds)
        self._settle_down()

    def _throttled(self, now: float, attempt: Attempt) -> None:
        self._throttled_at = now
        self._budget.failed(THROTTLED_COST)
        self._obey(now, attempt.result)
        if not self._circuit.open:  # a probe says nothing of the rate
            self._quota.refused(now, costly=self._paused_until > now)
        self._circuit.failed(now)
        self._trouble(now, attempt)

    def _failed(self, now: float, attempt: Attempt) -> None:
        self._budget.failed(TRANSIENT_COST)
        if not self._circuit.open:
            self._concurrency.failed(now)
        self._circuit.failed(now)
        self._trouble(now, attempt)
        self._obey(now, attempt.result)

    def _trouble(self, now: float, attempt: Attempt) -> None:
        self._last_problem = describe(attempt.result)
        if self._failing_since is None:
            self._failing_since = now
        self._quiet = False

    def _obey(self, now: float, answer: Answer | Failure) -> None:
        """Wait as long as a refusal asks for; longer than `max_wait` ends the run."""
        if isinstance(answer, Failure):
            return
        wait = advice.retry_after(answer.header)
        if wait is None:
            left = advice.allowance(answer.header)
            wait = left.seconds if left is not None and left.remaining == 0 else 0.0
        if wait > self._max_wait:
            self.over = (
                f"the API asks to wait {wait:.0f} s, more than max_wait ({self._max_wait:.0f} s)"
            )
            self.close()
            return
        self._pause(now, wait)

    def _pause(self, now: float, seconds: float) -> None:
        until = now + seconds
        if until > self._paused_until:
            self._waited += until - max(self._paused_until, now)
            self._paused_until = until
            self._quiet = False

    def _settle_down(self) -> None:
        self._quiet = (
            self._quota.free and not self._circuit.open and self._paused_until <= monotonic()
        )

    def backoff(self, attempt: int) -> float:
        """Full jitter over an exponentially growing time."""
        return self._budget.backoff(attempt)

    def tick(self) -> None:
        """Let the rate grow, and give up on an API that has failed for too long."""
        now = monotonic()
        elapsed, self._ticked = now - self._ticked, now
        if self._sharers is not None:
            self._quota.shared_by(self._sharers())
        if self._paused_until <= now and not self._circuit.open:
            self._quota.tick(now, elapsed)
        self._settle_down()
        if self._failing_since is None:
            return
        failing = now - self._failing_since
        if failing > self._give_up_after + min(self._waited, self._max_wait):
            self.over = f"the API has failed for {failing:.0f} s without a success: "
            self.over += self._last_problem
            self.close()

    def close(self) -> None:
        """Let everybody who waits go home."""
        self._closed = True
        if self._freed is not None and not self._freed.done():
            self._freed.set_result(None)
            self._freed = None

    @property
    def throttled(self) -> bool:
        """Whether the API holds us back at the moment."""
        now = monotonic()
        return self._paused_until > now or now - self._throttled_at < RECENT

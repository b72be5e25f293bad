"""The quota against a simulated API, on a clock that the tests turn."""

from __future__ import annotations

import random
from collections.abc import Callable
from itertools import pairwise

import pytest

from connector.destination.quota import Quota
from connector.destination.target import RateLimit

TICK = 0.1
ROUND_TRIP = 0.02


def bucket(rate: float, burst: float) -> Callable[[float], bool]:
    """An API's token bucket, asked whether a request arriving at a time is within its quota."""
    tokens, filled = burst, 0.0

    def take(now: float) -> bool:
        nonlocal tokens, filled
        tokens = min(burst, tokens + (now - filled) * rate)
        filled = now
        if tokens < 1:
            return False
        tokens -= 1
        return True

    return take


def simulate(
    quota: Quota,
    take: Callable[[float], bool],
    seconds: float,
    jitter: float = 0.0,
    pause: float = 0.0,
) -> list[tuple[float, bool]]:
    """Send whenever the quota lets us; when each request left, and whether it was accepted.

    Every refusal asks for a pause of so many seconds, which is obeyed.
    """
    draw = random.Random(7)  # noqa: S311 - repeatable is the point
    now, ticked, resumed = 0.0, 0.0, 0.0
    log: list[tuple[float, bool]] = []
    while now < seconds:
        while ticked <= now:
            if resumed <= now:
                quota.tick(ticked, TICK)
            ticked += TICK
        delay = max(quota.delay(now), resumed - now)
        if delay > 0:
            now += min(delay, 0.001)
            continue
        quota.take(now)
        accepted = take(now + draw.uniform(0, jitter))
        if accepted:
            quota.accepted()
        else:
            quota.refused(now + ROUND_TRIP, costly=pause > 0)
            resumed = now + ROUND_TRIP + pause if pause else 0.0
        log.append((now, accepted))
        now += 0.0003
    return log


@pytest.mark.parametrize("rate", [3.0, 100.0, 1000.0])
@pytest.mark.parametrize("burst", [1, 10, 100])
def test_a_configured_quota_is_never_exceeded_in_any_window(rate: float, burst: int) -> None:
    left = [at for at, _ in simulate(Quota(RateLimit(rate, burst)), lambda now: True, 10)]
    slack = 0.021 * rate
    for width in (1, 5, 50, 500):
        for first, last in zip(left, left[width:], strict=False):
            assert width + 1 <= rate * (last - first) + burst + slack


@pytest.mark.parametrize(("rate", "burst"), [(100.0, 100), (100.0, 10), (50.0, 5), (1000.0, 50)])
def test_a_configured_quota_is_used_to_the_full_without_refusals(rate: float, burst: int) -> None:
    log = simulate(Quota(RateLimit(rate, burst)), bucket(rate, burst), 30, jitter=0.01)
    accepted = sum(ok for _, ok in log)
    assert accepted >= 0.97 * rate * 30
    assert len(log) - accepted < 0.005 * len(log)


@pytest.mark.parametrize("burst", [3, 10, 100])
@pytest.mark.parametrize("rate", [20.0, 100.0, 500.0])
def test_an_unknown_quota_is_found_and_used(rate: float, burst: int) -> None:
    log = simulate(Quota(None), bucket(rate, burst), 40)
    late = [ok for at, ok in log if at >= 10]
    assert sum(late) >= 0.85 * rate * 30
    assert late.count(False) <= 0.04 * len(late)


@pytest.mark.parametrize("burst", [10, 30, 100, 500])
@pytest.mark.parametrize("rate", [20.0, 100.0, 500.0])
def test_an_unknown_quota_is_found_though_every_refusal_costs_a_pause(
    rate: float, burst: int
) -> None:
    log = simulate(Quota(None), bucket(rate, burst), 40, jitter=0.003, pause=1.0)
    assert sum(ok for at, ok in log if at >= 10) >= 0.85 * rate * 30


def test_a_quota_that_grows_is_noticed() -> None:
    now_and_then = (bucket(50, 10), bucket(200, 10))
    log = simulate(Quota(None), lambda now: now_and_then[now > 20](now), 90)
    assert sum(ok for at, ok in log if at >= 80) >= 0.8 * 200 * 10


def test_a_configured_quota_that_others_use_too_is_shared() -> None:
    log = simulate(Quota(RateLimit(100, 1)), bucket(50, 5), 40)
    late = [ok for at, ok in log if at >= 10]
    assert sum(late) >= 0.85 * 50 * 30
    assert late.count(False) <= 0.03 * len(late)


def test_without_a_limit_nothing_waits() -> None:
    quota = Quota(None)
    assert quota.free
    assert quota.delay(0.0) <= 0


def test_an_announced_policy_is_followed_from_then_on() -> None:
    quota = Quota(None)
    quota.announced(RateLimit(50.0, 5))
    log = simulate(quota, bucket(50, 5), 10)
    assert all(ok for _, ok in log)
    assert len(log) >= 0.95 * 50 * 10


def test_requests_are_spread_and_not_bunched() -> None:
    left = [at for at, _ in simulate(Quota(RateLimit(100, 1)), lambda now: True, 2)]
    assert min(later - earlier for earlier, later in pairwise(left[5:])) > 0.008

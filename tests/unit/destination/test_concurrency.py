"""The number of requests in flight, against simulated APIs."""

from __future__ import annotations

from collections.abc import Callable

from connector.destination.concurrency import Concurrency


def simulate(concurrency: Concurrency, seconds: Callable[[int], float], rounds: int) -> list[float]:
    """Rounds of as many requests as are allowed, each taking `seconds(how many)`."""
    now, limits = 0.0, []
    for _ in range(rounds):
        together = int(concurrency.limit)
        took = seconds(together)
        now += took
        for _ in range(together):
            concurrency.succeeded(now, took)
        limits.append(concurrency.limit)
    return limits


def test_it_doubles_until_the_most_while_nothing_slows_down() -> None:
    limits = simulate(Concurrency(64), lambda together: 0.02, 6)
    assert limits[0] == 8
    assert limits[-1] == 64


def test_it_stays_near_the_knee_of_a_slow_api() -> None:
    limits = simulate(Concurrency(256), lambda n: 0.05 * max(1.0, n / 10), 200)
    settled = limits[50:]
    assert min(settled) >= 10
    assert max(settled) <= 40


def test_on_loopback_our_own_noise_does_not_slow_it_down() -> None:
    limits = simulate(Concurrency(64), lambda n: 0.0001 * n, 200)
    assert limits[-1] == 64


def test_it_never_exceeds_the_most() -> None:
    assert max(simulate(Concurrency(3), lambda n: 0.01, 50)) <= 3


def test_failures_of_one_round_trip_count_once() -> None:
    concurrency = Concurrency(100)
    simulate(concurrency, lambda n: 0.1, 10)
    for _ in range(50):
        concurrency.failed(100.0)
    assert concurrency.limit == 90


def test_it_is_back_soon_after_an_outage() -> None:
    concurrency = Concurrency(64)
    simulate(concurrency, lambda n: 0.02, 10)
    for second in range(5):
        concurrency.failed(100.0 + second)
    concurrency.recovered()
    assert concurrency.limit == 4
    assert simulate(concurrency, lambda n: 0.02, 6)[-1] >= 32


def test_an_api_that_is_slower_for_good_becomes_the_new_normal() -> None:
    concurrency = Concurrency(64)
    simulate(concurrency, lambda n: 0.02, 100)
    limits = simulate(concurrency, lambda n: 0.2, 600)
    assert limits[-1] == 64

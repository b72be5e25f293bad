"""The retry budget and the circuit."""

from __future__ import annotations

from connector.destination.circuit import (
    BACKOFF_CAP,
    EXHAUSTED_WAIT,
    FAILURES_IN_A_ROW,
    LAST_PROBE,
    THROTTLED_COST,
    TRANSIENT_COST,
    Budget,
    Circuit,
)


def test_a_backoff_grows_jitters_and_is_capped() -> None:
    budget = Budget()
    waits = {attempt: [budget.backoff(attempt) for _ in range(200)] for attempt in (1, 4, 50)}
    assert max(waits[1]) <= 0.2
    assert 0.2 < max(waits[4]) <= 1.6
    assert max(waits[50]) <= BACKOFF_CAP
    assert min(waits[50]) < 0.5
    assert len(set(waits[4])) > 100


def test_an_exhausted_budget_slows_retries_down_until_successes_refill_it() -> None:
    budget = Budget()
    for _ in range(100):
        budget.failed(TRANSIENT_COST)
    assert min(budget.backoff(1) for _ in range(50)) >= EXHAUSTED_WAIT
    budget.succeeded(retry=True)
    assert max(budget.backoff(1) for _ in range(50)) < EXHAUSTED_WAIT


def test_a_throttled_request_costs_less_than_a_failed_one() -> None:
    assert THROTTLED_COST < TRANSIENT_COST


def test_the_circuit_opens_after_failures_in_a_row_only() -> None:
    circuit = Circuit()
    for _ in range(50):
        for _ in range(FAILURES_IN_A_ROW - 1):
            circuit.failed(0.0)
        circuit.succeeded()
    assert not circuit.open
    assert circuit.delay(0.0) == 0
    for _ in range(FAILURES_IN_A_ROW):
        circuit.failed(0.0)
    assert circuit.open
    assert circuit.delay(0.0) > 0


def test_an_open_circuit_lets_few_probes_through_an_hour_of_outage() -> None:
    circuit, now, probes = Circuit(), 0.0, 0
    for _ in range(FAILURES_IN_A_ROW):
        circuit.failed(now)
    gaps = []
    while now < 3600:
        delay = circuit.delay(now)
        if delay > 0:
            now += delay
            gaps.append(delay)
            continue
        circuit.take(now)
        probes += 1
        circuit.failed(now)
    assert probes <= 3600 / (0.7 * LAST_PROBE) + 10
    assert max(gaps) <= LAST_PROBE


def test_one_success_closes_it() -> None:
    circuit = Circuit()
    for _ in range(FAILURES_IN_A_ROW):
        circuit.failed(5.0)
    circuit.succeeded()
    assert not circuit.open
    assert circuit.delay(5.0) == 0

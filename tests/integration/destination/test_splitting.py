"""Batches that are refused: the culprit alone pays, and finding it costs few requests."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable

import pytest

from connector.destination.target import Target
from connector.destination.work import Delivery
from connector.destination.writer import Writer
from tests.integration.destination.conftest import Ledger
from tests.support.loopback import OK, Answer, Loopback, Received, error
from tests.support.work import events

MakeTarget = Callable[..., Target]
Respond = Callable[[Received], Answer]


def poisonous(poison: Iterable[int], *, status: int = 422, naming: int | None = None) -> Respond:
    """Refuse what holds a poison event; name its place, `naming` off by so many, unless None."""
    ids = {f"e{i}" for i in poison}

    def respond(request: Received) -> Answer:
        sent = [event["id"] for event in request.json()["events"]]
        bad = [place for place, name in enumerate(sent) if name in ids]
        if not bad:
            return OK
        where = "" if naming is None else f"events[{bad[0] + naming}].rank: "
        return error(status, "invalid_event", f"{where}must be an integer")

    return respond


def deliver(
    target: MakeTarget, ledger: Ledger, respond: Respond, count: int, **settings: int
) -> tuple[Delivery, list[Received]]:
    with Loopback(respond) as server:
        delivery = Writer(target(server.url, **settings)).deliver(events(count), ledger.settle)
    assert delivery.incomplete is None
    return delivery, server.received


@pytest.mark.parametrize("status", [400, 422])
@pytest.mark.parametrize("per_request", [500, 1000, 5000])
@pytest.mark.parametrize("place", [0, 499, 500, 4321, 9999])
def test_one_poison_event_among_ten_thousand_costs_at_most_twenty_extra_requests(
    target: MakeTarget, ledger: Ledger, status: int, per_request: int, place: int
) -> None:
    delivery, _ = deliver(
        target, ledger, poisonous([place], status=status), 10_000, events_per_request=per_request
    )
    assert ledger.holds_once(set(range(10_000)) - {place})
    assert ledger.rejected[place].code == "invalid_event"
    assert ledger.rejected[place].message == "must be an integer"
    assert delivery.requests <= 10_000 / per_request + 20


def test_a_culprit_named_by_the_api_costs_one_request(target: MakeTarget, ledger: Ledger) -> None:
    delivery, _ = deliver(target, ledger, poisonous([1234], naming=0), 10_000)
    assert ledger.holds_once(set(range(10_000)) - {1234})
    assert ledger.rejected[1234].field == "rank"
    assert delivery.requests == 21


def test_several_named_culprits_are_left_out_one_after_another(
    target: MakeTarget, ledger: Ledger
) -> None:
    poison = {3, 4, 250, 499}
    delivery, _ = deliver(target, ledger, poisonous(poison, naming=0), 500)
    assert ledger.holds_once(set(range(500)) - poison)
    assert set(ledger.rejected) == poison
    assert delivery.requests <= 5 + len(poison)


def test_a_culprit_named_wrongly_is_not_believed(target: MakeTarget, ledger: Ledger) -> None:
    delivery, _ = deliver(target, ledger, poisonous([77], naming=1), 500)
    assert ledger.holds_once(set(range(500)) - {77})
    assert set(ledger.rejected) == {77}
    assert delivery.requests <= 60


@pytest.mark.parametrize("naming", [None, 0])
def test_a_batch_that_is_wholly_bad_costs_about_two_requests_a_row(
    target: MakeTarget, ledger: Ledger, naming: int | None
) -> None:
    delivery, _ = deliver(target, ledger, poisonous(range(500), naming=naming), 500)
    assert set(ledger.rejected) == set(range(500))
    assert not ledger.acknowledged
    assert delivery.requests <= 2 * 500 + 50


def test_many_bad_batches_soon_cost_one_request_a_row(target: MakeTarget, ledger: Ledger) -> None:
    delivery, _ = deliver(target, ledger, poisonous(range(3000)), 3000, max_in_flight=4)
    assert set(ledger.rejected) == set(range(3000))
    assert delivery.requests <= 1.5 * 3000


def test_any_mixture_of_good_and_bad_rows_is_told_apart(target: MakeTarget, ledger: Ledger) -> None:
    poison = {i for i in range(2000) if i % 7 == 0 or 300 < i < 400}
    deliver(target, ledger, poisonous(poison), 2000, events_per_request=250)
    assert ledger.holds_once(set(range(2000)) - poison)
    assert set(ledger.rejected) == poison


def test_a_limit_by_count_is_learned_and_remembered(target: MakeTarget, ledger: Ledger) -> None:
    def respond(request: Received) -> Answer:
        return Answer(413) if len(request.json()["events"]) > 100 else OK

    delivery, received = deliver(target, ledger, respond, 10_000, max_in_flight=4)
    assert ledger.holds_once(range(10_000))
    sizes = [len(json.loads(request.body)["events"]) for request in received]
    assert max(sizes[50:]) <= 100
    assert delivery.requests < 10_000 / 100 * 2.5


def test_a_limit_by_bytes_is_learned_and_remembered(target: MakeTarget, ledger: Ledger) -> None:
    def respond(request: Received) -> Answer:
        return Answer(413) if len(request.body) > 6000 else OK

    delivery, received = deliver(target, ledger, respond, 10_000, max_in_flight=4)
    assert ledger.holds_once(range(10_000))
    assert max(len(request.body) for request in received[50:]) <= 6000
    assert delivery.requests < 150


def test_a_single_event_that_is_too_large_is_rejected(target: MakeTarget, ledger: Ledger) -> None:
    delivery, _ = deliver(target, ledger, poisonous([42], status=413), 1000)
    assert ledger.holds_once(set(range(1000)) - {42})
    assert ledger.rejected[42].status == 413
    assert delivery.requests < 60


def test_a_limit_that_calls_itself_a_validation_error_rejects_nothing(
    target: MakeTarget, ledger: Ledger
) -> None:
    def respond(request: Received) -> Answer:
        if len(request.json()["events"]) > 100:
            return error(422, "too_many", "at most 100 events")
        return OK

    delivery, _ = deliver(target, ledger, respond, 5_000, max_in_flight=2)
    assert ledger.holds_once(range(5_000))
    assert ledger.rejected == {}
    assert delivery.requests < 120


def test_an_event_the_api_chokes_on_is_left_pending_and_the_others_arrive(
    target: MakeTarget, ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    for wait in ("BACKOFF_CAP", "EXHAUSTED_WAIT", "FIRST_PROBE", "LAST_PROBE"):
        monkeypatch.setattr(f"connector.destination.circuit.{wait}", 0.01)

    def respond(request: Received) -> Answer:
        return Answer(500) if b'"e42"' in request.body else Answer(delay=0.001)

    with Loopback(respond) as server:
        delivery = Writer(target(server.url, events_per_request=10, give_up_after=1)).deliver(
            events(4000), ledger.settle
        )
    assert ledger.rejected == {}
    assert ledger.holds_once(set(range(4000)) - {42})
    assert delivery.incomplete is not None
    assert "HTTP 500" in delivery.incomplete

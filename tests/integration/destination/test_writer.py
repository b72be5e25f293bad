"""The writer against a server whose every answer is decided by the test."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from itertools import chain, repeat

import pytest

from connector.destination.target import Target
from connector.destination.transport import SOUND_ANSWERS
from connector.destination.work import Delivery, Operation, Progress, Settlement, WorkBatch
from connector.destination.writer import Writer
from connector.errors import DestinationError, StateError
from connector.stop import Stop
from tests.integration.destination.conftest import Ledger
from tests.support.loopback import OK, RESET, Answer, Loopback, Received, error
from tests.support.work import batch, erasures, events, users

MakeTarget = Callable[..., Target]


def test_users_arrive_one_a_request_and_are_acknowledged_once(
    target: MakeTarget, ledger: Ledger
) -> None:
    with Loopback() as server:
        delivery = Writer(target(server.url)).deliver(users(500, 100), ledger.settle)
    assert ledger.holds_once(range(500))
    assert {user["uid"] for user in server.users()} == {f"u{i}" for i in range(500)}
    assert delivery.requests == 500
    assert delivery.incomplete is None


def test_events_arrive_in_batches_of_the_configured_size(
    target: MakeTarget, ledger: Ledger
) -> None:
    with Loopback() as server:
        Writer(target(server.url, events_per_request=100)).deliver(
            events(1050, 1000), ledger.settle
        )
    assert ledger.holds_once(range(1050))
    sizes = sorted(len(request.json()["events"]) for request in server.received)
    assert sizes == [50, *[100] * 10]


def test_a_batch_of_events_is_cut_by_bytes_too(target: MakeTarget, ledger: Ledger) -> None:
    with Loopback() as server:
        Writer(target(server.url, bytes_per_request=1000)).deliver(events(300), ledger.settle)
    assert ledger.holds_once(range(300))
    assert all(len(request.body) <= 1000 + len('{"events":[]}') for request in server.received)


def test_nothing_to_deliver_sends_nothing(target: MakeTarget, ledger: Ledger) -> None:
    with Loopback() as server:
        delivery = Writer(target(server.url)).deliver(iter([]), ledger.settle)
    assert delivery.requests == 0
    assert server.received == []
    assert ledger.settlements == 0


@pytest.mark.parametrize(
    "answer",
    [
        Answer(204),
        Answer(202, b"not json at all"),
        Answer(201),
        Answer(raw=b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nabc", close=True),
        Answer(raw=b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n", close=True),
    ],
)
def test_any_2xx_acknowledges_whatever_its_body(
    target: MakeTarget, ledger: Ledger, answer: Answer
) -> None:
    with Loopback(lambda request: answer) as server:
        delivery = Writer(target(server.url)).deliver(users(20), ledger.settle)
    assert ledger.holds_once(range(20))
    assert delivery.requests == 20


def test_a_body_that_breaks_off_after_many_sound_ones_costs_one_repeat(
    target: MakeTarget, ledger: Ledger
) -> None:
    broken = Answer(raw=b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nabc", close=True)
    answers = chain([Answer(200, b"{}")] * (SOUND_ANSWERS + 20), repeat(broken))
    with Loopback(lambda request: next(answers)) as server:
        delivery = Writer(target(server.url, max_in_flight=1)).deliver(users(200), ledger.settle)
    assert ledger.holds_once(range(200))
    assert delivery.requests == 201


@pytest.mark.parametrize(
    "trouble",
    [
        Answer(500),
        error(503, "unavailable", "later"),
        Answer(408),
        Answer(425),
        Answer(429),
        RESET,
        Answer(raw=b"HTTP/1.1 20", close=True),
        Answer(raw=b"SSH-2.0-OpenSSH\r\n\r\n", close=True),
        Answer(raw=b"HTTP/1.1 503 Busy\r\nContent-Length: 9999999\r\n\r\n", drip=b"x"),
    ],
)
def test_temporary_trouble_is_retried_until_every_row_is_acknowledged(
    target: MakeTarget, ledger: Ledger, trouble: Answer
) -> None:
    seen: set[bytes] = set()

    def respond(request: Received) -> Answer:
        if len(seen) < 5 and request.body not in seen:
            seen.add(request.body)
            return trouble
        return OK

    with Loopback(respond) as server:
        delivery = Writer(target(server.url)).deliver(users(50), ledger.settle)
    assert ledger.holds_once(range(50))
    assert delivery.requests == 55
    assert delivery.retries == 5


def test_an_answer_that_does_not_come_in_time_is_retried(
    target: MakeTarget, ledger: Ledger
) -> None:
    slow = iter([Answer(delay=30.0)] * 3)
    with Loopback(lambda request: next(slow, OK)) as server:
        delivery = Writer(target(server.url, timeout=1.0)).deliver(users(20), ledger.settle)
    assert ledger.holds_once(range(20))
    assert delivery.retries >= 3


@pytest.mark.parametrize("status", [401, 403, 404, 405, 301, 302, 307, 418])
def test_a_status_that_concerns_every_row_stops_the_run_and_blames_no_row(
    target: MakeTarget, ledger: Ledger, status: int
) -> None:
    def respond(request: Received) -> Answer:
        return OK if b'"u0"' in request.body else Answer(status, headers={"Location": "/other"})

    with Loopback(respond) as server, pytest.raises(DestinationError) as raised:
        Writer(target(server.url, max_in_flight=1)).deliver(users(10), ledger.settle)
    assert str(status) in raised.value.message
    assert ledger.holds_once({0})
    assert ledger.rejected == {}
    assert len(server.received) == 2


@pytest.mark.parametrize("status", [400, 413, 422])
def test_a_refused_user_is_rejected_with_the_words_of_the_api(
    target: MakeTarget, ledger: Ledger, status: int
) -> None:
    def respond(request: Received) -> Answer:
        return error(status, "bad_user", "age: not a number") if b'"u7"' in request.body else OK

    with Loopback(respond) as server:
        Writer(target(server.url)).deliver(users(20), ledger.settle)
    assert ledger.holds_once(set(range(20)) - {7})
    assert (ledger.rejected[7].status, ledger.rejected[7].code) == (status, "bad_user")
    assert ledger.rejected[7].message == "age: not a number"


def test_a_delete_of_what_is_not_there_counts_as_done(target: MakeTarget, ledger: Ledger) -> None:
    with Loopback(lambda request: Answer(404)) as server:
        Writer(target(server.url)).deliver([erasures(["a", "b"])], ledger.settle)
    assert ledger.holds_once(range(2))
    assert {(r.method, r.target) for r in server.received} == {
        ("DELETE", "/v1/users/a"),
        ("DELETE", "/v1/users/b"),
    }


def test_a_key_that_cannot_be_addressed_is_rejected_and_not_sent(
    target: MakeTarget, ledger: Ledger
) -> None:
    with Loopback() as server:
        Writer(target(server.url)).deliver(
            [erasures(["", ".", "..", "a\nb", "fine"])], ledger.settle
        )
    assert [request.target for request in server.received] == ["/v1/users/fine"]
    assert ledger.holds_once({4})
    assert {r.code for r in ledger.rejected.values()} == {"unaddressable_key"}


def test_requests_of_one_key_are_never_in_flight_together_and_keep_their_order(
    target: MakeTarget, ledger: Ledger
) -> None:
    rows = [(f"k{i % 3}", {"uid": f"k{i % 3}", "n": i}) for i in range(60)]
    work = batch(Operation.UPSERT, 0, [key for key, _ in rows], [row for _, row in rows])
    in_flight: dict[str, int] = {}
    overlaps: list[str] = []
    fail_first = {"k1"}

    def respond(request: Received) -> Answer:
        key = request.json()["uid"]
        if request.at < in_flight.get(key, 0.0):
            overlaps.append(key)
        in_flight[key] = request.at + 0.004
        if key in fail_first:
            fail_first.discard(key)
            return Answer(503, delay=0.005)
        return Answer(delay=0.005)

    with Loopback(respond) as server:
        Writer(target(server.url)).deliver([work], ledger.settle)
    assert ledger.holds_once(range(60))
    assert overlaps == []
    for key in ("k0", "k1", "k2"):
        sent = [user["n"] for user in server.users() if user["uid"] == key]
        assert sent == sorted(sent)


def test_a_stop_finishes_what_is_in_flight_and_leaves_the_rest_pending(
    target: MakeTarget, ledger: Ledger
) -> None:
    stop = Stop()

    def respond(request: Received) -> Answer:
        if len(server.received) == 100:
            stop.request()
        return Answer(delay=0.01)

    with Loopback(respond) as server:
        delivery = Writer(target(server.url, max_in_flight=8)).deliver(
            users(100_000), ledger.settle, stop=stop
        )
    assert delivery.incomplete is not None
    assert "stopped" in delivery.incomplete
    assert 100 <= len(server.received) < 50_000
    assert sum(ledger.acknowledged.values()) == len(server.received)


def test_what_was_acknowledged_is_settled_before_an_error_of_the_batches_is_raised(
    target: MakeTarget, ledger: Ledger
) -> None:
    def broken() -> Iterator[WorkBatch]:
        yield from users(100, 50)
        time.sleep(0.3)
        raise OSError("the source went away")

    with Loopback() as server, pytest.raises(OSError, match="went away"):
        Writer(target(server.url)).deliver(broken(), ledger.settle)
    assert ledger.holds_once(range(100))


def test_a_settlement_that_fails_stops_the_sending_and_is_raised(target: MakeTarget) -> None:
    def settle(settlement: Settlement) -> None:
        raise OSError("no space left on device")

    with (
        Loopback(lambda request: Answer(delay=0.01)) as server,
        pytest.raises(OSError, match="no space"),
    ):
        Writer(target(server.url, max_in_flight=4), flush_seconds=0.05).deliver(
            users(100_000), settle
        )
    assert len(server.received) < 5000


def test_settlements_come_soon_after_acknowledgements_and_never_two_at_once(
    target: MakeTarget,
) -> None:
    running = threading.Lock()
    settled: list[int] = []
    overlapped: list[bool] = []

    def settle(settlement: Settlement) -> None:
        overlapped.append(not running.acquire(blocking=False))
        time.sleep(0.02)
        settled.append(sum(map(len, settlement.acknowledged)))
        running.release()

    with Loopback(lambda request: Answer(delay=0.01)) as server:
        Writer(target(server.url, max_in_flight=4), flush_seconds=0.05).deliver(users(200), settle)
    assert not any(overlapped)
    assert sum(settled) == 200
    assert len(settled) > 3


def test_sending_waits_for_a_settlement_that_takes_too_long(target: MakeTarget) -> None:
    sent_meanwhile: list[int] = []

    def settle(settlement: Settlement) -> None:
        time.sleep(0.3)
        before = len(server.received)
        time.sleep(0.3)
        sent_meanwhile.append(len(server.received) - before)

    with Loopback(lambda request: Answer(delay=0.005)) as server:
        Writer(target(server.url, max_in_flight=4), flush_seconds=0.1).deliver(users(400), settle)
    assert sent_meanwhile
    assert not any(sent_meanwhile)


def test_batches_are_read_no_further_ahead_than_needed(target: MakeTarget, ledger: Ledger) -> None:
    ahead: list[int] = []

    def counted() -> Iterator[WorkBatch]:
        for index, work in enumerate(users(3000, 100)):
            ahead.append(index * 100 - len(server.received))
            yield work

    with Loopback() as server:
        Writer(target(server.url)).deliver(counted(), ledger.settle)
    assert ledger.holds_once(range(3000))
    assert max(ahead) <= 400 + 64


def test_progress_is_told_now_and_then(target: MakeTarget, ledger: Ledger) -> None:
    told: list[Progress] = []
    with Loopback(lambda request: Answer(delay=0.01)) as server:
        Writer(target(server.url, max_in_flight=2)).deliver(
            users(200), ledger.settle, progress=told.append
        )
    assert told
    assert all(p.rate >= 0 and p.in_flight <= 2 for p in told)
    assert [p.settled for p in told] == sorted(p.settled for p in told)


def test_a_writer_works_from_any_thread(target: MakeTarget, ledger: Ledger) -> None:
    with Loopback() as server:
        writer = Writer(target(server.url))
        thread = threading.Thread(target=lambda: writer.deliver(users(50), ledger.settle))
        thread.start()
        thread.join(20)
    assert ledger.holds_once(range(50))


def test_how_it_went_is_told_though_a_settlement_fails(target: MakeTarget) -> None:
    def settle(settlement: Settlement) -> None:
        raise StateError("the disk is full")

    told: list[Delivery] = []
    with Loopback() as server, pytest.raises(StateError):
        Writer(target(server.url)).deliver(users(20), settle, ended=told.append)
    assert len(told) == 1
    assert told[0].requests >= len(server.received) > 0

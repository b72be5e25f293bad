"""Waiting when asked to, giving up when there is no point, and coming back after an outage."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from email.utils import formatdate

import pytest

from connector.destination.target import RateLimit, Target
from connector.destination.writer import Writer
from connector.stop import Stop
from tests.integration.destination.conftest import Ledger
from tests.support.loopback import OK, RESET, Answer, Loopback, Received
from tests.support.work import users

MakeTarget = Callable[..., Target]


def refuse_once(headers: dict[str, str], status: int = 429) -> Callable[[Received], Answer]:
    answers = iter([Answer(status, headers=headers)])
    return lambda request: next(answers, OK)


def pause_of(server: Loopback) -> float:
    return server.received[1].at - server.received[0].at


@pytest.mark.parametrize("status", [429, 503])
@pytest.mark.parametrize(
    "headers",
    [
        {"Retry-After": "1"},
        {"Retry-After": "1", "RateLimit": '"default";r=0;t=3600'},
        {"RateLimit": '"default";r=0;t=1', "RateLimit-Policy": '"default";q=1000;w=1'},
        {"X-RateLimit-Remaining": "0", "X-RateLimit-Reset": "1"},
    ],
)
def test_a_wait_that_is_asked_for_is_kept(
    target: MakeTarget, ledger: Ledger, status: int, headers: dict[str, str]
) -> None:
    with Loopback(refuse_once(headers, status)) as server:
        delivery = Writer(target(server.url, max_in_flight=1)).deliver(users(5), ledger.settle)
    assert 1.0 <= pause_of(server) < 30.0
    assert ledger.holds_once(range(5))
    assert delivery.incomplete is None


def test_a_wait_until_a_date_is_kept(target: MakeTarget, ledger: Ledger) -> None:
    until = int(time.time()) + 2
    headers = {"Retry-After": formatdate(until, usegmt=True)}
    with Loopback(refuse_once(headers)) as server:
        Writer(target(server.url, max_in_flight=1)).deliver(users(2), ledger.settle)
    assert pause_of(server) >= 0.9
    assert time.time() >= until


@pytest.mark.parametrize(
    "value", ["0", "-10", "soon", "", "Wed, 21 Oct 2015 07:28:00 GMT", "1e9", "99,1"]
)
def test_a_wait_that_is_past_or_makes_no_sense_is_none(
    target: MakeTarget, ledger: Ledger, value: str
) -> None:
    with Loopback(refuse_once({"Retry-After": value})) as server:
        Writer(target(server.url, max_in_flight=1)).deliver(users(3), ledger.settle)
    assert ledger.holds_once(range(3))
    assert pause_of(server) < 30.0


@pytest.mark.parametrize("value", ["3600", "99999999999", "Fri, 01 Jan 2100 00:00:00 GMT"])
def test_a_wait_beyond_the_cap_ends_the_run_incomplete_and_never_early(
    target: MakeTarget, ledger: Ledger, value: str
) -> None:
    def respond(request: Received) -> Answer:
        return OK if len(server.received) == 1 else Answer(429, headers={"Retry-After": value})

    with Loopback(respond) as server:
        delivery = Writer(target(server.url, max_in_flight=1, max_wait=5)).deliver(
            users(10), ledger.settle
        )
        time.sleep(0.2)
    assert delivery.incomplete is not None
    assert "max_wait" in delivery.incomplete
    assert len(server.received) == 2
    assert ledger.holds_once({0})
    assert ledger.rejected == {}


def test_a_success_that_says_the_quota_is_used_up_makes_us_wait(
    target: MakeTarget, ledger: Ledger
) -> None:
    used_up = Answer(headers={"RateLimit": '"default";r=0;t=1'})
    answers = iter([used_up])
    with Loopback(lambda request: next(answers, OK)) as server:
        Writer(target(server.url, max_in_flight=1)).deliver(users(2), ledger.settle)
    assert pause_of(server) >= 1.0


def test_an_absurd_wait_in_a_success_is_not_believed(target: MakeTarget, ledger: Ledger) -> None:
    absurd = Answer(headers={"X-RateLimit-Remaining": "0", "X-RateLimit-Reset": "99999999"})
    with Loopback(lambda request: absurd) as server:
        delivery = Writer(target(server.url)).deliver(users(20), ledger.settle)
    assert delivery.incomplete is None
    assert ledger.holds_once(range(20))


@pytest.mark.parametrize("trouble", [Answer(503), RESET, Answer(429)])
def test_an_api_that_fails_for_too_long_ends_the_run_incomplete(
    target: MakeTarget, ledger: Ledger, trouble: Answer
) -> None:
    with Loopback(lambda request: trouble) as server:
        delivery = Writer(target(server.url, give_up_after=0.5)).deliver(
            users(10_000), ledger.settle
        )
    assert delivery.incomplete is not None
    assert "without a success" in delivery.incomplete
    assert len(server.received) < 100
    assert ledger.settlements == 0


def test_nobody_listening_ends_the_run_incomplete(target: MakeTarget, ledger: Ledger) -> None:
    with Loopback() as server:
        url = server.url
    delivery = Writer(target(url, give_up_after=0.5)).deliver(users(100), ledger.settle)
    assert delivery.incomplete is not None
    assert "could not connect" in delivery.incomplete


@pytest.mark.parametrize("trouble", [Answer(503, delay=0.005), RESET, Answer(429)])
def test_an_outage_costs_few_requests_and_everything_arrives_after_it(
    target: MakeTarget, ledger: Ledger, trouble: Answer
) -> None:
    began = time.monotonic()

    def respond(request: Received) -> Answer:
        down = 0.5 < time.monotonic() - began < 3.5
        return trouble if down else Answer(delay=0.005)

    limit = RateLimit(200, 10)
    with Loopback(respond) as server:
        delivery = Writer(target(server.url, rate_limit=limit)).deliver(users(1000), ledger.settle)
    assert delivery.incomplete is None
    assert ledger.holds_once(range(1000))
    assert delivery.requests <= 1100


def test_a_stop_does_not_wait_for_answers_that_do_not_come(
    target: MakeTarget, ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("connector.destination.delivery.GRACE", 0.3)
    stop = Stop()

    def respond(request: Received) -> Answer:
        if len(server.received) == 10:
            stop.request()
        return OK if len(server.received) <= 5 else Answer(delay=60)

    with Loopback(respond) as server:
        began = time.monotonic()
        delivery = Writer(target(server.url)).deliver(users(1000), ledger.settle, stop=stop)
    assert time.monotonic() - began < 10
    assert delivery.incomplete is not None
    assert sum(ledger.acknowledged.values()) == 5


def test_a_stop_interrupts_a_wait(target: MakeTarget, ledger: Ledger) -> None:
    stop = Stop()
    threading.Timer(0.3, stop.request).start()
    asked = Answer(429, headers={"Retry-After": "100"})
    with Loopback(lambda request: asked) as server:
        began = time.monotonic()
        delivery = Writer(target(server.url)).deliver(users(10), ledger.settle, stop=stop)
    assert time.monotonic() - began < 10
    assert delivery.incomplete is not None
    assert "stopped" in delivery.incomplete

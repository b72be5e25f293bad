"""The writer against the sandbox: its rules, its faults, its quota."""

from __future__ import annotations

import pytest
from pydantic import SecretStr

from connector.destination.target import RateLimit, Target
from connector.destination.writer import Writer
from connector.sandbox import Quota, Sandbox, Settings
from tests.integration.destination.conftest import Ledger
from tests.support.work import erasures, events, users

FAULTS = (
    "e500=0.05,e503=0.05,e429=0.02,reset=0.03,reset_after=0.03,truncate=0.03,garbage=0.03,"
    "no_body=0.03,hang=0.003,hang_after=0.003,latency=2ms"
)
NO_PAUSES = Quota(retry_after="none")
EVENT = {"original_timestamp": "2026-01-01T00:00:00.000Z", "uid": "u"}


def connect(sandbox: Sandbox, **settings: object) -> Target:
    return Target("sandbox", sandbox.base_url, SecretStr("sandbox"), **settings)  # type: ignore[arg-type]


@pytest.mark.parametrize("seed", [1, 2])
def test_through_every_fault_the_far_side_ends_up_equal(ledger: Ledger, seed: int) -> None:
    with Sandbox(Settings(faults=FAULTS, seed=seed, quota=NO_PAUSES)) as sandbox:
        delivery = Writer(connect(sandbox, timeout=0.5)).deliver(users(1000), ledger.settle)
        stored = {user["uid"] for user in sandbox.users()}
        counts = sandbox.counts()
    assert delivery.incomplete is None
    assert ledger.holds_once(range(1000))
    assert stored == {f"u{i}" for i in range(1000)}
    assert counts["order_violations"] == 0


def test_events_arrive_once_through_every_fault(ledger: Ledger) -> None:
    with Sandbox(Settings(faults=FAULTS, quota=NO_PAUSES)) as sandbox:
        delivery = Writer(connect(sandbox, timeout=0.5, events_per_request=20)).deliver(
            events(4000, extra=EVENT), ledger.settle
        )
        stored = sorted(event["id"] for event in sandbox.events())
    assert delivery.incomplete is None
    assert ledger.holds_once(range(4000))
    assert stored == sorted(f"e{i}" for i in range(4000))


def test_a_quota_that_is_configured_is_kept(ledger: Ledger) -> None:
    quota = Quota(requests_per_second=200, burst=20)
    with Sandbox(Settings(quota=quota)) as sandbox:
        target = connect(sandbox, rate_limit=RateLimit(200, 20))
        delivery = Writer(target).deliver(users(600), ledger.settle)
    assert ledger.holds_once(range(600))
    assert delivery.throttled < 60  # a server that stalls for a moment sees arrivals bunch


@pytest.mark.parametrize("rate_headers", ["none", "ietf", "x"])
def test_a_quota_that_is_not_known_is_found(ledger: Ledger, rate_headers: str) -> None:
    quota = Quota(requests_per_second=200, retry_after="none", rate_headers=rate_headers)  # type: ignore[arg-type]
    with Sandbox(Settings(quota=quota)) as sandbox:
        delivery = Writer(connect(sandbox)).deliver(users(800), ledger.settle)
    assert delivery.incomplete is None
    assert ledger.holds_once(range(800))
    assert delivery.throttled < 400


def test_users_are_erased_whether_they_were_there_or_not(ledger: Ledger) -> None:
    with Sandbox(Settings()) as sandbox:
        writer = Writer(connect(sandbox))
        writer.deliver(users(10), lambda settlement: None)
        writer.deliver([erasures([f"u{i}" for i in range(20)])], ledger.settle)
        assert list(sandbox.users()) == []
    assert ledger.holds_once(range(20))

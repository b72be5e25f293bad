"""Everything a network and a busy API do to a client, while the warehouse changes."""

# ruff: noqa: S311 - the same every time is what is wanted

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable
from random import Random

import pytest

from connector.sandbox import SandboxProcess
from tests.support.changes import Days
from tests.support.road import CLICKS, USERS, Road, assert_clean, entry, prove_nothing_was_lost

FAULTS = {
    "errors": {"e500": 0.1, "e503": 0.1, "e408": 0.02, "e504": 0.02},
    "resets": {"reset": 0.1, "reset_after": 0.1},
    "hangs": {"hang": 0.01, "hang_after": 0.01},
    "spoiled answers": {
        "drip": 0.02, "drip_seconds": "1s", "truncate": 0.1, "garbage": 0.1, "no_body": 0.1,
    },
    "storms of 429": {"e429": 0.03},
    "everything": {
        "e500": 0.03, "e503": 0.05, "e429": 0.05, "reset": 0.03, "reset_after": 0.03, "hang": 0.004,
        "hang_after": 0.004, "drip": 0.004, "drip_seconds": "1s", "truncate": 0.03,
        "garbage": 0.03, "no_body": 0.03, "latency": "2ms",
    },
}  # fmt: skip


def live_under(faults: dict[str, object], road: Road, days: Days, rounds: int) -> None:
    """Let days pass and sync after each, while the API misbehaves; a sync may end incomplete."""
    road.far.set_faults(faults)
    for _ in range(rounds):
        days.pass_one(users=20)
        assert road.sync().exit_code in {0, 4}
    road.far.set_faults({})


@pytest.mark.parametrize("kind", FAULTS)
def test_once_the_api_is_well_again_it_holds_what_the_warehouse_does(
    road: Road, far: SandboxProcess, tally: Counter[str], kind: str
) -> None:
    days = Days(road, Random(11))
    days.begin(users=80, clicks=200, orders=200)
    live_under(FAULTS[kind], road, days, rounds=1)
    prove_nothing_was_lost(road)
    tally["faults met"] += sum(far.counts()["faults"].values())
    tally["events repeated under faults"] += far.counts()["repeats"]


@pytest.mark.chaos
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("kind", FAULTS)
def test_many_days_of_faults_lose_nothing(
    road: Road, far: SandboxProcess, tally: Counter[str], kind: str, seed: int
) -> None:
    days = Days(road, Random(seed))
    days.begin(users=300, clicks=500, orders=500)
    live_under(FAULTS[kind], road, days, rounds=8)
    prove_nothing_was_lost(road)
    tally["faults met"] += sum(far.counts()["faults"].values())
    tally["events repeated under faults"] += far.counts()["repeats"]


def test_an_outage_that_lasts_ends_the_sync_incomplete_and_the_next_sends_the_rest(
    building: Callable[..., Road], far: SandboxProcess
) -> None:
    road = building(mappings={"users": USERS, "clicks": CLICKS}, target="give_up_after: 1")
    days = Days(road, Random(2))
    days.begin(users=50, clicks=50, orders=0)
    far.set_faults({"e503": 1.0})
    report = road.sync()
    assert report.exit_code == 4
    assert {mapping.status for mapping in report.mappings} == {"incomplete"}
    assert entry(report, "users").pending == 50
    assert (entry(report, "clicks").error or "").startswith("not started: the API has failed")
    assert "503" in (entry(report, "users").error or "")
    far.set_faults({})
    assert_clean(road.sync())
    assert road.far_users() == road.expected_users()
    assert far.counts()["events"] == 50


def test_an_outage_that_passes_costs_only_the_wait(
    building: Callable[..., Road], far: SandboxProcess
) -> None:
    road = building(mappings={"users": USERS}, target="give_up_after: 30, max_in_flight: 8")
    Days(road, Random(2)).begin(users=200, clicks=0, orders=0)
    far.set_faults({"e503": 1.0})
    back = threading.Timer(2, far.set_faults, [{}])
    back.start()
    report = road.sync()
    back.join()
    assert_clean(report)
    assert road.far_users() == road.expected_users()
    assert entry(report, "users").http.retries > 0


@pytest.mark.parametrize("retry_after", ["seconds", "none"])
def test_a_quota_that_is_not_configured_is_found_and_kept_to(
    building: Callable[..., Road], far: SandboxProcess, retry_after: str
) -> None:
    road = building(mappings={"users": USERS})
    Days(road, Random(2)).begin(users=120, clicks=0, orders=0)
    far.set_quota(requests_per_second=60, burst=10, retry_after=retry_after)
    report = road.sync()
    assert_clean(report)
    assert road.far_users() == road.expected_users()
    assert entry(report, "users").http.throttled > 0


def test_a_revoked_key_stops_the_run_with_nothing_rejected_and_nothing_lost(
    road: Road, far: SandboxProcess
) -> None:
    Days(road, Random(2)).begin(users=50, clicks=50, orders=0)
    far.set_faults({"e401": 1.0})
    report = road.sync()
    assert report.exit_code == 1
    assert sum(mapping.rejected for mapping in report.mappings) == 0
    assert [mapping.http.requests for mapping in report.mappings[1:]] == [0, 0]
    far.set_faults({})
    assert_clean(road.sync())
    road.assert_in_step()


def test_poisoned_rows_are_rejected_alone_and_arrive_once_they_are_mended(
    road: Road, far: SandboxProcess
) -> None:
    days = Days(road, Random(2))
    days.begin(users=60, clicks=300, orders=0)
    far.set_poison(
        [
            {"resource": "users", "field": "note", "equals": "poison"},
            {"resource": "events", "field": "item_id", "equals": "poison", "tell_index": False},
        ]
    )
    road.write(
        "update users set note = 'poison' where user_id = 'u7'",
        "update clicks set sku = 'poison' where click_id in ('c5', 'c200')",
    )
    report = road.sync()
    assert entry(report, "users").changes["upsert"].rejected == 1
    assert entry(report, "clicks").changes["event"].rejected == 2
    assert far.counts()["users"] == 59
    assert far.counts()["events"] == 298
    again = road.sync()
    assert [mapping.http.requests for mapping in again.mappings] == [0, 0, 0]
    road.write(
        "update users set note = 'mended' where user_id = 'u7'",
        "update clicks set sku = 'mended' where click_id in ('c5', 'c200')",
    )
    mended = road.sync()
    assert_clean(mended)
    assert entry(mended, "users").http.requests == 1
    road.assert_in_step()

"""Syncs that are killed at any instant: nothing is lost, and little is repeated."""

# ruff: noqa: S311 - the same every time is what is wanted

from __future__ import annotations

import signal
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from random import Random

import pytest

from connector.sandbox import Handle, SandboxProcess, Settings, spawn
from tests.support.changes import Days
from tests.support.loopback import Answer, Loopback
from tests.support.road import (
    CLICKS,
    USERS,
    Road,
    acknowledged,
    assert_clean,
    entry,
    pending,
    prove_nothing_was_lost,
)

FLUSH_SECONDS = 1.0
"""The longest that an acknowledgement may wait for the journal, as promised."""
SLACK_SECONDS = 1.5
"""What a busy machine may add to it."""


def kill_at_random(road: Road, days: Days, kills: int, random: Random) -> None:
    """Kill so many syncs, each somewhere between its first instant and its last."""
    for _ in range(kills):
        days.pass_one(clicks=150)
        with road.syncing(*random.choice([(), ("users",), ("clicks",)])) as syncing:
            time.sleep(random.uniform(0, 0.35))
            syncing.kill()


def test_sixty_kills_at_random_instants_lose_nothing(
    building: Callable[..., Road], far: SandboxProcess, tally: Counter[str]
) -> None:
    random = Random(3)
    mappings = {"users": USERS, "clicks": CLICKS}
    road = building(mappings=mappings, target="max_in_flight: 4, events_per_request: 5")
    days = Days(road, random)
    days.begin(users=120, clicks=300, orders=0)
    far.set_faults({"latency": "10ms"})
    kill_at_random(road, days, 60, random)
    far.set_faults({})
    assert_clean(road.sync())
    assert road.far_users() == road.expected_users()
    assert road.far.counts()["events"] == days.clicks
    tally["kills"] += 60
    tally["events repeated after kills"] += far.counts()["repeats"]


@pytest.mark.chaos
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("seed", range(6))
def test_hundreds_of_kills_under_faults_lose_nothing(
    road: Road, far: SandboxProcess, tally: Counter[str], seed: int
) -> None:
    random = Random(seed)
    days = Days(road, random)
    days.begin(users=200, clicks=400, orders=400)
    far.set_faults({"latency": "5ms", "e503": 0.05, "reset_after": 0.02, "truncate": 0.02})
    kill_at_random(road, days, 100, random)
    far.set_faults({})
    prove_nothing_was_lost(road)
    tally["kills"] += 100
    tally["events repeated after kills"] += far.counts()["repeats"]


def test_a_kill_repeats_only_what_was_in_flight_or_not_yet_flushed(
    tmp_path: Path, tally: Counter[str]
) -> None:
    with Loopback(lambda request: Answer(delay=0.02)) as server:
        api = Handle()
        api.host, api.port = "127.0.0.1", server.port
        road = Road(tmp_path, api, {"users": USERS}, target="max_in_flight: 8")
        road.write(
            "insert into users (user_id, country) select 'u' || i, 'de' from range(1200) as t(i)"
        )
        with road.syncing() as syncing:
            while len(server.received) < 800:
                time.sleep(0.01)
            syncing.kill()
        killed = time.monotonic()
        time.sleep(0.1)
        first = {request.json()["uid"]: request.at for request in server.received}
        server.received.clear()
        assert_clean(road.sync())
        second = [request.json()["uid"] for request in server.received]
    assert len(second) == len(set(second))
    assert first.keys() | set(second) == {f"u{i}" for i in range(1200)}
    repeated = first.keys() & set(second)
    assert all(first[uid] > killed - FLUSH_SECONDS - SLACK_SECONDS for uid in repeated)
    assert len(repeated) < len(first)
    tally["users repeated after one kill"] += len(repeated)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_a_sync_in_order_and_the_next_sends_only_the_rest(
    building: Callable[..., Road], far: SandboxProcess, number: signal.Signals
) -> None:
    road = building(mappings={"users": USERS}, target="max_in_flight: 4")
    road.write("insert into users (user_id, country) select 'u' || i, 'de' from range(800) as t(i)")
    far.set_faults({"latency": "20ms"})
    with road.syncing() as syncing:
        while far.counts()["users"] < 40:
            time.sleep(0.01)
        syncing.signal(number)
        report = syncing.result(timeout=10)
    far.set_faults({})
    users = report["mappings"][0]
    done = users["changes"]["upsert"]["acknowledged"]
    assert report["exit_code"] == 4
    assert users["status"] == "incomplete"
    assert users["changes"]["upsert"]["pending"] == 800 - done
    assert done == far.counts()["users"]
    again = road.sync()
    assert_clean(again)
    assert acknowledged(again) == entry(again, "users").http.requests == 800 - done
    assert far.counts()["requests"]["POST /v1/users"] == {"200": 800}


def test_an_api_that_is_killed_and_comes_back_is_brought_in_step(tmp_path: Path) -> None:
    database = tmp_path / "api.sqlite"
    with spawn(Settings(database=database, faults="latency=10ms")) as first:
        road = Road(tmp_path, first, target="give_up_after: 1, max_in_flight: 8")
        days = Days(road, Random(5))
        days.begin(users=300, clicks=100, orders=100)
        with road.syncing() as syncing:
            while first.counts()["users"] < 50:
                time.sleep(0.01)
            first.kill()
            report = syncing.result(timeout=60)
    assert report["exit_code"] == 4
    assert report["mappings"][0]["changes"]["upsert"]["pending"] > 0
    with spawn(Settings(database=database, port=first.port)) as second:
        road.far = second
        days.pass_one()
        assert_clean(road.sync())
        road.assert_in_step()


def test_an_api_that_restarts_during_a_sync_costs_no_more_than_a_wait(tmp_path: Path) -> None:
    database = tmp_path / "api.sqlite"
    with spawn(Settings(database=database, faults="latency=10ms")) as first:
        road = Road(tmp_path, first, target="give_up_after: 30, max_in_flight: 8")
        Days(road, Random(5)).begin(users=300, clicks=100, orders=100)
        with road.syncing() as syncing:
            while first.counts()["users"] < 50:
                time.sleep(0.01)
            first.kill()
            with spawn(Settings(database=database, port=first.port)) as second:
                report = syncing.result(timeout=60)
                road.far = second
                road.assert_in_step()
                assert second.counts()["order_violations"] == 0
    assert report["exit_code"] == 0
    assert pending(road.plan()) == 0

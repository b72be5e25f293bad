"""A fleet: four machines, a shard each, one control store on PostgreSQL, one quota."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import duckdb
import pytest

from connector.sandbox import Quota, Settings, spawn
from tests.support.postgres import start

FOUR = range(1, 5)

PROJECT = """
version: 1
sources: {{w: {{type: duckdb, path: w.duckdb}}}}
targets:
  api:
    base_url: "{base_url}"
    api_key: sandbox
    events_per_request: 50
    rate_limit: {{requests_per_second: {rate}, burst: 10}}
state: {{path: "${{MACHINE}}", control_url: "{control_url}"}}
"""
USERS = """
kind: users
source: w
table: people
fields: {uid: id, country: country}
deletes: {guards: {max_delete_fraction: null}}
"""
CLICKS = """
kind: events
source: w
table: clicks
type: click
cursor: seen
lookback: 1 day
fields: {id: id, uid: person, original_timestamp: seen, item_id: item, click_type: {value: open}}
"""


@contextmanager
def machines(folder: Path) -> Iterator[list[subprocess.Popen[bytes]]]:
    """A sync of each shard at the same time, each with a state folder of its own."""
    command = [sys.executable, "-P", "-m", "connector.cli", "-q", "sync"]
    started = [
        subprocess.Popen(
            [*command, "--shard", f"{number}/4"],
            cwd=folder,
            env=os.environ | {"MACHINE": f"machine-{number}"},
            stdout=subprocess.DEVNULL,
        )
        for number in FOUR
    ]
    try:
        yield started
    finally:
        for process in started:
            process.kill()
            process.wait()


def sync(folder: Path) -> None:
    with machines(folder) as started:
        assert [process.wait() for process in started] == [0, 0, 0, 0]


@pytest.mark.parametrize(
    ("users", "rate"),
    [
        (300, 150),
        pytest.param(100_000, 2_000, marks=[pytest.mark.chaos, pytest.mark.timeout(3600)]),
    ],
)
def test_four_shards_on_one_quota_bring_the_far_side_in_step_and_send_nothing_twice(
    tmp_path: Path, users: int, rate: int
) -> None:
    server = start()
    control_url = server.url(server.database())
    burst = 4 * 10 + rate // 10
    quota = Quota(requests_per_second=rate, burst=burst)
    with duckdb.connect(str(tmp_path / "w.duckdb")) as warehouse:
        warehouse.execute(
            "CREATE TABLE people AS SELECT 'u' || i AS id, 'PT' AS country FROM range(?) AS t(i)",
            [users],
        )
        warehouse.execute(
            "CREATE TABLE clicks AS SELECT 'c' || i AS id, 'u' || i % 97 AS person, "
            "'sku' AS item, TIMESTAMP '2026-03-01' + to_seconds(i) AS seen FROM range(?) AS t(i)",
            [2 * users],
        )
    with spawn(Settings(quota=quota)) as far:
        (tmp_path / "mappings").mkdir()
        project = PROJECT.format(base_url=far.base_url, rate=rate, control_url=control_url)
        (tmp_path / "mappings" / "project.yaml").write_text(project)
        (tmp_path / "mappings" / "users.yaml").write_text(USERS)
        (tmp_path / "mappings" / "clicks.yaml").write_text(CLICKS)
        began = time.monotonic()
        sync(tmp_path)
        took = time.monotonic() - began

        counts = far.counts()
        posted = counts["requests"]["POST /v1/users"]
        assert {user["uid"] for user in far.users()} == {f"u{i}" for i in range(users)}
        assert {event["id"] for event in far.events()} == {f"c{i}" for i in range(2 * users)}
        assert posted["200"] == users
        assert (counts["repeats"], counts["order_violations"]) == (0, 0)
        events = counts["requests"]["POST /v1/events"]
        refused = posted.get("429", 0) + events.get("429", 0)
        assert refused <= 0.02 * (users + events["200"])
        # However the processes were scheduled, what was accepted is within the quota.
        assert posted["200"] + events["200"] <= rate * took + burst

        with duckdb.connect(str(tmp_path / "w.duckdb")) as warehouse:
            warehouse.execute("UPDATE people SET country = 'FR' WHERE id IN ('u1', 'u2', 'u3')")
            warehouse.execute("DELETE FROM people WHERE id IN ('u10', 'u20')")
        sync(tmp_path)
        assert far.counts()["requests"]["POST /v1/users"]["200"] == users + 5
        assert far.counts()["requests"]["POST /v1/events"] == events
        assert {user["uid"] for user in far.users() if user["is_deleted"]} == {"u10", "u20"}
        files = [len(list(tmp_path.glob(f"machine-{number}/api/*.duckdb"))) for number in FOUR]
        assert files == [2, 2, 2, 2]

"""Shards: each row is one shard's business, and all of them together are the mapping."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections import Counter
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any

import duckdb
import pytest

from connector.backfill import BackfillOptions, backfill
from connector.control.lease import lease
from connector.control.store import ControlStore
from connector.erasure import open_control
from connector.errors import UsageError
from connector.report import RunReport
from connector.sandbox import Sandbox
from connector.shard import parse_shard
from connector.shards import check_shards, shard_of
from connector.windows import Span
from tests.support.road import USERS, Road, assert_clean, entry

FOUR = ("1/4", "2/4", "3/4", "4/4")


def sync_all(road: Road, *select: str, **options: Any) -> list[RunReport]:
    return [road.sync(*select, shard=shard, **options) for shard in FOUR]


def clean(reports: list[RunReport]) -> None:
    for report in reports:
        assert_clean(report)


def command(road: Road, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "connector.cli", "--target", "far", *arguments],
        cwd=road.folder,
        capture_output=True,
        text=True,
        check=False,
        env=os.environ | {"NO_COLOR": "1", "COLUMNS": "200"},
    )


def states(road: Road) -> list[Path]:
    return sorted(road.state.glob("*%2F4.duckdb"))


# In step


def test_all_shards_together_send_every_row_once(road: Road, far: Sandbox) -> None:
    reports = sync_all(road)
    clean(reports)
    road.assert_in_step()
    assert far.counts()["requests"]["POST /v1/users"] == {"200": 200}
    for name, rows in (("users", 200), ("clicks", 300), ("orders", 100)):
        counts = [entry(r, f"{name} {s}").rows.source for r, s in zip(reports, FOUR, strict=True)]
        assert sum(counts) == rows
        assert min(counts) > rows / 10
    assert [road.plan(shard=shard).mappings[0].planned for shard in FOUR] == [0] * 4
    assert len(states(road)) == 12


def test_changes_and_departures_are_the_business_of_their_shard(road: Road) -> None:
    clean(sync_all(road))
    road.write(
        "update users set tier = 'silver' where orders % 50 = 0",
        "delete from users where orders % 20 = 1",
        "insert into clicks values ('late', 'u1', 's', timestamp '2026-03-13')",
    )
    reports = sync_all(road)
    clean(reports)
    sent = Counter[str]()
    for report in reports:
        for mapping in report.mappings:
            for name, operation in mapping.changes.items():
                sent[name] += operation.acknowledged
    assert sent == {"upsert": 4, "soft_delete": 10, "event": 1, "hard_delete": 0}
    road.assert_in_step()


def test_a_refresh_and_a_rebaseline_of_one_shard_leave_the_others_alone(road: Road) -> None:
    clean(sync_all(road, "users"))
    [refreshed] = road.sync("users", shard="2/4", full_refresh=True).mappings
    assert refreshed.changes["upsert"].acknowledged == refreshed.rows.source < 100
    road.write("update users set tier = 'silver'")
    [adopted] = road.sync("users", shard="1/4", rebaseline=True).mappings
    assert adopted.adopted == adopted.rows.source
    planned = [road.plan("users", shard=shard).mappings[0].planned for shard in FOUR]
    assert planned[0] == 0
    assert min(planned[1:]) > 0


def test_guards_count_what_is_in_the_shard(road: Road) -> None:
    clean(sync_all(road, "users"))
    third = parse_shard("3/4")
    gone = [key for (key,) in road.rows("select user_id from users") if third.holds(key)][:12]
    road.write(f"delete from users where user_id in {tuple(gone)}")  # noqa: S608 - ours
    reports = sync_all(road, "users")
    assert [report.exit_code for report in reports] == [0, 0, 5, 0]
    assert "--select 'users' --shard 3/4 --allow-deletes 12" in str(reports[2].mappings[0].hint)
    assert_clean(road.sync("users", shard="3/4", allow_deletes=12))
    assert road.far_users() == road.expected_users()


def test_a_row_without_a_usable_key_is_rejected_by_one_shard(road: Road) -> None:
    road.write(
        "insert into users (user_id) values (null), (''), ('.'), (e'a\\tb'), ('twice'), ('twice')"
    )
    reports = sync_all(road, "users")
    assert sum(report.mappings[0].rows.rejected for report in reports) == 6
    assert sum(report.mappings[0].rows.source for report in reports) == 206
    assert road.far_users().keys() == {f"u{i}" for i in range(200)}


def test_events_keep_a_watermark_and_a_backfill_by_shard(road: Road, far: Sandbox) -> None:
    clean(sync_all(road, "clicks"))
    road.write(
        "insert into clicks select 'old' || i, 'u' || i, 's', timestamp '2026-01-01' + "
        "i * interval 1 hour from range(100) as t(i)"
    )
    clean(sync_all(road, "clicks"))
    assert far.counts()["events"] == 300, "they are from before the lookback"
    project = road.project()
    sent = []
    for shard in FOUR:
        part = shard_of(project.mapping("clicks"), parse_shard(shard))
        window = Span(datetime(2026, 1, 1), datetime(2026, 1, 6))
        dry = backfill(
            project, part, window, target=project.target(), options=BackfillOptions(dry_run=True)
        )
        report = backfill(project, part, window, target=project.target())
        assert_clean(report)
        planned = dry.mappings[0].changes["event"].planned
        assert planned == report.mappings[0].changes["event"].acknowledged
        sent.append(planned)
    assert sum(sent) == 100
    assert far.counts()["requests"]["POST /v1/events"].keys() == {"200"}
    assert Counter(event["id"] for event in far.events()).most_common(1)[0][1] == 1
    assert far.counts()["events"] == 400


# Agreement on how a mapping is cut


@pytest.mark.parametrize(
    ("first", "then", "said"),
    [
        ("1/4", None, "'users' is cut into 4 shards"),
        ("1/4", "1/8", "'users' is cut into 4 shards"),
        (None, "1/4", "'users' is not cut into shards"),
    ],
)
def test_a_mapping_that_is_cut_otherwise_is_refused(
    road: Road, far: Sandbox, first: str | None, then: str | None, said: str
) -> None:
    assert_clean(road.sync("users", shard=first))
    before = far.counts()["requests"]
    for report in (road.sync("users", shard=then), road.plan("users", shard=then)):
        [refused] = report.mappings
        assert (report.exit_code, refused.error, refused.lasting) == (1, said, True)
        assert "`connector reshard users --into" in str(refused.hint)
    assert far.counts()["requests"] == before
    assert len(list(road.state.glob("*.duckdb"))) == 1


def test_state_from_before_shards_were_known_is_whole(road: Road) -> None:
    assert_clean(road.sync("users"))
    (road.state / "control.db").unlink()
    assert road.sync("users", shard="1/4").mappings[0].error == "'users' is not cut into shards"
    assert_clean(road.sync("users"))


def test_shards_are_synced_side_by_side_and_each_by_one_process(road: Road) -> None:
    project = road.project()
    control = open_control(project, "far")
    try:
        with lease(control, "users 2/4"):
            assert_clean(road.sync("users", shard="1/4"))
            locked = road.sync("users", shard="2/4")
            assert locked.exit_code == 6
            assert "'users 2/4' is being synced by another process" in str(locked.mappings[0].error)
    finally:
        control.close()


@pytest.mark.parametrize("text", ["0/4", "5/4", "4", "1/0", "a/b", "1/9999", "-1/4"])
def test_what_is_no_shard_is_a_mistake_of_usage(road: Road, text: str) -> None:
    done = command(road, "sync", f"--shard={text}")
    assert done.returncode == 2
    assert "shard" in done.stderr


def test_no_mapping_may_be_called_like_a_shard(road: Road) -> None:
    road.map("odd", USERS + "name: users 1/4\n")
    done = command(road, "validate")
    assert done.returncode == 1
    assert "that is how shards are called" in done.stderr


# What knows of shards


def test_an_erasure_finds_its_user_in_every_shard(road: Road) -> None:
    clean(sync_all(road))
    report, [receipt] = road.erase("u7")
    assert (report.exit_code, receipt.erasure.state) == (0, "confirmed")
    for file in states(road):
        with duckdb.connect(str(file), read_only=True) as connection:
            left = connection.execute(
                "select count(*) from snapshot where key = 'u7' or subject = 'u7'"
            ).fetchone()
            assert left == (0,), file.name
    clean(sync_all(road, full_refresh=True))
    assert "u7" not in road.far_users(live=None)
    assert not [event for event in road.far_events() if event["uid"] == "u7"]


def test_an_erasure_waits_for_every_shard_that_is_being_synced(road: Road) -> None:
    clean(sync_all(road, "users"))
    control = open_control(road.project(), "far")
    try:
        with lease(control, "users 2/4"):
            report, _ = road.erase("u7")
            assert report.exit_code == 6
    finally:
        control.close()
    assert_clean(road.sync("users", shard="1/4"))
    assert "u7" not in road.far_users(live=None)


def test_whom_a_feed_names_is_erased_by_one_shard(road: Road, far: Sandbox) -> None:
    road.map("users", USERS + "deletes: {erasures: {table: erasures, key: user_id}}\n")
    clean(sync_all(road, "users"))
    road.write("insert into erasures select 'u' || i from range(195, 205) as t(i)")
    clean(sync_all(road, "users"))
    deletes = far.counts()["requests"]["DELETE /v1/users/{uid}"]
    assert sum(deletes.values()) == 10
    assert {line.state for line in road.ledger()} == {"confirmed"}


def test_a_flag_that_another_shard_asked_for_is_not_withdrawn(road: Road, far: Sandbox) -> None:
    road.map("users", USERS + "deletes: {hard_when: erase}\n")
    clean(sync_all(road, "users"))
    road.write("update users set erase = true where orders < 8")
    far.set_faults({"e503": 1.0})
    for report in sync_all(road, "users"):
        assert report.exit_code in (0, 4)
    assert "withdrawn" not in {line.state for line in road.ledger()}
    far.set_faults({})
    clean(sync_all(road, "users"))
    assert Counter(line.state for line in road.ledger()) == {"confirmed": 8}


def test_rejects_of_all_shards_are_listed_and_tried_again(road: Road, far: Sandbox) -> None:
    far.set_poison([{"resource": "users", "field": "country", "equals": "DE", "status": 422}])
    for report in sync_all(road, "users"):
        assert report.exit_code == 3
    listed = json.loads(command(road, "rejects", "list", "--json").stdout)
    found = {each["name"]: each["rejected"] for each in listed["mappings"]}
    assert [found[f"users {shard}"] > 0 for shard in FOUR] == [True] * 4
    assert sum(found.values()) == 200
    far.set_poison([])
    assert command(road, "rejects", "retry", "--select", "users").returncode == 0
    assert road.far_users() == road.expected_users()
    exported = command(road, "rejects", "export", "--format", "json")
    assert exported.stdout.strip() in ("", "[]")


def test_status_shows_shards_and_their_sum(road: Road) -> None:
    clean([road.sync("users", shard=shard) for shard in FOUR[:3]])
    document = json.loads(command(road, "status", "--json", "--select", "users").stdout)
    [users] = document["mappings"]
    assert users["name"] == "users"
    assert [shard["name"] for shard in users["shards"]] == [f"users {shard}" for shard in FOUR]
    assert users["last_success"] is None, "one was never synced"
    assert_clean(road.sync("users", shard="4/4"))
    [users] = json.loads(command(road, "status", "--json", "--select", "users").stdout)["mappings"]
    assert users["last_run"]["rows"]["source"] == 200
    assert users["last_run"]["changes"]["upsert"]["acknowledged"] == 200
    assert users["last_success"]
    shown = command(road, "status", "--select", "users").stdout
    assert "users (4 shards)" in shown
    assert "users 3/4" in shown


def test_the_doctor_looks_at_the_state_of_every_shard(road: Road) -> None:
    clean(sync_all(road))
    done = command(road, "doctor")
    assert "3 of 3 mappings have state that this version reads in 12 files" in done.stdout
    states(road)[5].write_bytes(b"no database")
    assert command(road, "doctor").returncode == 1


def test_a_mapping_of_the_warehouse_engine_has_no_shards(road: Road) -> None:
    mapping = shard_of(road.project().mapping("users"), parse_shard("1/4"))
    control = ControlStore(road.state, "far")
    try:
        with pytest.raises(UsageError, match="needs no shards"):
            check_shards(control, road.state, replace(mapping, engine="warehouse"))
    finally:
        control.close()


def test_a_plan_of_a_shard_is_followed_for_that_shard(road: Road) -> None:
    made = command(road, "plan", "--select", "users", "--shard", "2/4", "--out", "p.json", "--json")
    [planned] = json.loads(made.stdout)["mappings"]
    done = command(road, "sync", "--plan", "p.json", "--json")
    [entry_] = json.loads(done.stdout)["mappings"]
    assert entry_["name"] == "users 2/4"
    assert entry_["changes"]["upsert"]["acknowledged"] == planned["changes"]["upsert"]["planned"]
    assert len(road.far_users()) == planned["changes"]["upsert"]["planned"]
    assert command(road, "sync", "--plan", "p.json", "--shard", "1/4").returncode == 2

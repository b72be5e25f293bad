"""Cutting a mapping anew: nothing is sent again, nothing forgotten."""

from __future__ import annotations

import json
import shutil
from collections import Counter

import pytest

from connector.control.lease import lease
from connector.erasure import open_control
from connector.errors import Locked, UsageError
from connector.reshard import reshard
from connector.sandbox import Sandbox
from connector.snapshot.store import StatePaths, open_store
from tests.integration.shards.test_shards import clean, command, sync_all
from tests.support.road import USERS, Road, assert_clean


def cut(road: Road, into: int, *, name: str = "users", anew: bool = False) -> int:
    project = road.project()
    return sum(
        each.keys for each in reshard(project, "far", project.mapping(name), into, anew=anew)
    )


def files(road: Road) -> set[str]:
    return {file.name for file in road.state.glob("*.duckdb*")}


def test_a_mapping_is_cut_and_put_together_again_without_sending_anything(
    road: Road, far: Sandbox
) -> None:
    far.set_poison([{"resource": "users", "field": "total_orders", "equals": 7, "status": 422}])
    assert_clean(road.sync())
    before = far.counts()["requests"]
    assert cut(road, 4) == 199
    assert files(road) == {f"users {i}%2F4.duckdb" for i in range(1, 5)} | {
        "clicks.duckdb", "orders.duckdb",
    }  # fmt: skip
    assert sorted(report.exit_code for report in sync_all(road, "users")) == [0, 0, 0, 3]
    assert cut(road, 3) == 199
    assert road.sync("users", shard="2/3").mappings[0].planned == 0
    assert cut(road, 1) == 199
    assert_clean(road.sync())
    assert far.counts()["requests"] == before
    listed = json.loads(command(road, "rejects", "--select", "users", "--json").stdout)
    assert [each["rejected"] for each in listed["mappings"]] == [1]


def test_rows_that_left_are_deleted_by_whoever_has_them_now(road: Road) -> None:
    clean(sync_all(road, "users"))
    cut(road, 2)
    road.write("delete from users where orders % 10 = 0")
    for shard in ("1/2", "2/2"):
        assert_clean(road.sync("users", shard=shard))
    assert road.far_users() == road.expected_users()
    assert len(road.far_users(live=False)) == 20


def test_events_go_on_where_the_last_of_the_shards_was(road: Road, far: Sandbox) -> None:
    assert_clean(road.sync("clicks"))
    cut(road, 4, name="clicks")
    road.write("insert into clicks values ('next', 'u1', 's', timestamp '2026-03-13 13:00:00')")
    clean(sync_all(road, "clicks"))
    assert far.counts()["events"] == 301
    assert far.counts()["requests"]["POST /v1/events"] == {"200": 2}


def test_what_a_shard_asked_to_erase_is_another_shards_to_see_to(road: Road, far: Sandbox) -> None:
    road.map("users", USERS + "deletes: {hard_when: erase}\n")
    clean(sync_all(road, "users"))
    road.write("update users set erase = true where orders < 8")
    far.set_faults({"e503": 1.0})
    sync_all(road, "users")
    road.write("delete from users where orders < 4")
    far.set_faults({})
    cut(road, 1)
    assert_clean(road.sync("users"))
    assert Counter(line.state for line in road.ledger()) == {"confirmed": 8}
    assert road.far_users(live=None).keys() == {f"u{i}" for i in range(8, 200)}


def test_state_that_is_elsewhere_is_asked_for(road: Road, far: Sandbox) -> None:
    clean(sync_all(road, "users"))
    [file] = road.state.glob("users 3%2F4.duckdb")
    shutil.move(file, road.folder / "elsewhere")
    with pytest.raises(UsageError, match="the state of 'users 3/4' is not on this machine") as said:
        cut(road, 2)
    assert file.name in str(said.value.hint)
    clean([road.sync("users", shard="1/4")])
    kept = cut(road, 2, anew=True)
    assert 100 < kept < 200
    for shard in ("1/2", "2/2"):
        assert_clean(road.sync("users", shard=shard))
    assert far.counts()["requests"]["POST /v1/users"] == {"200": 400 - kept}


def test_a_shard_that_is_being_synced_is_not_cut(road: Road) -> None:
    clean(sync_all(road, "users"))
    control = open_control(road.project(), "far")
    try:
        with lease(control, "users 2/4"), pytest.raises(Locked):
            cut(road, 2)
    finally:
        control.close()
    assert_clean(road.sync("users", shard="1/4"))


def test_the_command_says_what_it_did(road: Road) -> None:
    assert_clean(road.sync("users"))
    done = command(road, "reshard", "users", "--into", "2")
    assert done.returncode == 0
    assert "users 1/2: " in done.stdout
    assert "`--shard 1/2`" in done.stdout
    again = json.loads(command(road, "reshard", "users", "--into", "2", "--json").stdout)
    assert (again["shards"], again["states"]) == (2, [])
    assert command(road, "reshard", "users", "--into", "1000").returncode == 2


def test_a_snapshot_that_the_warehouse_holds_is_brought_home_first(road: Road) -> None:
    assert_clean(road.sync("users"))
    with open_store(StatePaths(road.state, "users")) as store:
        store.remember(lines="somewhere")
    with pytest.raises(UsageError, match="the snapshot of 'users' is in the warehouse"):
        cut(road, 2)

"""Columns that went, came, or changed their type between two syncs."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from connector.report import MappingReport
from connector.sandbox import Sandbox
from tests.support.road import USERS, Road, assert_clean
from tests.support.road import entry as part


@pytest.fixture(scope="module")
def far() -> Iterator[Sandbox]:
    with Sandbox() as sandbox:
        yield sandbox


@pytest.fixture
def road(tmp_path: Path, far: Sandbox) -> Road:
    far.reset()
    road = Road(tmp_path, far, mappings={"users": USERS})
    road.write(
        "insert into users (user_id, country, tier, orders) "
        "select 'u' || i, 'de', 'gold', i from range(50) as t(i)"
    )
    assert_clean(road.sync())
    return road


def refused(road: Road, far: Sandbox) -> MappingReport:
    """What a plan and a sync say who send nothing and delete nobody."""
    before = far.counts()["requests"], road.far_users()
    planned, synced = road.plan(), road.sync()
    assert (planned.exit_code, synced.exit_code) == (1, 1)
    assert part(planned, "users").error == part(synced, "users").error
    assert (far.counts()["requests"], road.far_users()) == before
    return part(synced, "users")


def test_a_column_that_went_is_told_at_the_field_that_reads_it(road: Road, far: Sandbox) -> None:
    road.write("alter table users rename tier to level")
    error = str(refused(road, far).error)
    assert "mappings/users.yaml:7:" in error
    assert "'tier' is no column of users" in error
    road.write("alter table users rename level to tier")
    assert_clean(road.sync())
    assert road.far_users() == road.expected_users()


def test_a_column_that_came_changes_nothing(road: Road, far: Sandbox) -> None:
    before = far.counts()["requests"]
    road.write("alter table users add column shoe_size integer default 42")
    assert_clean(road.sync())
    assert far.counts()["requests"] == before


def test_a_column_of_another_type_is_stopped_before_the_api_refuses_all(
    road: Road, far: Sandbox
) -> None:
    road.write("update users set tier = '7'", "alter table users alter tier type integer")
    stopped = refused(road, far)
    assert "'loyalty_tier' was sent as string and would now be number" in str(stopped.error)
    assert "mappings/users.yaml:7:" in str(stopped.error)
    assert "connector sync --full-refresh" in str(stopped.error)
    road.map("users", USERS.replace("loyalty_tier: tier", "loyalty_tier: {expr: tier::varchar}"))
    assert_clean(road.sync())
    assert {user["loyalty_tier"] for user in road.far_users().values()} == {"7"}


def test_a_field_that_was_unmapped_meanwhile_still_has_its_type(road: Road, far: Sandbox) -> None:
    road.map("users", USERS.replace("  loyalty_tier: tier\n", ""))
    assert_clean(road.sync())
    road.write("update users set tier = '7'", "alter table users alter tier type integer")
    road.map("users", USERS)
    assert "'loyalty_tier' was sent as string" in str(refused(road, far).error)


def test_the_type_counts_from_the_first_row_that_may_have_arrived(
    tmp_path: Path, far: Sandbox
) -> None:
    far.reset()
    road = Road(tmp_path, far, mappings={"users": USERS})
    road.write("insert into users (user_id, tier) select 'u' || i, '7' from range(5) as t(i)")
    far.set_faults({"e401": 1.0})
    try:
        assert road.sync().exit_code == 1
    finally:
        far.set_faults({})
    road.write("alter table users alter tier type integer")
    assert "'loyalty_tier' was sent as string" in str(refused(road, far).error)

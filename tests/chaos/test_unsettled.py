"""What was sent and never settled is not taken for granted, one way or the other."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from connector.sandbox import SandboxProcess
from tests.support.road import USERS, Road, assert_clean, entry

BRIEF = "timeout: 10, give_up_after: 0.5"


@pytest.fixture
def users(building: Callable[..., Road]) -> Road:
    road = building(mappings={"users": USERS}, target=BRIEF)
    road.write(
        "insert into users (user_id, tier) select 'u' || i, 'gold' from range(20) as t(i)",
    )
    return road


def sync_unanswered(road: Road, far: SandboxProcess) -> None:
    """Everything sent is done by the API, and no answer arrives."""
    far.set_faults({"reset_after": 1.0})
    assert road.sync().exit_code == 4
    far.set_faults({})


def test_a_new_user_who_leaves_before_being_acknowledged_is_deleted_all_the_same(
    users: Road, far: SandboxProcess
) -> None:
    assert_clean(users.sync())
    users.write("insert into users (user_id, tier) values ('late', 'gold')")
    sync_unanswered(users, far)
    assert "late" in users.far_users()
    users.write("delete from users where user_id = 'late'")
    report = users.sync()
    assert_clean(report)
    assert entry(report, "users").changes["soft_delete"].acknowledged == 1
    assert users.far_users() == users.expected_users()


def test_a_change_that_is_taken_back_before_being_acknowledged_is_taken_back_at_the_api(
    users: Road, far: SandboxProcess
) -> None:
    assert_clean(users.sync())
    users.write("update users set tier = 'basic' where user_id = 'u7'")
    sync_unanswered(users, far)
    assert users.far_users()["u7"]["loyalty_tier"] == "basic"
    users.write("update users set tier = 'gold' where user_id = 'u7'")
    assert_clean(users.sync())
    assert users.far_users() == users.expected_users()
    assert users.sync().mappings[0].http.requests == 0


def test_a_return_that_is_taken_back_before_being_acknowledged_is_deleted_again(
    users: Road, far: SandboxProcess
) -> None:
    assert_clean(users.sync())
    users.write("delete from users where user_id = 'u7'")
    assert_clean(users.sync())
    users.write("insert into users (user_id, tier) values ('u7', 'gold')")
    sync_unanswered(users, far)
    assert "u7" in users.far_users()
    users.write("delete from users where user_id = 'u7'")
    assert_clean(users.sync())
    assert users.far_users() == users.expected_users()


def test_a_user_the_api_refused_and_never_had_is_not_deleted_when_the_row_leaves(
    users: Road, far: SandboxProcess
) -> None:
    assert_clean(users.sync())
    far.set_poison([{"resource": "users", "field": "loyalty_tier", "equals": "poison"}])
    users.write("insert into users (user_id, tier) values ('bad', 'poison')")
    assert entry(users.sync(), "users").changes["upsert"].rejected == 1
    users.write("delete from users where user_id = 'bad'")
    report = users.sync()
    assert_clean(report)
    assert entry(report, "users").http.requests == 0
    assert "bad" not in users.far_users(live=None)

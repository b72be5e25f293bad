"""Guards: each trips on its case and on nothing else, before the first byte is sent."""

from __future__ import annotations

# ruff: noqa: S608 - made of our own texts
from collections.abc import Callable

import pytest

from connector.sandbox import SandboxProcess
from tests.support.road import CLICKS, USERS, Road, assert_clean, entry

BRIEF = "timeout: 4, give_up_after: 0.6"


def guarded(building: Callable[..., Road], count: int, guards: str = "", deletes: str = "") -> Road:
    text = f"{USERS}deletes:\n  hard_when: erase\n{deletes}  guards: {{{guards}}}\n"
    road = building(mappings={"users": text, "clicks": CLICKS}, target=BRIEF)
    road.write(
        f"insert into users (user_id) select 'u' || i from range({count}) as t(i)",
        "insert into clicks values ('c', 'u1', 's', timestamp '2025-05-01 10:00:00')",
    )
    assert_clean(road.sync())
    road.write("insert into clicks values ('d', 'u1', 's', timestamp '2025-05-01 10:00:00')")
    road.far.set_faults({})
    return road


ONE_MORE = "insert into users (user_id) select 'new' where exists (from users)"
SEVEN = "'u1', 'u2', 'u3', 'u4', 'u5', 'u6', 'u7'"
GUARDS = [
    ("empty read", 8, "", "", "delete from users", "is empty", 8),
    ("empty read, keep", 8, "", "  missing: keep\n", "delete from users", "is empty", 0),
    ("half gone", 40, "max_delete_fraction: null", "", "delete from users where user_id > 'u2'",
     "less than half", None),
    ("half gone, keep", 40, "", "  missing: keep\n", "delete from users where user_id > 'u2'",
     "less than half", 0),
    ("fraction", 40, "", "", f"delete from users where user_id in ({SEVEN})",
     "max_delete_fraction", 7),
    ("fraction, erased", 40, "", "",
     f"update users set erase = true where user_id in ({SEVEN})",
     "max_delete_fraction", 7),
    ("count", 40, "max_deletes: 2", "", "delete from users where user_id in ('u1','u2','u3')",
     "max_deletes", 3),
    ("erasures", 40, "max_erasures: 2", "",
     "update users set erase = true where user_id in ('u1','u2','u3')", "max_erasures", 3),
]  # fmt: skip


@pytest.mark.parametrize(
    ("count", "guards", "deletes", "change", "words", "number"),
    [case[1:] for case in GUARDS],
    ids=[case[0] for case in GUARDS],
)
def test_a_guard_stops_its_mapping_before_the_first_byte_and_says_what_lets_it_through(
    building: Callable[..., Road],
    far: SandboxProcess,
    count: int,
    guards: str,
    deletes: str,
    change: str,
    words: str,
    number: int | None,
) -> None:
    road = guarded(building, count, guards, deletes)
    before = far.counts()["requests"]["POST /v1/users"]
    road.write(change, ONE_MORE)
    report = road.sync()
    users = entry(report, "users")
    assert report.exit_code == 5
    assert users.status == "blocked"
    assert words in (users.error or "")
    assert "--allow-deletes" in (users.hint or "")
    assert far.counts()["requests"]["POST /v1/users"] == before
    assert far.counts()["deleted_users"] == 0
    assert entry(report, "clicks").changes["event"].acknowledged == 1
    if number is None:
        number = int((users.hint or "").rpartition("--allow-deletes ")[2].split("`")[0])
    if number:
        assert road.sync(allow_deletes=number - 1).exit_code == 5
        assert far.counts()["requests"]["POST /v1/users"] == before
    assert road.sync(allow_deletes=number).exit_code == 0
    gone = entry(report, "users").changes
    assert number == gone["soft_delete"].planned + gone["hard_delete"].planned


@pytest.mark.parametrize(
    ("count", "guards", "deletes", "change"),
    [
        (9, "", "", "delete from users where user_id > 'u4'"),
        (40, "", "", "delete from users where user_id in ('u1','u2','u3','u4','u5','u6')"),
        (40, "max_deletes: 3", "", "delete from users where user_id in ('u1','u2','u3')"),
        (40, "max_erasures: 3", "",
         "update users set erase = true where user_id in ('u1','u2','u3')"),
        (40, "max_erasures: 3", "", "delete from users where user_id in ('u1','u2','u3','u4')"),
        (40, "", "  missing: keep\n", "delete from users where user_id <= 'u26'"),
        (40, "", "  soft_when: closed\n",
         "insert into users (user_id, closed) select 'n' || i, true from range(30) as t(i)"),
        (40, "", "  erasures: {table: erasures, key: user_id}\n",
         "insert into erasures select 'unknown' || i from range(30) as t(i)"),
    ],
)  # fmt: skip
def test_a_guard_does_not_trip_on_what_is_not_its_case(
    building: Callable[..., Road], count: int, guards: str, deletes: str, change: str
) -> None:
    road = guarded(building, count, guards, deletes)
    road.write(change)
    report = road.sync()
    assert report.exit_code == 0, entry(report, "users").error

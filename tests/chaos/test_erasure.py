"""Erased stays erased: on the wire, at the far side, and in every byte of the state folder."""

from __future__ import annotations

# ruff: noqa: S608 - made of our own numbers
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import quote

import duckdb
import pytest

from connector.control.erasures import Ledger
from connector.sandbox import SandboxProcess
from connector.snapshot.changes import Changes
from tests.support.road import CLICKS, USERS, Road, assert_clean, entry
from tests.support.wiretap import Wiretap

DELETES = """\
deletes:
  hard_when: erase
  erasures: {table: erasures, key: user_id}
  guards: {max_delete_fraction: 0.5}
consent: {when: consent, otherwise: hard}
snapshot: {keep: payload}
"""
BRIEF = "timeout: 4, give_up_after: 0.6"


@pytest.fixture
def wire(far: SandboxProcess) -> Iterator[Wiretap]:
    with Wiretap(far) as wiretap:
        yield wiretap


@pytest.fixture
def road(tmp_path: Path, wire: Wiretap) -> Road:
    mappings = {"users": USERS + DELETES, "clicks": CLICKS + "snapshot: {keep: payload}\n"}
    return Road(tmp_path, wire, mappings, target=BRIEF)


@pytest.fixture(autouse=True)
def _uncompressed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Compression would hide values from a search of the bytes."""
    connect = duckdb.connect

    def plainly(*arguments: object, **settings: object) -> duckdb.DuckDBPyConnection:
        connection = connect(*arguments, **settings)  # type: ignore[arg-type]
        connection.execute("SET force_compression = 'uncompressed'")
        return connection

    monkeypatch.setattr(duckdb, "connect", plainly)


def populate(road: Road, count: int) -> None:
    road.write(
        "insert into users select "
        "'uid-' || i || '-x', 'de', 'gold', i, 'note of ' || i || '-x', null, false, false, true "
        f"from range({count}) as t(i)",
        "insert into clicks select 'c' || i, 'uid-' || i || '-x', 'sku of ' || i || '-x', "
        f"timestamp '2025-05-01 10:00:00' from range({count}) as t(i)",
    )


def traces(number: int) -> list[bytes]:
    """What a byte search must not find of user `number`."""
    return [f"{what}{number}-x".encode() for what in ("uid-", "note of ", "sku of ")]


def state_bytes(road: Road) -> bytes:
    """Every file below the state folder, whatever its name."""
    folder = road.folder / "state"
    return b"\n".join(path.read_bytes() for path in folder.rglob("*") if path.is_file())


def found(road: Road, numbers: range | list[int]) -> list[bytes]:
    everything = state_bytes(road)
    return [trace for number in numbers for trace in traces(number) if trace in everything]


AWKWARD = [
    "a/b", "a%2Fb", "../../admin", "ü ñ", "a?b#c", "😀👍🏽", "%", "a\\b", "x" * 500, "a b", "a+b",
    "é", "e\u0301", "...", "%2e%2e", ";a=b", "a&b=c", "\u202eabc", "'; drop table users; --", "*",
]  # fmt: skip


@pytest.mark.parametrize("uid", AWKWARD, ids=lambda uid: uid.encode("unicode_escape").decode()[:20])
def test_the_wire_names_exactly_the_user_who_is_deleted(
    road: Road, wire: Wiretap, uid: str
) -> None:
    literal = uid.replace("'", "''")
    road.write(
        f"insert into users (user_id, consent) values ('{literal}', true)",
        "insert into users (user_id, consent) select 'bystander' || i, true from range(3) as t(i)",
    )
    assert_clean(road.sync("users"))
    assert uid in road.far_users()
    wire.forget()
    road.write(f"update users set erase = true where user_id = '{literal}'")
    assert_clean(road.sync("users"))
    (said,) = wire.said
    assert (said.method, said.target) == ("DELETE", f"/v1/users/{quote(uid, safe='')}")
    assert said.head.startswith(b"DELETE /v1/users/" + quote(uid, safe="").encode() + b" HTTP/1.1")
    assert set(road.far_users(live=None)) == {"bystander0", "bystander1", "bystander2"}


def erase_by_every_rule(road: Road, count: int) -> None:
    """Ask for `count` erasures by each of the four rules."""

    def uids(rule: int) -> str:
        return (
            f"select 'uid-' || i || '-x' from range({rule * count}, {(rule + 1) * count}) as t(i)"
        )

    road.write(
        f"update users set erase = true where user_id in ({uids(0)})",
        f"insert into erasures {uids(1)}",
        f"update users set consent = null where user_id in ({uids(2)})",
    )
    assert_clean(road.sync(allow_deletes=3 * count))
    report, receipts = road.erase(*(uid for (uid,) in road.rows(uids(3))))
    assert_clean(report)
    assert len(receipts) == count


def never_again(road: Road, wire: Wiretap, erased: range, living: int) -> None:
    """Edits, a refresh, a rebaseline, a lost snapshot and events do not bring them back."""

    def asserts(**options: bool) -> None:
        wire.forget()
        assert road.sync(**options).exit_code == 0
        said = wire.bytes
        assert not [number for number in erased if f"uid-{number}-x".encode() in said]
        assert len(road.far_users(live=None)) == living
        assert found(road, erased) == []

    road.write("update users set note = 'edited ' || user_id, erase = false, consent = true")
    road.write("delete from erasures")
    asserts()
    asserts(full_refresh=True)
    asserts(rebaseline=True)
    for file in road.state.glob("*.duckdb*"):
        file.unlink()
    road.write(
        "insert into clicks select 'new' || i, 'uid-' || i || '-x', 'later', "
        f"timestamp '2025-06-01' from range({len(erased) + 10}) as t(i)"
    )
    asserts()
    road.write("update users set note = null where user_id = 'uid-0-x'")
    asserts()


@pytest.mark.parametrize(
    ("users", "each"),
    [(800, 30), pytest.param(50_000, 200, marks=[pytest.mark.chaos, pytest.mark.timeout(1800)])],
)
def test_erased_by_any_rule_is_never_sent_again_and_leaves_no_trace(
    road: Road, wire: Wiretap, users: int, each: int
) -> None:
    populate(road, users)
    assert_clean(road.sync())
    erased = range(4 * each)
    assert len(found(road, erased)) == 3 * len(erased), "the search must be able to find something"
    erase_by_every_rule(road, each)
    assert_clean(road.sync())
    assert len(road.far_users(live=None)) == users - len(erased)
    assert len(road.far_events()) == users - len(erased)
    assert found(road, erased) == []
    assert found(road, range(users - 1, users)), "others stay"
    ledger = road.ledger()
    assert {line.state for line in ledger} == {"confirmed"}
    assert len({line.uid_hash for line in ledger}) == len(ledger) == len(erased)
    assert all(
        line.requested_at <= line.sent_at <= line.confirmed_at
        for line in ledger
        if line.sent_at and line.confirmed_at
    )
    rules = [line.rule for line in ledger]
    assert {rule: rules.count(rule) for rule in rules} == dict.fromkeys(
        ("hard_when", "feed", "consent", "erase"), each
    )
    never_again(road, wire, erased, users - len(erased))


def test_an_erasure_after_a_kill_in_the_middle_of_a_sync_leaves_no_trace(
    road: Road, wire: Wiretap, far: SandboxProcess
) -> None:
    populate(road, 2000)
    far.set_faults({"latency": "20ms"})
    with road.syncing() as syncing:
        while far.counts()["users"] < 200:
            time.sleep(0.01)
        syncing.kill()
    far.set_faults({})
    assert found(road, [5]), "what was staged is still there"
    report, _ = road.erase("uid-5-x")
    assert_clean(report)
    assert found(road, [5]) == []
    assert_clean(road.sync())
    assert found(road, [5]) == []
    assert "uid-5-x" not in road.far_users(live=None)


def test_a_user_whose_events_are_on_their_way_in_another_process_is_deleted_once_more(
    road: Road, wire: Wiretap, far: SandboxProcess
) -> None:
    populate(road, 60)
    assert_clean(road.sync("users"))
    road.write("update users set erase = true where orders >= 58")
    road.configure("events_per_request: 1, max_in_flight: 1")
    far.set_faults({"latency": "200ms"})
    with road.syncing("clicks") as syncing:
        while not far.counts()["events"]:
            time.sleep(0.01)
        assert_clean(road.sync("users"))
        assert [line.state for line in road.ledger()].count("confirmed") == 2
        far.set_faults({})
        assert syncing.result()["exit_code"] == 0
    sent = [said.target for said in wire.said if said.method == "DELETE"]
    assert sorted(sent) == sorted(2 * ["/v1/users/uid-58-x", "/v1/users/uid-59-x"])
    assert len(road.far_users(live=None)) == len(road.far_events()) == 58
    ledger = road.ledger()
    assert {line.state for line in ledger} == {"confirmed"}
    assert sorted(line.rule for line in ledger) == 2 * ["hard_when"] + 2 * ["repeated"]
    assert found(road, [58, 59]) == []


def test_a_rejected_row_of_an_erased_user_leaves_no_trace(road: Road, wire: Wiretap) -> None:
    populate(road, 30)
    assert_clean(road.sync())
    road.erase("uid-5-x", "uid-6-x", "uid-7-x")
    road.write(
        "update users set note = repeat('long', 5000) where user_id = 'uid-5-x'",
        "insert into users select * from users where user_id = 'uid-6-x'",
        "update clicks set sku = null where user_id in ('uid-5-x', 'uid-7-x')",
        "insert into clicks values ('new', 'uid-7-x', null, timestamp '2025-05-01 10:00:00')",
    )
    report = road.sync()
    assert_clean(report)
    assert [mapping.rejected for mapping in report.mappings] == [0, 0]
    assert found(road, [5, 6, 7]) == []


def test_the_samples_of_a_guard_leave_no_trace_once_they_are_erased(road: Road) -> None:
    populate(road, 30)
    assert_clean(road.sync())
    road.write("update users set erase = true where orders < 20")
    blocked = road.sync()
    assert "uid-0-x" in (entry(blocked, "users").error or "")
    assert_clean(road.sync(allow_deletes=20))
    assert found(road, range(20)) == []


def test_a_user_who_was_lifted_and_erased_again_leaves_no_trace(road: Road) -> None:
    populate(road, 30)
    assert_clean(road.sync())
    road.erase("uid-5-x")
    assert road.lift("uid-5-x") == 1
    assert_clean(road.sync())
    assert "uid-5-x" in road.far_users()
    assert found(road, [5])
    report, _ = road.erase("uid-5-x")
    assert_clean(report)
    assert found(road, [5]) == []


def test_erasing_purges_the_state_of_mappings_that_are_not_synced_or_no_longer_there(
    road: Road,
) -> None:
    populate(road, 30)
    (road.folder / "mappings" / "people.yaml").write_text(USERS + "snapshot: {keep: payload}\n")
    assert_clean(road.sync())
    (road.folder / "mappings" / "people.yaml").unlink()
    road.write("update users set erase = true where user_id = 'uid-5-x'")
    assert_clean(road.sync("users"))
    assert found(road, [5]) == []


# The feed


def fed(building: Callable[..., Road], far: SandboxProcess) -> Road:
    text = f"{USERS}deletes:\n  erasures: {{table: erasures, key: user_id}}\n"
    road = building(mappings={"users": text}, target=BRIEF)
    road.write("insert into users (user_id) select 'u' || i from range(20) as t(i)")
    assert_clean(road.sync())
    return road


def test_an_erasure_feed_that_is_missing_stops_the_mapping(
    building: Callable[..., Road], far: SandboxProcess
) -> None:
    road = fed(building, far)
    road.write("drop table erasures", "update users set note = 'x'")
    before = far.counts()["requests_total"]
    report = road.sync()
    assert report.exit_code == 1
    assert "erasure feed" in (report.mappings[0].error or "")
    assert far.counts()["requests_total"] == before


def test_an_empty_erasure_feed_erases_nobody(
    building: Callable[..., Road], far: SandboxProcess
) -> None:
    road = fed(building, far)
    assert_clean(road.sync())
    assert far.counts()["deleted_users"] == 0


def test_a_feed_of_nulls_repeats_and_strangers_erases_each_user_once(
    building: Callable[..., Road], far: SandboxProcess
) -> None:
    road = fed(building, far)
    road.write(
        "insert into erasures values (null), ('u1'), ('u1'), (null), ('stranger'), (''), ('u2')"
    )
    for _ in range(2):
        assert_clean(road.sync())
    assert far.counts()["requests"]["DELETE /v1/users/{uid}"] == {"204": 2, "404": 1}
    assert far.counts()["users"] == 18
    answers = sorted(line.answer or 0 for line in road.ledger())
    assert answers == [204, 204, 404]


# Between the DELETE and its acknowledgement


def deletes(far: SandboxProcess) -> dict[str, int]:
    counted: dict[str, int] = far.counts()["requests"].get("DELETE /v1/users/{uid}", {})
    return {status: count for status, count in counted.items() if status != "0"}


def test_a_delete_that_was_done_and_never_answered_is_finished_by_the_next_sync_once(
    road: Road, far: SandboxProcess
) -> None:
    populate(road, 30)
    assert_clean(road.sync())
    road.write("update users set erase = true where user_id = 'uid-5-x'")
    far.set_faults({"hang_after": 1.0})
    report = road.sync("users")
    assert report.exit_code == 4
    assert entry(report, "users").changes["hard_delete"].pending == 1
    assert [line.state for line in road.ledger()] == ["sent"]
    far.set_faults({})
    assert_clean(road.sync())
    assert deletes(far) == {"404": 1}
    assert [(line.state, line.answer) for line in road.ledger()] == [("confirmed", 404)]
    assert_clean(road.sync())
    assert deletes(far) == {"404": 1}
    assert found(road, [5]) == []


@pytest.mark.parametrize("where", [(Ledger, "confirm"), (Changes, "settle")])
def test_a_process_that_dies_between_delete_and_acknowledgement_is_finished_by_the_next_sync(
    road: Road, far: SandboxProcess, monkeypatch: pytest.MonkeyPatch, where: tuple[type, str]
) -> None:
    populate(road, 30)
    assert_clean(road.sync())
    road.write("update users set erase = true where user_id = 'uid-5-x'")

    def die(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(*where, die)
        with pytest.raises(KeyboardInterrupt):
            road.sync("users")
    assert deletes(far) == {"204": 1}
    assert_clean(road.sync())
    assert deletes(far).get("404", 0) == (1 if where[1] == "confirm" else 0)
    assert [line.state for line in road.ledger()] == ["confirmed"]
    assert_clean(road.sync())
    assert sum(deletes(far).values()) <= 2
    assert found(road, [5]) == []


def test_a_user_whose_row_leaves_before_the_erasure_is_confirmed_is_still_erased(
    road: Road, far: SandboxProcess
) -> None:
    populate(road, 30)
    assert_clean(road.sync())
    road.write("update users set erase = true where user_id = 'uid-5-x'")
    far.set_faults({"e503": 1.0})
    assert road.sync("users").exit_code == 4
    far.set_faults({})
    road.write("delete from users where user_id = 'uid-5-x'")
    assert_clean(road.sync())
    assert "uid-5-x" not in road.far_users(live=None)
    assert [line.state for line in road.ledger()] == ["confirmed"]

"""Whatever is done to warehouse, mapping, state and API, in whatever order: the far side becomes
what a small model says it must be, and whoever was erased is never spoken of again."""

# ruff: noqa: S608 - made of our own values

from __future__ import annotations

import json
import shutil
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule

from connector.control.erasures import Ledger
from connector.erasure import open_control
from connector.prepare import PII_KEY
from connector.sandbox import Sandbox
from connector.snapshot.changes import Changes
from connector.snapshot.rejects import ask_again
from connector.snapshot.store import StatePaths, open_store
from tests.support.model import (
    ALL_CLICKS,
    FIELDS,
    HEAD,
    POISON,
    RETYPED,
    TAIL,
    UIDS,
    User,
    literal,
    mail,
    only,
    uids,
    users,
)
from tests.support.road import Road, assert_clean, pending
from tests.support.wiretap import Wiretap

ALL = 1_000_000
IN_MEMORY = "/dev/shm"  # noqa: S108 - a folder of one's own is made in it


class _Crash(Exception):  # noqa: N818 - it is what it says
    """Stands for the end of the process."""


class Convergence(RuleBasedStateMachine):
    """The rules change the world; `reconcile` syncs and compares it with the model."""

    def __init__(self) -> None:
        super().__init__()
        self.stack = ExitStack()
        folder = Path(tempfile.mkdtemp(dir=IN_MEMORY if Path(IN_MEMORY).is_dir() else None))
        self.stack.callback(shutil.rmtree, folder)
        self.api = self.stack.enter_context(Sandbox())
        self.wire = self.stack.enter_context(Wiretap(self.api))
        self.rows: dict[str, User] = {}
        self.doubled: set[str] = set()
        self.fed: set[str] = set()
        self.clicks: dict[str, str | None] = {}
        self.variant = "plain"
        self.poisoned = False
        self.erased: set[str] = set()
        """Deleted for good, as seen on the wire, and confirmed since."""
        self.deleting: set[str] = set()
        """Somebody or some rule asked for it since the last reconciliation."""
        self.by_hand: set[str] = set()
        self.lifted: set[str] = set()
        self.drifted = False
        self.orphans: set[str] = set()
        self.synced = False
        self.folder = folder

    @initialize()
    def begin(self) -> None:
        self.road = Road(
            self.folder,
            self.wire,
            {"users": HEAD + TAIL, "clicks": ALL_CLICKS},
            target="timeout: 20, give_up_after: 0.4, max_in_flight: 8",
        )

    def teardown(self) -> None:
        try:
            if hasattr(self, "road"):
                self.reconcile()
        finally:
            self.stack.close()

    # The warehouse

    @rule(some=st.dictionaries(uids, users, min_size=1, max_size=6))
    def write_users(self, some: dict[str, User]) -> None:
        for uid, user in some.items():
            self.rows[uid] = user
        self._rewrite(some)

    @rule(some=st.sets(uids, min_size=1, max_size=3))
    def delete_users(self, some: set[str]) -> None:
        for uid in some:
            self.rows.pop(uid, None)
        self._rewrite(some)

    @rule(uid=uids)
    def write_a_user_twice(self, uid: str) -> None:
        if uid in self.rows:
            self.doubled.add(uid)
            self._rewrite([uid])

    @precondition(lambda self: self.doubled)
    @rule()
    def mend_duplicates(self) -> None:
        mended, self.doubled = self.doubled, set()
        self._rewrite(mended)

    @rule(uid=uids, consent=st.sampled_from([True, False, None]))
    def change_consent(self, uid: str, consent: bool | None) -> None:
        if uid in self.rows:
            self.write_users({uid: replace(self.rows[uid], consent=consent)})

    @rule(uid=uids, flag=st.booleans())
    def flag_for_erasure(self, uid: str, flag: bool) -> None:
        if uid in self.rows:
            self.write_users({uid: replace(self.rows[uid], erase=flag)})

    @rule(uid=uids)
    def feed_an_erasure(self, uid: str) -> None:
        self.fed.add(uid)
        self.road.write(f"insert into erasures values ({literal(uid)}), (null)")

    @rule(some=st.lists(st.one_of(uids, st.none()), min_size=1, max_size=8))
    def click(self, some: Sequence[str | None]) -> None:
        values = []
        for uid in some:
            name = f"c{len(self.clicks)}"
            self.clicks[name] = uid
            who = "null" if uid is None else literal(uid)
            values.append(f"('{name}', {who}, 's', timestamp '2025-01-01 10:00:00')")
        self.road.write(f"insert into clicks values {', '.join(values)}")

    def _rewrite(self, changed: Iterator[str] | Sequence[str] | set[str] | dict[str, User]) -> None:
        names = ", ".join(literal(uid) for uid in changed)
        statements = [f"delete from users where user_id in ({names})"]
        for uid in changed:
            for _ in range((uid in self.rows) + (uid in self.doubled and uid in self.rows)):
                user = self.rows[uid]
                values = [
                    uid, user.country, user.tier, user.orders, user.note, mail(uid),
                    user.closed, user.erase, user.consent,
                ]  # fmt: skip
                statements.append(
                    f"insert into users values ({', '.join(literal(value) for value in values)})"
                )
        self.road.write(*statements)
        self._note_who_is_to_go()

    # The mapping, the API, the state

    @rule(variant=st.sampled_from(sorted(FIELDS)))
    def change_the_mapping(self, variant: str) -> None:
        self.variant = variant
        self.road.map("users", HEAD + FIELDS[variant] + TAIL)

    @precondition(lambda self: self.synced)
    @rule()
    def retype_a_field_and_think_again(self) -> None:
        self.road.map("users", RETYPED + FIELDS[self.variant] + TAIL)
        self.wire.forget()
        assert self.road.sync("users", allow_deletes=ALL).exit_code == 1
        assert not [request for request in self.wire.said if request.method == "POST"]
        self.change_the_mapping(self.variant)
        self._watch()

    @rule(on=st.booleans())
    def poison(self, on: bool) -> None:
        self.poisoned = on
        rules = [{"resource": "users", "field": "note", "equals": POISON}] if on else []
        self.api.set_poison(rules)

    @rule(name=st.sampled_from(["users", "clicks"]))
    def lose_the_state(self, name: str) -> None:
        if name == "users":
            # Whoever leaves before they are known again is known to nobody.
            self.orphans |= self.road.far_users().keys()
            self.synced = False
        for file in self.road.state.glob(f"{name}.duckdb*"):
            file.unlink()

    # Syncs and erasures that end in all ways there are

    @rule(faults=st.sampled_from(["reset_after", "reset", "e503", "truncate"]))
    def sync_in_bad_weather(self, faults: str) -> None:
        self.api.set_faults({faults: 0.6})
        with self._watched():
            assert self.road.sync(allow_deletes=ALL).exit_code in {0, 3, 4}
        self.api.set_faults({})

    @rule(when=st.floats(0.1, 0.5))
    def kill_a_sync(self, when: float) -> None:
        with self._watched(), self.road.syncing(allow_deletes=ALL) as syncing:
            time.sleep(when)
            syncing.kill()

    @rule(where=st.sampled_from([(Ledger, "confirm"), (Changes, "settle")]))
    def crash_between_the_answer_and_its_note(self, where: tuple[type, str]) -> None:
        def crash(*_: object) -> None:
            raise _Crash

        with pytest.MonkeyPatch.context() as patch, self._watched():
            patch.setattr(*where, crash)
            with suppress(_Crash):
                self.road.sync(allow_deletes=ALL)

    @rule()
    def rebaseline(self) -> None:
        with self._watched():
            report = self.road.sync(rebaseline=True)
            assert report.exit_code in {0, 3}
        self.drifted = True

    @rule(some=st.sets(uids, min_size=1, max_size=2))
    def erase_by_hand(self, some: set[str]) -> None:
        self.deleting |= some
        self.by_hand |= some
        with self._watched():
            report, _ = self.road.erase(*sorted(some))
        assert_clean(report)
        self.erased |= some

    @precondition(lambda self: self.erased)
    @rule(data=st.data())
    def lift(self, data: st.DataObject) -> None:
        uid = data.draw(st.sampled_from(sorted(self.erased)))
        self.reconcile()
        self.road.lift(uid)
        self.erased.discard(uid)
        self.lifted.add(uid)
        self._note_who_is_to_go()

    @rule()
    def refresh(self) -> None:
        self.reconcile(full_refresh=True)

    @rule()
    def reconcile(self, *, full_refresh: bool = False) -> None:
        if not self.poisoned:
            self._retry_rejects()
        with self._watched():
            report = self.road.sync(allow_deletes=ALL, full_refresh=full_refresh)
        assert report.exit_code in {0, 3}, [(m.name, m.error) for m in report.mappings]
        assert pending(report) == 0
        self.synced = True
        self.drifted = self.drifted and not full_refresh
        self.deleting &= self.by_hand | self.fed | {u for u, row in self.rows.items() if row.erase}
        self._note_who_is_to_go()
        self._compare()
        self.wire.forget()
        again = self.road.sync(allow_deletes=ALL)
        assert not self.wire.said, [(m.name, m.changes) for m in again.mappings]

    def _retry_rejects(self) -> None:
        paths = StatePaths(self.road.state, "users")
        if paths.file.exists():
            with open_store(paths) as store:
                ask_again(store)

    # What is asserted

    @contextmanager
    def _watched(self) -> Iterator[None]:
        self._note_who_is_to_go()
        self.wire.forget()
        yield
        self._watch()

    def _watch(self) -> None:
        """No word of anybody erased, no address, and nobody deleted whom no rule deletes."""
        said = self.wire.said
        assert b"@" not in self.wire.bytes
        for request in said:
            if request.method == "POST":
                assert not self.erased & _spoken_of(request.body)
        deleted = {
            unquote(request.target.removeprefix("/v1/users/"))
            for request in said
            if request.method == "DELETE"
        }
        assert deleted <= self.deleting

    def _note_who_is_to_go(self) -> None:
        """Those whom some rule asks to delete for good."""
        self.deleting |= self.fed
        self.deleting |= {
            uid for uid, row in self.rows.items() if row.erase or row.consent is not True
        }

    def _expected(self) -> dict[str, dict[str, Any]]:
        """The live users that the far side must have."""
        return {
            uid: row.sent(self.variant)
            for uid, row in self.rows.items()
            if row.consent and not row.closed and not row.erase
            and uid not in self.fed and uid not in self.erased and not self._unclear(uid)
        }  # fmt: skip

    def _unclear(self, uid: str) -> bool:
        """Rows that are refused: the far side keeps what it had, if anything."""
        row = self.rows.get(uid)
        return uid in self.doubled or bool(
            row and self.poisoned and row.note == POISON and self.variant in ("a note", "both")
        )

    def _compare(self) -> None:
        gone = {uid for uid, row in self.rows.items() if row.erase} | self.fed
        self.erased |= gone | self._suppressed()
        far = self.road.far_users()
        expected = self._expected()
        assert not self.erased & self.road.far_users(live=None).keys()
        extra = {uid for uid in far.keys() - expected.keys() if not self._unclear(uid)}
        if not self.drifted:
            assert extra <= self.orphans
            assert {uid: only(far.get(uid), row) for uid, row in expected.items()} == expected
            self.orphans -= expected.keys()
        events = {event["id"]: event.get("uid") for event in self.road.far_events()}
        assert not self.erased & set(events.values())
        if not self.drifted:
            wanted = {
                name: uid for name, uid in self.clicks.items()
                if uid and uid not in self.erased and uid not in self.lifted
            }  # fmt: skip
            assert wanted.items() <= events.items()

    def _suppressed(self) -> set[str]:
        """Those of our users whom the ledger holds as erased."""
        project = self.road.project()
        control = open_control(project, project.target().name)
        try:
            hasher, listed = control.hasher(), set(control.suppressed())
            return {uid for uid in UIDS if hasher(uid) in listed}
        finally:
            control.close()


def _spoken_of(body: bytes) -> set[str]:
    document = json.loads(body)
    return {record.get("uid") for record in document.get("events", [document])}


@pytest.fixture(autouse=True)
def _key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(PII_KEY, "a key for the tests, long enough")


def run(examples: int, steps: int) -> None:
    from hypothesis.stateful import run_state_machine_as_test

    run_state_machine_as_test(
        Convergence,
        settings=settings(
            max_examples=examples,
            stateful_step_count=steps,
            deadline=None,
            phases=[Phase.generate],  # a history of syncs takes too long to be shortened
            derandomize=examples < 20,
            suppress_health_check=list(HealthCheck),
            print_blob=False,
        ),
    )


def test_the_far_side_converges_to_the_model_whatever_happens() -> None:
    run(examples=4, steps=10)


@pytest.mark.chaos
@pytest.mark.timeout(3600)
def test_the_far_side_converges_in_hundreds_of_histories() -> None:
    run(examples=200, steps=40)

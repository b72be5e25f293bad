"""Both engines over the same tables: the same plan, the same requests, the same report."""

# ruff: noqa: S608 - made of what this file draws
from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from connector.sandbox import Sandbox
from tests.support.postgres import Postgres
from tests.support.snowflake import Snowflake
from tests.support.stand import SCHEMA, Stand, essence

UIDS = st.sampled_from([f"u{n}" for n in range(8)] + ["", "ü ' \" \\", "N"])
TEXTS = st.sampled_from(["DE", "fr", "", "poison", "a,b", 'quo"te', "é\n"])
FLAGS = st.sampled_from(["true", "false", "NULL"])


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


def _user(draw: st.DrawFn) -> str:
    uid = draw(
        st.one_of(UIDS.map(_quoted), st.just("NULL") if draw(st.booleans()) else UIDS.map(_quoted))
    )
    country, note = _quoted(draw(TEXTS)), _quoted(draw(TEXTS))
    orders = draw(st.sampled_from(["1", "2", "NULL"]))
    closed, erase = draw(FLAGS), draw(st.sampled_from(["false"] * 6 + ["true"]))
    consent = draw(st.sampled_from(["true", "true", "true", "false"]))
    return (
        f"INSERT INTO users VALUES ({uid}, {country}, 'gold', {orders}, {note}, 'x', "
        f"{closed}, {erase}, {consent})"
    )


@st.composite
def steps(draw: st.DrawFn) -> tuple[str, str]:
    """One thing that happens: ("sql", statement), ("sync", how), ("erase", uid), …"""
    kind = draw(st.sampled_from(["user"] * 6 + ["order", "change", "change", "delete", "feed",
        "sync", "sync", "sync", "crash", "crash", "erase", "lift", "refresh", "otherwise",
        "missing", "map"]))  # fmt: skip
    uid = draw(UIDS)
    match kind:
        case "user":
            return "sql", _user(draw)
        case "order":
            number, total = draw(st.integers(1, 6)), draw(st.sampled_from(["1.5", "'NaN'", "2"]))
            return "sql", (
                f"INSERT INTO orders VALUES ({number}, {_quoted(uid)}, {total}, '2026-03-01 12:00')"
            )
        case "change":
            column, value = draw(
                st.sampled_from(
                    [
                        ("country", "'it'"),
                        ("country", "'IT'"),
                        ("note", "'poison'"),
                        ("unused", "'y'"),
                        ("closed", "true"),
                        ("consent", "false"),
                        ("consent", "true"),
                        ("note", "NULL"),
                    ]
                )
            )
            return "sql", f"UPDATE users SET {column} = {value} WHERE user_id <= {_quoted(uid)}"
        case "delete":
            table = draw(st.sampled_from(["users", "orders", "erasures"]))
            return "sql", f"DELETE FROM {table} WHERE user_id = {_quoted(uid)}"
        case "feed":
            return "sql", f"INSERT INTO erasures VALUES ({_quoted(uid)})"
        case "erase" | "lift":
            return kind, f"u{draw(st.integers(0, 7))}"
        case "crash":
            return kind, draw(st.sampled_from(["before", "after", "halfway"]))
        case "otherwise" | "missing":
            values = ["soft", "hard", "skip" if kind == "otherwise" else "keep"]
            return kind, draw(st.sampled_from(values))
        case "map":
            return "map", draw(
                st.sampled_from(["snapshot: {keep: payload}", "where: orders = 1", ""])
            )
        case _:
            return kind, ""


@pytest.fixture(scope="module")
def sandboxes() -> Iterator[tuple[Sandbox, Sandbox]]:
    with ExitStack() as both:
        yield both.enter_context(Sandbox()), both.enter_context(Sandbox())


_numbers = itertools.count()


def _rows(numbers: range, row: str) -> str:
    return ", ".join(row.format(i=number) for number in numbers)


STORY = [
    ("sql", "INSERT INTO users VALUES "
            + _rows(range(1, 13), "('u{i}', 'de', 'gold', {i}, 'x', 'x', false, false, true)")),
    ("sql", "INSERT INTO users (user_id, note, consent) VALUES (NULL, 'x', true), "
            "('twice', 'x', true), ('twice', 'x', true), ('bad', 'poison', true)"),
    ("sql", "INSERT INTO orders VALUES " + _rows(range(1, 6), "({i}, 'u{i}', {i}, '2026-03-01')")),
    ("crash", "after"),
    ("sql", "UPDATE users SET country = 'it' WHERE orders < 4"),
    ("sql", "INSERT INTO erasures VALUES ('u9'), ('u5'), ('stranger')"),
    ("crash", "halfway"),
    ("sql", "UPDATE users SET erase = true WHERE user_id = 'u8'"),
    ("sql", "UPDATE users SET closed = true WHERE user_id IN ('u7', 'u6')"),
    ("sql", "DELETE FROM users WHERE user_id IN ('u1', 'u9')"),
    ("crash", "before"),
    ("sync", ""),
    ("erase", "u2"),
    ("otherwise", "skip"),
    ("sql", "UPDATE users SET consent = false WHERE user_id IN ('u3', 'u4')"),
    ("sync", ""),
    ("missing", "hard"),
    ("lift", "u2"),
    ("refresh", ""),
]  # fmt: skip
"""A little of everything, in an order in which it matters."""


@pytest.mark.parametrize(("warehouse", "steps"), [("postgres", None), ("snowflake", 10)])
def test_the_same_story_sends_the_same_requests_from_either_engine(
    tmp_path: Path,
    warehouse: str,
    steps: int | None,
    request: pytest.FixtureRequest,
    sandboxes: tuple[Sandbox, Sandbox],
) -> None:
    server = request.getfixturevalue(f"{warehouse}_server")
    _live(STORY[:steps], tmp_path, server, sandboxes)


@pytest.mark.chaos
@pytest.mark.timeout(3600)
@settings(
    max_examples=60,
    deadline=None,
    phases=[Phase.explicit, Phase.reuse, Phase.generate],
    suppress_health_check=list(HealthCheck),
    print_blob=False,
)
@given(history=st.lists(steps(), min_size=8, max_size=24))
def test_any_history_sends_the_same_requests_from_either_engine(
    history: list[tuple[str, str]],
    tmp_path: Path,
    postgres_server: Postgres,
    sandboxes: tuple[Sandbox, Sandbox],
) -> None:
    _live(history, tmp_path / str(next(_numbers)), postgres_server, sandboxes)


def _live(
    history: Sequence[tuple[str, str]],
    folder: Path,
    server: Postgres | Snowflake,
    sandboxes: tuple[Sandbox, Sandbox],
) -> None:
    database = server.database()
    server.run(database, *SCHEMA)
    stands = []
    for far, engine in zip(sandboxes, ("duckdb", "warehouse"), strict=True):
        far.reset()
        far.set_poison([{"resource": "users", "field": "note", "equals": "poison"}])
        stands.append(Stand(folder / engine, server, database, far, engine))
    try:
        for kind, what in [*history, ("sync", ""), ("sync", "")]:
            _take(stands, kind, what)
    finally:
        for stand in stands:
            stand.close()


def _take(stands: list[Stand], kind: str, what: str) -> None:
    """One step for both; whatever they say and do must be the same."""
    if kind == "sql":
        stands[0].server.run(stands[0].database, what)
    elif kind in {"sync", "crash", "refresh"}:
        _sync(stands, kind, what)
    else:
        for stand in stands:
            _change(stand, kind, what)
    assert stands[0].said() == stands[1].said()
    assert stands[0].held() == stands[1].held()


def _sync(stands: list[Stand], kind: str, moment: str) -> None:
    if not moment:
        plans = [essence(stand.plan()) for stand in stands]
        assert plans[0] == plans[1]
    reports = [
        essence(stand.sync(moment=moment, full_refresh=kind == "refresh")) for stand in stands
    ]
    assert reports[0] == reports[1]


def _change(stand: Stand, kind: str, what: str) -> None:
    match kind:
        case "erase":
            stand.erase(what)
        case "lift":
            stand.lift(what)
        case "map":
            stand.write(more=what)
        case _:
            stand.write(**{kind: what})

"""Statistics save work and never change a figure."""

# ruff: noqa: S608 - queries over tables of its own
from __future__ import annotations

from dataclasses import replace

import duckdb
import pytest

from connector.coverage.count import Look, count
from connector.coverage.proof import UNKNOWN, Facts, counted, facts_of
from connector.coverage.rows import readable
from connector.prepare import Bound, bind
from tests.unit.coverage.conftest import Warehouse

FIELDS = """
uid: id
text: t
number: n
whole: w
time: z
list: l
"""
ORDINARY = "('aa', 'text', 1.5, 7, timestamp '2026-01-01', ['x'])"
ODD = {
    "a long text": "('b', repeat('x', 16385), 1, 1, NULL, NULL)",
    "a text that is long in bytes alone": "('b', repeat('é', 8193), 1, 1, NULL, NULL)",
    "a blank text": "('b', '  ', 1, 1, NULL, NULL)",
    "a blank that is no ASCII": "('b', chr(12288), 1, 1, NULL, NULL)",
    "no number": "('b', 't', 'nan'::DOUBLE, 1, NULL, NULL)",
    "an infinite number": "('b', 't', '-inf'::DOUBLE, 1, NULL, NULL)",
    "an integer too large": "('b', 't', 1, 9007199254740993, NULL, NULL)",
    "an endless time": "('b', 't', 1, 1, timestamp 'infinity', NULL)",
    "a time before our era": "('b', 't', 1, 1, timestamp '0044-03-15 (BC) 00:00:00', NULL)",
    "a time in the far future": "('b', 't', 1, 1, timestamp '10000-01-01', NULL)",
    "a list with a null": "('b', 't', 1, 1, NULL, ['x', NULL])",
    "a list with a long text": "('b', 't', 1, 1, NULL, [repeat('x', 16385)])",
    "a list without items": "('b', 't', 1, 1, NULL, [])",
    "no key": "(NULL, 't', 1, 1, NULL, NULL)",
    "an empty key": "('', 't', 1, 1, NULL, NULL)",
    "a key of dots": "('..', 't', 1, 1, NULL, NULL)",
    "a key with a line break": "(e'b\\nc', 't', 1, 1, NULL, NULL)",
    "a key with a C1 control": "('b' || chr(133), 't', 1, 1, NULL, NULL)",
    "an address in a text": "('b', 'write to a@b.no', 1, 1, NULL, NULL)",
    "an address in a list": "('b', 't', 1, 1, NULL, ['x', 'a@b.no'])",
    "a key that a URL escapes": "('b/ü c', 't', 1, 1, NULL, NULL)",
}


@pytest.mark.parametrize("odd", ODD.values(), ids=ODD)
@pytest.mark.parametrize("only", [False, True], ids=["beside an ordinary row", "alone"])
def test_figures_are_the_same_with_and_without_statistics(
    warehouse: Warehouse, odd: str, only: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = odd if only else f"{ORDINARY}, {odd}"
    warehouse.sql("CREATE TABLE users (id VARCHAR, t VARCHAR, n DOUBLE, w BIGINT, z TIMESTAMP, "
                  "l VARCHAR[])", f"INSERT INTO users VALUES {rows}", "CHECKPOINT")  # fmt: skip
    warehouse.mapping("users", "users", "", FIELDS)
    with_statistics = _counted(warehouse)
    monkeypatch.setattr("connector.coverage.count.facts_of", lambda *_: {})
    assert _counted(warehouse) == with_statistics


def test_an_ordinary_table_needs_no_check_but_that_of_its_key(warehouse: Warehouse) -> None:
    warehouse.sql(f"CREATE TABLE users AS FROM (VALUES {ORDINARY}) v(id, t, n, w, z, l)",
                  "CHECKPOINT")  # fmt: skip
    warehouse.mapping("users", "users", "", FIELDS)
    project = warehouse.files.load()
    mapping = project.mapping("users")
    with bind(project, mapping) as bound, readable(bound, project.source("warehouse")) as reading:
        facts = facts_of(reading, bound.compiled.chain)
        found = counted(bound.compiled.chain, facts).violations
        quick = counted(bound.compiled.chain, facts, quick=True).violations
    assert {each.code for each in found} == {"unaddressable_key"}
    assert quick == ()


def test_nothing_is_taken_for_known_where_there_are_no_statistics() -> None:
    assert not UNKNOWN.never_blank
    assert not UNKNOWN.dated
    assert not UNKNOWN.within(1)
    assert not replace(Facts(ascii=True), least=" ").never_blank


def test_an_expression_that_fails_proves_nothing(warehouse: Warehouse) -> None:
    warehouse.users("SELECT 1 AS id, 'x' AS n", "uid: id\nage: n::INTEGER")
    project = warehouse.files.load()
    with bind(project, project.mapping("users")) as bound:
        connection = duckdb.connect()
        connection.execute("CREATE TABLE source AS SELECT 1 AS id, 'x' AS n")
        facts = facts_of(connection, bound.compiled.chain)
        connection.close()
    assert not any(each.within(10**9) for name, each in facts.items() if name == "age")


def _counted(warehouse: Warehouse) -> tuple[int, dict[str, int]]:
    project = warehouse.files.load()
    with bind(project, project.mapping("users")) as bound:
        return _figures(bound, warehouse)


def _figures(bound: Bound, warehouse: Warehouse) -> tuple[int, dict[str, int]]:
    settings = warehouse.files.load().source("warehouse")
    with readable(bound, settings) as reading:
        found = count(reading, bound.compiled, Look(texts=True, repeats=False))
    return found.sent, {name: found.filled(name) for name in bound.compiled.types}

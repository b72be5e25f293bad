"""Impressions and clicks that can be traced to a recommendation."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import duckdb
import pytest

from connector.coverage.page import page
from tests.unit.coverage.conftest import Warehouse

EVENTS = """\
id: id
original_timestamp: at
uid: id
item_id: id
click_type: {value: open}
rank: {value: 1, type: number}
rec_id: rec
"""
RECS = """\
kind: recommendations
source: warehouse
query: select 'u' as uid, ['x'] as items
model_id: m
fields: {user_id: uid, item_ids: items}
write_to: {%s}
"""
ANSWERS = (
    "SELECT 'r' || n AS rec_id, if(n = 3, NULL, 'x') AS item_id FROM range(4) t(n), range(3) s(m)"
)


@pytest.fixture
def shown(warehouse: Warehouse) -> Warehouse:
    """Ten clicks and ten impressions, of r0 to r4 and without any, and scrolls."""
    warehouse.events(
        "shown",
        "SELECT id, timestamp '2026-01-01' AS at, name, "
        "CASE WHEN n < 5 THEN 'r' || n WHEN n = 5 THEN ' ' END AS rec "
        "FROM (SELECT n, name || n AS id, name FROM range(10) t(n), "
        "(VALUES ('click'), ('impression'), ('scroll')) v(name))",
        EVENTS,
        "type: {expr: name}\n",
    )
    return warehouse


def traces(warehouse: Warehouse) -> Any:
    (entry,) = warehouse.cover().mappings
    assert entry.error is None, entry.error
    return entry.quality.get("traces")


def test_what_carries_the_rec_id_of_an_answer_with_items_is_traced(shown: Warehouse) -> None:
    shown.sql(f"CREATE TABLE recs AS {ANSWERS}")
    shown.files.write("recs.yaml", RECS % "table: recs")
    found = traces(shown)
    half = {"rows": 10, "with_rec_id": 5, "traced": 3, "share": 0.3}
    assert found["by_type"] == {"impression": half, "click": half}
    assert (found["rows"], found["with_rec_id"], found["traced"], found["share"]) == (
        20,
        10,
        6,
        0.3,
    )
    assert found["answers"] == [{"mapping": "recs", "write_to": "warehouse.recs", "error": None}]
    assert '<th scope="row">impression</th><td class="num">10</td>' in page(shown.cover())


@pytest.mark.parametrize("where", ["out.parquet", "rounds"])
def test_answers_are_found_in_files_too(shown: Warehouse, where: str) -> None:
    shown.files.write("recs.yaml", RECS % f"path: {where}")
    (shown.folder / "rounds").mkdir()
    file = shown.folder / (where if "." in where else "rounds/one.parquet")
    duckdb.sql(f"COPY ({ANSWERS}) TO '{file}'")
    assert traces(shown)["traced"] == 6


@pytest.mark.parametrize(
    ("write_to", "words"),
    [
        ("table: nothing.here", "nothing.here"),
        ("path: nothing.parquet", "there is no file"),
        ("table: shown", "rec_id"),
        ("table: recs, source: files", "no folder at"),
    ],
)
def test_answers_that_are_not_there_are_told_and_no_error(
    shown: Warehouse, write_to: str, words: str
) -> None:
    shown.files.write("recs.yaml", RECS % write_to)
    found = traces(shown)
    assert (found["with_rec_id"], found["traced"], found["share"]) == (10, None, None)
    assert words in found["answers"][0]["error"]
    assert words in page(shown.cover())


def test_one_of_two_tables_that_is_there_is_enough(shown: Warehouse) -> None:
    shown.sql(f"CREATE TABLE recs AS {ANSWERS}")
    shown.files.write("recs.yaml", RECS % "table: recs")
    shown.files.write("others.yaml", RECS % "table: others")
    found = traces(shown)
    assert found["share"] == 0.3
    assert [each["error"] is None for each in found["answers"]] == [False, True]


def test_events_without_a_rec_id_are_traced_to_nothing(shown: Warehouse, tmp_path: Path) -> None:
    shown.sql(f"CREATE TABLE recs AS {ANSWERS}")
    shown.files.write("recs.yaml", RECS % "table: recs")
    shown.mapping("shown", "events", "type: {expr: name}\n", EVENTS.replace("rec_id: rec\n", ""))
    found = traces(shown)
    assert (found["rows"], found["with_rec_id"], found["share"]) == (20, 0, 0.0)
    assert "Map rec_id" in page(shown.cover())


def test_without_recommendations_or_events_of_what_was_shown_there_is_nothing_to_trace(
    shown: Warehouse,
) -> None:
    assert traces(shown) is None
    shown.files.write("recs.yaml", RECS % "table: recs")
    shown.mapping("shown", "events", "type: scroll\n", EVENTS)
    assert traces(shown) is None

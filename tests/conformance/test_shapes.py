"""Awkward names and shapes of tables, whatever the source."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from connector.sql import identifier
from tests.conformance.warehouses import WAREHOUSES, Rows
from tests.support.project_folder import ProjectFolder, project_file
from tests.support.scanned import Scanned, scan

NAMES = [
    "select", "order", "group by", 'quo"te', "it's", "back\\slash", "a.b", "a b", "emoji 👋",
    "Ünïcode", "ünïcode", "$row", "$$row", "$unkeyed", "$broken", "$soft", "row", "key", "v",
    "fingerprint", "verdict", "violation", "cursor", "subject", "payload", "digests", "source",
    "evaluated", "typed", "scanned", "rowcount", "--", "/*", ";", "{}", "%s", "?", "$1",
]  # fmt: skip
"""Reserved words, quotes, names that the compiled SQL has for things of its own."""


def _names(source: str) -> list[str]:
    # The server that stands in for Snowflake stumbles over these, which Snowflake does not.
    return [name for name in NAMES if source != "snowflake" or not {"$", "'"} & set(name)]


def _scan(
    folder: Path, source: str, columns: dict[str, str], rows: Rows, fields: dict[str, Any],
    kind: str = "users",
) -> list[Scanned]:  # fmt: skip
    warehouse = WAREHOUSES[source]
    warehouse.fill(folder, "shaped", columns, rows)
    project = ProjectFolder(folder, project_file(warehouse.source(folder)))
    head = "kind: users" if kind == "users" else "kind: events\ntype: test"
    mapping = f"{head}\nsource: w\n{warehouse.reads('shaped')}\n"
    project.write("shaped.yaml", f"{mapping}fields: {json.dumps(fields, ensure_ascii=False)}\n")
    return scan(project.load(), "shaped", folder / "state")


@pytest.mark.parametrize("source", WAREHOUSES)
@pytest.mark.parametrize("kind", ["users", "events"])
def test_any_name_can_be_read_and_sent(tmp_path: Path, source: str, kind: str) -> None:
    names = _names(source)
    values: dict[str, str | None] = {name: f"value of {name}" for name in names}
    columns = {"the_key": "text"} | dict.fromkeys(names, "text")
    fields: dict[str, Any] = {"uid": "the_key"} | {name: identifier(name) for name in names}
    sent: dict[str, Any] = {"uid": "u1", "is_deleted": False, **values}
    if kind == "events":
        own = {"id": "the_key", "original_timestamp": {"value": "2024-01-01"}}
        fields |= own
        sent = {"id": "u1", "uid": "u1", "type": "test", **values}
        sent["original_timestamp"] = "2024-01-01T00:00:00.000Z"
    (row,) = _scan(tmp_path, source, columns, [{"the_key": "u1", **values}], fields, kind)
    assert row.payload == sent


@pytest.mark.parametrize("source", WAREHOUSES)
def test_any_name_survives_an_expression_that_fails(tmp_path: Path, source: str) -> None:
    names = _names(source)
    columns = {"the_key": "text"} | dict.fromkeys(names, "text")
    rows: Rows = [{"the_key": each, **dict.fromkeys(names, each)} for each in ("1", "x")]
    fields = {"uid": "the_key", "n": "the_key::INTEGER"}
    fields |= {name: identifier(name) for name in names}
    first, second = _scan(tmp_path, source, columns, rows, fields)
    assert first.payload == {"uid": "1", "n": 1, "is_deleted": False, **dict.fromkeys(names, "1")}
    assert (second.code, second.field) == ("expression_failed", "n")


@pytest.mark.parametrize("source", ["duckdb", "duckdb_query", "parquet", "json"])
def test_a_line_break_in_a_name_is_no_trouble(tmp_path: Path, source: str) -> None:
    columns = {"k": "text", "new\nline": "text"}
    rows: Rows = [{"k": "u1", "new\nline": "x"}]
    (row,) = _scan(tmp_path, source, columns, rows, {"uid": "k", "a": '"new\nline"'})
    assert row.payload == {"uid": "u1", "a": "x", "is_deleted": False}


@pytest.mark.parametrize("source", WAREHOUSES)
def test_500_columns_arrive(tmp_path: Path, source: str) -> None:
    names = [f"column_{number}" for number in range(500)]
    values: dict[str, str | None] = {name: name.upper() for name in names}
    columns = {"k": "text"} | dict.fromkeys(names, "text")
    fields = {"uid": "k"} | {name: name for name in names}
    (row,) = _scan(tmp_path, source, columns, [{"k": "u1", **values}], fields)
    assert row.payload == {"uid": "u1", "is_deleted": False, **values}


@pytest.mark.parametrize("source", ["duckdb", "duckdb_query", "parquet", "csv"])
def test_an_empty_table_has_no_rows_and_no_trouble(tmp_path: Path, source: str) -> None:
    assert _scan(tmp_path, source, {"k": "text"}, [], {"uid": "k"}) == []


@pytest.mark.parametrize("source", ["duckdb", "duckdb_query", "parquet"])
def test_a_table_of_nothing_but_nulls_arrives_as_nulls(tmp_path: Path, source: str) -> None:
    kinds = {kind: kind for kind in WAREHOUSES[source].types if kind not in ("union", "timetz")}
    kinds = {f"c{number}": kind for number, kind in enumerate(kinds)}
    objects = ("struct", "map", "json", "variant", "list_json", "time", "time_ns", "interval")
    kept = [n for n, kind in kinds.items() if not kind.startswith(objects) or "stamp" in kind]
    columns = {"k": "text"} | kinds
    fields = {"uid": "k"} | {name: name for name in kept}
    (row,) = _scan(tmp_path, source, columns, [{"k": "u1"}], fields)
    assert row.payload == {"uid": "u1", "is_deleted": False} | dict.fromkeys(kept)


@pytest.mark.parametrize("source", ["duckdb", "duckdb_query"])
def test_a_column_of_a_type_that_no_field_has_does_not_disturb_the_others(
    tmp_path: Path, source: str
) -> None:
    columns = {"k": "text", "either": "union", "rowid": "text"}
    rows: Rows = [{"k": f"u{each}", "either": "5", "rowid": "same"} for each in range(3)]
    found = _scan(tmp_path, source, columns, rows, {"uid": "k"})
    assert [row.payload for row in found] == [
        {"uid": f"u{each}", "is_deleted": False} for each in range(3)
    ]

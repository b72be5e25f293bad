"""Rejected rows as files."""

import csv
import json
import stat
from datetime import datetime
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from connector.cli.export import COLUMNS, write_rejects
from connector.errors import UsageError

SEEN = datetime(2026, 3, 1, 12)


def row(key: str | None, message: str = "too long") -> dict[str, Any]:
    return {
        "target": "sandbox", "mapping": "users", "key": key, "origin": "api", "code": "too_long",
        "field": "bio", "message": message, "status": 422, "row_count": 1, "attempts": 2,
        "first_seen": SEEN, "last_seen": SEEN, "retry": False,
    }  # fmt: skip


@pytest.mark.parametrize("key", ["=1+1", "+1", "-1", "@cmd", "\tx", "\rx"])
def test_csv_cells_never_begin_a_formula(tmp_path: Path, key: str) -> None:
    file = tmp_path / "rejects.csv"
    assert write_rejects([row(key), row("plain", "=HYPERLINK()")], "csv", file) == 2
    with file.open(newline="") as text:
        rows = list(csv.DictReader(text))
    assert rows[0]["key"] == f"'{key}"
    assert rows[1]["key"] == "plain"
    assert rows[1]["message"] == "'=HYPERLINK()"
    assert rows[0]["last_seen"] == "2026-03-01T12:00:00Z"


def test_json_keeps_keys_as_they_are(tmp_path: Path) -> None:
    file = tmp_path / "rejects.json"
    write_rejects([row("=1"), row(None)], "json", file)
    rows = json.loads(file.read_text())
    assert [each["key"] for each in rows] == ["=1", None]
    assert tuple(rows[0]) == COLUMNS


def test_parquet_has_types(tmp_path: Path) -> None:
    file = tmp_path / "rejects.parquet"
    write_rejects([row("u_1")], "parquet", file)
    table = pq.read_table(file)
    assert table.column_names == list(COLUMNS)
    assert str(table.schema.field("last_seen").type) == "timestamp[us, tz=UTC]"
    assert table.to_pylist()[0]["attempts"] == 2


@pytest.mark.parametrize("form", ["csv", "json", "parquet"])
def test_nothing_rejected_is_a_file_without_rows(tmp_path: Path, form: str) -> None:
    file = tmp_path / "rejects"
    assert write_rejects([], form, file) == 0
    assert file.stat().st_size > 0


def test_the_file_is_its_owners_alone(tmp_path: Path) -> None:
    file = tmp_path / "rejects.csv"
    write_rejects([row("u_1")], "csv", file)
    assert stat.S_IMODE(file.stat().st_mode) == 0o600


def test_a_file_that_cannot_be_written_is_one_clear_line(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="cannot be written"):
        write_rejects([], "csv", tmp_path / "missing" / "rejects.csv")

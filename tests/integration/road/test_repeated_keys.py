"""A user who comes twice in one read is rejected, however the other rows fare."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import duckdb
import pytest

from connector.plan import plan
from connector.project import load_project
from connector.report import MappingReport
from connector.sync import SyncOptions, sync

PROJECT = """
sources: {w: {type: duckdb, path: w.duckdb}}
targets: {api: {base_url: "http://127.0.0.1:9/v1", api_key: none}}
"""
MAPPING = """
kind: users
source: w
table: people
fields: {uid: id, country: country}
deletes: {guards: {max_delete_fraction: null}}
"""
KNOWN = [("a", "PT"), ("b", "NO"), ("c", "SE")]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "mappings").mkdir()
    (tmp_path / "mappings" / "project.yaml").write_text(PROJECT)
    (tmp_path / "mappings" / "people.yaml").write_text(MAPPING)
    return tmp_path


def write(folder: Path, rows: Sequence[tuple[str | None, str]]) -> None:
    with duckdb.connect(str(folder / "w.duckdb")) as warehouse:
        warehouse.execute("CREATE OR REPLACE TABLE people (id VARCHAR, country VARCHAR)")
        warehouse.executemany("INSERT INTO people VALUES (?, ?)", rows)


def planned(folder: Path, rows: Sequence[tuple[str | None, str]]) -> MappingReport:
    """The plan of these rows, where the API has `KNOWN`."""
    write(folder, KNOWN)
    project = load_project(folder / "mappings")
    sync(project, project.mappings, target=project.target(), options=SyncOptions(rebaseline=True))
    write(folder, rows)
    return plan(project, project.mappings, target=project.target()).mappings[0]


@pytest.mark.parametrize(
    ("rows", "rejected", "upserts", "deletes"),
    [
        pytest.param(KNOWN, 0, 0, 0, id="nobody twice"),
        pytest.param([*KNOWN, ("a", "PT")], 2, 0, 0, id="as the API knows them, both times"),
        pytest.param([*KNOWN, ("a", "ES")], 2, 0, 0, id="once changed"),
        pytest.param([*KNOWN, ("a", "ES"), ("a", "PT")], 3, 0, 0, id="three times"),
        pytest.param([("a", "PT"), ("a", "PT"), ("b", "NO")], 2, 0, 1, id="while another left"),
        pytest.param([*KNOWN, ("d", "FI"), ("d", "FI")], 2, 0, 0, id="new"),
        pytest.param([*KNOWN[1:], ("d", "FI"), ("d", "IS"), ("e", "DK")], 2, 1, 1, id="all of it"),
        pytest.param([*KNOWN, (None, "FI"), (None, "FI")], 2, 0, 0, id="without a key"),
        pytest.param([*KNOWN[:2], ("c", "FI"), ("e", "FI")], 0, 2, 0, id="only other changes"),
    ],
)
def test_every_row_of_a_user_who_comes_twice_is_rejected_and_nothing_else(
    folder: Path,
    rows: Sequence[tuple[str | None, str]],
    rejected: int,
    upserts: int,
    deletes: int,
) -> None:
    report = planned(folder, rows)
    assert report.status == "done", report.error
    assert report.rows.source == len(rows)
    assert report.rows.rejected == rejected
    assert report.changes["upsert"].planned == upserts
    assert report.changes["soft_delete"].planned == deletes
    assert report.rows.unchanged == len(rows) - rejected - upserts
    codes = {sample.code for sample in report.rejects}
    assert codes <= {"duplicate_key", "key_null"}

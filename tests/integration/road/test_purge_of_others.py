"""An erasure leaves nobody's uid behind in mappings that were synced before it, or failed."""

from __future__ import annotations

from pathlib import Path

import duckdb

from connector.project import load_project
from connector.sandbox import Sandbox
from connector.sync import sync

PROJECT = """
version: 1
sources: {{w: {{type: duckdb, path: w.duckdb}}}}
targets: {{api: {{base_url: "{base_url}", api_key: sandbox}}}}
"""
FIRST = "kind: users\nsource: w\ntable: first\nfields: {uid: uid, country: country}\n"
SECOND = "kind: users\nsource: w\ntable: second\nfields: {uid: uid, country: country}\n"
ERASES = "deletes: {hard_when: gone, guards: {max_delete_fraction: 1}}\n"
CREATE = """
CREATE TABLE first AS SELECT 'uid-' || i AS uid, 'AT' AS country FROM range(10, 20) AS t(i);
CREATE TABLE second AS SELECT *, false AS gone FROM first;
"""


def test_a_mapping_synced_before_the_erasure_of_the_same_run_forgets_too(tmp_path: Path) -> None:
    with duckdb.connect(str(tmp_path / "w.duckdb")) as warehouse:
        warehouse.execute(CREATE)
    folder = tmp_path / "mappings"
    folder.mkdir()
    (folder / "a_first.yaml").write_text(FIRST)
    (folder / "b_second.yaml").write_text(SECOND + ERASES)
    with Sandbox() as sandbox:
        (folder / "project.yaml").write_text(PROJECT.format(base_url=sandbox.base_url))
        project = load_project(folder)
        assert sync(project, project.select(), target=project.target()).exit_code == 0
        assert keys(tmp_path, "a_first") == 10
        with duckdb.connect(str(tmp_path / "w.duckdb")) as warehouse:
            warehouse.execute("UPDATE second SET gone = true WHERE uid = 'uid-17'")
        assert sync(project, project.select(), target=project.target()).exit_code == 0

    assert keys(tmp_path, "a_first") == keys(tmp_path, "b_second") == 9


def keys(folder: Path, mapping: str) -> int:
    """How many users the state of a mapping knows."""
    file = folder / ".connector" / "api" / f"{mapping}.duckdb"
    with duckdb.connect(str(file), read_only=True) as state:
        return len(state.sql("SELECT key FROM snapshot").fetchall())

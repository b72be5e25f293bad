"""An API that is away ends the run; what was not sent is sent by the next one."""

from __future__ import annotations

from pathlib import Path

import duckdb

from connector.project import load_project
from connector.report import RunReport, Status
from connector.sandbox import Sandbox, Settings
from connector.sync import sync

PROJECT = """
version: 1
sources: {{w: {{type: duckdb, path: w.duckdb}}}}
targets: {{api: {{base_url: "{base_url}", api_key: sandbox, give_up_after: 2s}}}}
"""
MAPPING = "kind: users\nsource: w\ntable: people\nfields: {uid: id, country: \"'PT'\"}\n"


def run(folder: Path) -> RunReport:
    project = load_project(folder / "mappings")
    return sync(project, project.select(), target=project.target())


def test_an_outage_ends_the_run_and_the_next_one_sends_the_rest(tmp_path: Path) -> None:
    with duckdb.connect(str(tmp_path / "w.duckdb")) as warehouse:
        warehouse.execute("CREATE TABLE people AS SELECT 'u' || i AS id FROM range(50) AS t(i)")
    (tmp_path / "mappings").mkdir()
    for name in ("first", "second"):
        (tmp_path / "mappings" / f"{name}.yaml").write_text(MAPPING)
    with Sandbox(Settings(faults="e503=1.0")) as sandbox:
        project = PROJECT.format(base_url=sandbox.base_url)
        (tmp_path / "mappings" / "project.yaml").write_text(project)
        away = run(tmp_path)
        first, second = away.mappings
        assert away.exit_code == 4
        assert (first.status, first.pending) == (Status.INCOMPLETE, 50)
        assert second.status is Status.INCOMPLETE
        assert (second.error or "").startswith("not started: the API has failed")
        sandbox.set_faults({})
        back = run(tmp_path)
        assert back.exit_code == 0
        assert [entry.changes["upsert"].acknowledged for entry in back.mappings] == [50, 50]
        assert run(tmp_path).mappings[0].http.requests == 0
        assert sandbox.counts()["users"] == 50

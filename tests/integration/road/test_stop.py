"""A request to stop reaches whatever is being waited for."""

from __future__ import annotations

import threading
import time
from pathlib import Path

import duckdb
import pytest

from connector.destination.target import Target
from connector.project import load_project
from connector.report import Status
from connector.stop import Stop
from connector.sync import sync
from tests.support import postgres

PROJECT = """
version: 1
sources: {{w: {source}}}
targets: {{api: {{base_url: "http://127.0.0.1:9/v1", api_key: none}}}}
"""
MAPPING = """
kind: users
source: w
query: {query}
fields: {{uid: id, country: "'PT'"}}
"""
LONG = {
    "duckdb": "select count(*)::varchar as id from range(100000000000) a(i) where hash(i) <> 7",
    "postgres": "select pg_sleep(600)::text || 'x' as id",
}


@pytest.mark.parametrize("kind", ["duckdb", "postgres"])
def test_a_sync_that_waits_for_a_long_query_stops_when_asked(tmp_path: Path, kind: str) -> None:
    duckdb.connect(str(tmp_path / "w.duckdb")).close()
    source = "{type: duckdb, path: w.duckdb}"
    if kind == "postgres":
        server = postgres.start()
        url = server.url(server.database())
        source = f'{{type: sqlalchemy, url: "{url}"}}'
    (tmp_path / "mappings").mkdir()
    (tmp_path / "mappings" / "project.yaml").write_text(PROJECT.format(source=source))
    (tmp_path / "mappings" / "people.yaml").write_text(MAPPING.format(query=LONG[kind]))
    project = load_project(tmp_path / "mappings")
    target: Target = project.target()
    stop = Stop()
    threading.Timer(2.0, stop.request).start()
    began = time.monotonic()
    report = sync(project, project.select(), target=target, stop=stop)
    assert time.monotonic() - began < 60  # the query itself takes ten minutes
    assert report.mappings[0].status is Status.INCOMPLETE
    assert report.mappings[0].error == "stopped while reading"
    assert report.exit_code == 4

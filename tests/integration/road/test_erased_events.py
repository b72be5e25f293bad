"""Ids of events may be made of the uid: they are no trace to leave behind either."""

from __future__ import annotations

from pathlib import Path

import duckdb
import pytest

from connector.erasure import erase
from connector.project import load_project
from connector.sandbox import Sandbox
from connector.sync import sync

PROJECT = """
version: 1
sources: {{w: {{type: duckdb, path: w.duckdb}}}}
targets: {{api: {{base_url: "{base_url}", api_key: sandbox}}}}
"""
MAPPING = """
kind: events
source: w
table: seen
type: scroll
{cursor}
fields: {{id: id, original_timestamp: at_, uid: uid}}
"""


@pytest.mark.parametrize("cursor", ["", "cursor: at_\nlookback: 30 days"])
def test_an_erased_user_is_in_no_id_of_an_event(
    tmp_path: Path, cursor: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    connect = duckdb.connect

    def uncompressed(*args: object, **settings: object) -> duckdb.DuckDBPyConnection:
        connection = connect(*args, **settings)  # type: ignore[arg-type]
        connection.execute("SET force_compression = 'uncompressed'")
        return connection

    with duckdb.connect(str(tmp_path / "w.duckdb")) as warehouse:
        warehouse.execute(
            "CREATE TABLE seen AS SELECT 'usr7x' || i || '-e1' AS id, 'usr7x' || i AS uid, "
            "now()::TIMESTAMP AS at_ FROM range(100, 200) AS t(i)"
        )
    monkeypatch.setattr(duckdb, "connect", uncompressed)
    (tmp_path / "mappings").mkdir()
    (tmp_path / "mappings" / "seen.yaml").write_text(MAPPING.format(cursor=cursor))
    with Sandbox() as sandbox:
        text = PROJECT.format(base_url=sandbox.base_url)
        (tmp_path / "mappings" / "project.yaml").write_text(text)
        project = load_project(tmp_path / "mappings")
        assert sync(project, project.select(), target=project.target()).exit_code == 0
        assert holds(tmp_path, b"usr7x123")
        assert holds(tmp_path, b"usr7x124")
        report, _ = erase(project, project.target(), ["usr7x123"])
        assert report.exit_code == 0
        assert not holds(tmp_path, b"usr7x123")
        assert holds(tmp_path, b"usr7x124")
        again = sync(project, project.select(), target=project.target())
        assert (again.mappings[0].http.requests, again.mappings[0].rows.suppressed) == (0, 1)
        assert not holds(tmp_path, b"usr7x123")


def holds(folder: Path, text: bytes) -> bool:
    """Whether any file of the state holds these bytes."""
    files = [path for path in (folder / ".connector").rglob("*") if path.is_file()]
    assert files
    return any(text in path.read_bytes() for path in files)

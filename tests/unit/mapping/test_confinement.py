"""What an expression must not reach: files, other databases, settings, other tables and rows.

Each attempt goes the real road: the project is loaded, the mapping bound, the rows staged.
"""

from __future__ import annotations

import json
from pathlib import Path

import duckdb
import pytest

from connector.errors import ConfigError, SourceError
from connector.prepare import bind
from connector.snapshot.store import StatePaths, open_store
from tests.unit.mapping.conftest import Desk

SECRET = "a line that must stay where it is"

ATTEMPTS = [
    # Files
    "(SELECT content FROM read_text('{file}'))",
    "read_text('{file}')",
    "read_blob('{file}')",
    "read_csv('{file}')",
    "read_csv_auto('{file}')",
    "read_parquet('{file}')",
    "glob('{folder}/*')",
    "sniff_csv('{file}')",
    "parquet_metadata('{file}')",
    "a FROM '{file}'",
    "a FROM read_text('{file}')",
    "a; COPY (SELECT 1) TO '{made}'",
    "1); COPY (SELECT 1) TO '{made}'; SELECT (1",
    "1) FROM source; COPY source TO '{made}' --",
    "list_transform([1], lambda x: (SELECT content FROM read_text('{file}')))",
    "getenv('HOME')",
    # Other databases and extensions
    "a; ATTACH '{made}' AS d",
    "a; INSTALL httpfs",
    "a; LOAD httpfs",
    "a; IMPORT DATABASE '{folder}'",
    "a; EXPORT DATABASE '{made}'",
    # Settings
    "a; SET enable_external_access = true",
    "a; SET lock_configuration = false",
    "a; PRAGMA enable_profiling",
    "set_config('lock_configuration', 'false')",
    "a; RESET ALL",
    # Other tables and the catalog
    "(SELECT key FROM state.snapshot LIMIT 1)",
    "(FROM state.meta)",
    "(SELECT k FROM source LIMIT 1)",
    "EXISTS (FROM scanned)",
    "a IN (SELECT key FROM stage.scanned)",
    "state.meta",
    "stage.main.source",
    "duckdb_settings()",
    "duckdb_secrets()",
    "which_secret('s3://x', 's3')",
    "query('SELECT 1')",
    "query_table('source')",
    "json_execute_serialized_sql('x')",
    "a; DROP TABLE state.snapshot",
    "a; DELETE FROM source",
    "a; CREATE TABLE x AS SELECT 1",
    "a; CREATE MACRO upper(x) AS 'x'",
    "nextval('s')",
    "$pii_inner",
    "$pii_outer",
    # Other rows, and what differs at every call
    "first(a)",
    "last_value(a) OVER ()",
    "lag(a) OVER ()",
    "unnest([a, a])",
    "random()",
    "write_log('{folder}')",
    "current_query()",
]


def _mapping(x: str, place: str) -> str:
    mapping: dict[str, object] = {"kind": "users", "source": "w", "table": "t"}
    fields = {"uid": "k"}
    match place:
        case "field":
            fields["x"] = x
        case "soft_when":
            mapping["deletes"] = {"soft_when": x}
        case "consent":
            mapping["consent"] = {"when": x}
    return json.dumps(mapping | {"fields": fields})


@pytest.mark.parametrize(
    ("place", "attempts"),
    [("field", ATTEMPTS), ("soft_when", ATTEMPTS[::6]), ("consent", ATTEMPTS[1::6])],
)
def test_no_expression_reaches_beyond_its_row(desk: Desk, place: str, attempts: list[str]) -> None:
    desk.table("SELECT 'u' AS k, 'x' AS a")
    file, made = desk.path / "private.txt", desk.path / "made"
    file.write_text(SECRET)
    for attempt in attempts:
        x = attempt.format(file=file, folder=desk.path, made=made)
        mistakes = desk.mistakes(_mapping(x, place))
        assert mistakes, f"{x} was let through"
        assert SECRET not in str(mistakes)
        assert not made.exists()


def test_what_is_staged_is_locked_in_besides(desk: Desk) -> None:
    """Were an attempt to get past the compiler, it would find every door shut."""
    desk.table("SELECT 'u' AS k, 'x' AS a")
    desk.folder.write("m.yaml", _mapping("a", "field"))
    project = desk.folder.load()
    file = desk.path / "private.txt"
    file.write_text(SECRET)
    with (
        bind(project, project.mapping("m")) as bound,
        open_store(StatePaths(desk.path / "state", "m"), origin=bound.origin_file) as store,
    ):
        for sql in (
            f"SELECT * FROM read_text('{file}')",  # noqa: S608 - refused
            f"COPY (SELECT 1) TO '{desk.path / 'made'}'",
            f"ATTACH '{desk.path / 'made'}' AS d",
            "INSTALL httpfs",
            "SET enable_external_access = true",
            "SET lock_configuration = false",
            "INSERT INTO origin.t VALUES ('v', 'y')",
        ):
            with pytest.raises(duckdb.Error):
                store.connection.execute(sql)
    assert not (desk.path / "made").exists()


def _read_files(desk: Desk) -> None:
    text = (desk.folder.path / "project.yaml").read_text()
    files = text.replace("type: duckdb, path: warehouse.duckdb", "type: files, path: data")
    desk.folder.write("project.yaml", files)


@pytest.mark.parametrize(
    "query",
    [
        "SELECT k, content AS a FROM t, read_text('{file}')",
        "FROM '{file}'",
        "SELECT 1; COPY t TO '{made}'",
        "COPY t TO '{made}'",
        "ATTACH '{made}' AS d",
        "CREATE TABLE x AS FROM t",
        "DELETE FROM t RETURNING *",
        "PRAGMA database_list",
        "",
    ],
)
@pytest.mark.parametrize("kind", ["duckdb", "files"])
def test_a_query_only_reads_and_only_its_source(
    desk: Desk, tmp_path: Path, kind: str, query: str
) -> None:
    desk.table("SELECT 'u' AS k, 'x' AS a")
    private, made = tmp_path / "private.csv", tmp_path / "data" / "made.csv"
    private.write_text(f"k,content\nu,{SECRET}\n")
    (tmp_path / "data").mkdir()
    if kind == "files":
        _read_files(desk)
    written = query.format(file=private, made=made)
    mapping = {"kind": "users", "source": "w", "query": written or ";", "fields": {"uid": "k"}}
    desk.folder.write("m.yaml", json.dumps(mapping))
    project = desk.folder.load()
    with pytest.raises((SourceError, ConfigError)) as caught, bind(project, project.mapping("m")):
        pass
    assert SECRET not in str(caught.value)
    assert not made.exists()


def test_a_file_outside_the_folder_of_its_source_is_not_read(desk: Desk, tmp_path: Path) -> None:
    (tmp_path / "private.csv").write_text(f"k\n{SECRET}\n")
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "t.csv").write_text("k\nu\n")
    _read_files(desk)
    for table in ("../private.csv", str(tmp_path / "private.csv"), "x/../../private.csv"):
        mapping = {"kind": "users", "source": "w", "table": table, "fields": {"uid": "k"}}
        desk.folder.write("m.yaml", json.dumps(mapping))
        project = desk.folder.load()
        with pytest.raises(SourceError) as caught, bind(project, project.mapping("m")):
            pass
        assert SECRET not in str(caught.value)

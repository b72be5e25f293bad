"""Where answers go: each kind of warehouse holds every answer once, whatever is repeated."""

# ruff: noqa: S608 - the names are ours

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pytest

from connector.errors import ConfigError, ConnectorError, Place, SourceError
from connector.sandbox import Sandbox
from connector.source.settings import DuckDBSettings, SQLAlchemySettings
from connector.source.write import Layout, Type, write_parquet, write_table
from tests.support.asking import COLUMNS, Asking, assert_answered_once, counts, entry
from tests.support.postgres import Postgres
from tests.support.snowflake import Snowflake

LAYOUT = Layout((("k", Type.TEXT), ("n", Type.INTEGER), ("j", Type.JSON)), key="k")


def batch(*rows: tuple[str, int]) -> pa.RecordBatchReader:
    columns = {
        "k": pa.array([key for key, _ in rows], pa.string()),
        "n": pa.array([number for _, number in rows], pa.int32()),
        "j": pa.array(['{"a":1}' for _ in rows], pa.string()),
    }
    return pa.table(columns).to_reader()


def postgres_rows(server: Postgres, database: str, sql: str) -> list[tuple[Any, ...]]:
    import psycopg

    with psycopg.connect(server.url(database)) as connection:
        return connection.execute(sql.encode()).fetchall()


def postgres_source(server: Postgres, database: str) -> str:
    return f'pg: {{type: sqlalchemy, url: "{server.url(database)}"}}'


def test_answers_are_written_to_postgresql(
    building: Callable[..., Asking], postgres_server: Postgres
) -> None:
    database = postgres_server.database()
    asking = building(
        sources=postgres_source(postgres_server, database),
        write_to="{table: recommendations, source: pg}",
    )
    assert asking.run().exit_code == 0
    found = postgres_rows(postgres_server, database, f"SELECT {COLUMNS} FROM recommendations")
    assert_answered_once(found, users=20, items=8, limit=5)
    types = postgres_rows(
        postgres_server,
        database,
        "SELECT column_name, data_type FROM information_schema.columns "
        "WHERE table_name = 'recommendations'",
    )
    assert dict(types)["requested_at"] == "timestamp with time zone"
    assert dict(types)["attributes"] == "jsonb"
    assert asking.run().exit_code == 0
    ((rows, keys),) = postgres_rows(
        postgres_server,
        database,
        "SELECT count(*), count(DISTINCT request_key) FROM recommendations",
    )
    assert (rows, keys) == (200, 40)


def test_a_killed_run_is_gone_on_with_into_postgresql(
    building: Callable[..., Asking], far: Sandbox, postgres_server: Postgres
) -> None:
    database = postgres_server.database()
    asking = building(
        users=200,
        sources=postgres_source(postgres_server, database),
        write_to="{table: recommendations, source: pg}",
    )
    far.set_faults({"latency": "40ms"})
    asking.kill_after(150)
    far.set_faults({})
    report = asking.run()
    assert report.exit_code == 0
    assert entry(report).rows.unchanged > 0
    found = postgres_rows(postgres_server, database, f"SELECT {COLUMNS} FROM recommendations")
    assert_answered_once(found, users=200, items=8, limit=5)


def test_a_table_of_ones_own_in_postgresql_keeps_its_types_and_columns(
    building: Callable[..., Asking], postgres_server: Postgres
) -> None:
    database = postgres_server.database()
    postgres_server.run(
        database,
        "CREATE TABLE recs (request_key text, rec_id text, requested_at timestamptz, user_id text, "
        "session_id text, model_id text, position smallint, item_id text, score real, "
        "candidate bigint, attributes text, context json, status varchar(20), note text)",
    )
    asking = building(
        sources=postgres_source(postgres_server, database),
        write_to="{table: Recs, source: pg}",
    )
    assert asking.run().exit_code == 0
    found = postgres_rows(postgres_server, database, f"SELECT {COLUMNS} FROM recs")
    assert_answered_once(found, users=20, items=8, limit=5)


def test_a_right_that_lacks_in_postgresql_is_told_and_the_answers_are_kept(
    building: Callable[..., Asking], postgres_server: Postgres
) -> None:
    database = postgres_server.database()
    postgres_server.run(database, f"CREATE ROLE reader_{database} LOGIN")
    url = postgres_server.url(database, user=f"reader_{database}")
    asking = building(
        sources=f'pg: {{type: sqlalchemy, url: "{url}"}}',
        write_to="{table: recommendations, source: pg}",
    )
    report = asking.run()
    assert report.exit_code == 1
    assert "recommendations cannot be written" in str(entry(report).error)
    assert "the answers are kept" in str(entry(report).hint)
    postgres_server.run(database, f"GRANT CREATE ON SCHEMA public TO reader_{database}")
    assert counts(asking.run()).written == 200


def test_answers_are_written_to_snowflake(
    building: Callable[..., Asking], snowflake_server: Snowflake
) -> None:
    database = snowflake_server.database()
    asking = building(
        sources=(
            f"sf: {{type: snowflake, account: tests, user: tests, password: made-up, "
            f'url: "{snowflake_server.url}", database: {database}, schema: analytics}}'
        ),
        write_to="{table: recommendations, source: sf}",
    )
    for _ in range(2):
        report = asking.run()
        assert report.exit_code == 0, entry(report).error
    from snowflake.connector import connect

    host, port = snowflake_server.url.removeprefix("http://").split(":")
    with connect(
        account="tests", user="tests", password="made-up", host=host, port=int(port),
        protocol="http", database=database, schema="ANALYTICS",
        platform_detection_timeout_seconds=0.0,
    ) as connection:  # fmt: skip
        cursor = connection.cursor()
        last = f"'{counts(report).round}%'"
        found = cursor.execute(
            f"SELECT {COLUMNS} FROM RECOMMENDATIONS WHERE REQUEST_KEY LIKE {last}"
        ).fetchall()
        ((rows,),) = cursor.execute("SELECT count(*) FROM RECOMMENDATIONS").fetchall()
    assert_answered_once(found, users=20, items=8, limit=5)
    assert rows == 200


def test_answers_are_written_to_a_parquet_file(building: Callable[..., Asking]) -> None:
    asking = building(write_to="{path: out/recs.parquet}")
    asking.run(limit=7)
    asking.run()
    file = asking.folder / "out" / "recs.parquet"
    assert [path.name for path in file.parent.iterdir()] == ["recs.parquet"]
    with duckdb.connect() as connection:
        found = connection.execute(f"SELECT {COLUMNS} FROM read_parquet('{file}')").fetchall()
    assert_answered_once(found, users=20, items=8, limit=5)


def test_a_folder_gets_a_parquet_file_for_each_round(building: Callable[..., Asking]) -> None:
    asking = building(write_to="{path: out}")
    rounds = [counts(asking.run(limit=7)).round, counts(asking.run()).round]
    rounds += [counts(asking.run()).round]
    assert rounds[0] == rounds[1] != rounds[2]
    names = {path.name for path in (asking.folder / "out").iterdir()}
    assert names == {f"{rounds[0]}.parquet", f"{rounds[2]}.parquet"}


def test_answers_are_written_to_sqlite(building: Callable[..., Asking]) -> None:
    asking = building(
        sources='lite: {type: sqlalchemy, url: "sqlite:///out.sqlite"}',
        write_to="{table: recommendations, source: lite}",
    )
    asking.run(limit=7)
    assert asking.run().exit_code == 0
    with sqlite3.connect(asking.folder / "out.sqlite") as connection:
        found = connection.execute(f"SELECT {COLUMNS} FROM recommendations").fetchall()
    connection.close()
    assert_answered_once(found, users=20, items=8, limit=5)


def test_a_source_of_files_is_refused_before_anything_is_asked(
    building: Callable[..., Asking],
) -> None:
    asking = building(
        sources="files: {type: files, path: .}", write_to="{table: recs, source: files}"
    )
    with pytest.raises(ConfigError, match="has no tables to write to"):
        asking.run()
    assert asking.asked == 0


def settings(kind: str, folder: Path) -> DuckDBSettings | SQLAlchemySettings:
    from pydantic import SecretStr

    place = Place(folder)
    if kind == "duckdb":
        return DuckDBSettings("w", place, folder / "w.duckdb")
    return SQLAlchemySettings("w", place, SecretStr("sqlite:///w.sqlite"), folder)


def held(kind: str, folder: Path) -> list[tuple[Any, ...]]:
    sql = "SELECT k, n FROM t ORDER BY k, n"
    if kind == "duckdb":
        with duckdb.connect(str(folder / "w.duckdb")) as connection:
            return connection.execute(sql).fetchall()
    lite = sqlite3.connect(folder / "w.sqlite")
    try:
        return lite.execute(sql).fetchall()
    finally:
        lite.close()


@pytest.mark.parametrize("kind", ["duckdb", "sqlite"])
def test_rows_replace_those_of_their_key_and_no_others(kind: str, tmp_path: Path) -> None:
    to = settings(kind, tmp_path)
    assert write_table(to, "t", batch(("a", 1), ("a", 2), ("b", 1)), LAYOUT) == 3
    assert write_table(to, "t", batch(("a", 3), ("c", 1)), LAYOUT) == 2
    assert held(kind, tmp_path) == [("a", 3), ("b", 1), ("c", 1)]


@pytest.mark.parametrize("kind", ["duckdb", "sqlite"])
def test_a_read_that_breaks_off_leaves_the_table_as_it_was(kind: str, tmp_path: Path) -> None:
    to = settings(kind, tmp_path)
    write_table(to, "t", batch(("a", 1)), LAYOUT)
    whole = batch(("a", 9), ("b", 9)).read_all().to_batches()

    def broken() -> Any:
        yield whole[0]
        raise SourceError("it broke")

    reader = pa.RecordBatchReader.from_batches(whole[0].schema, broken())
    with pytest.raises(ConnectorError):
        write_table(to, "t", reader, LAYOUT)
    assert held(kind, tmp_path) == [("a", 1)]


def test_a_file_that_is_no_parquet_is_left_as_it_was(tmp_path: Path) -> None:
    file = tmp_path / "recs.parquet"
    file.write_text("something else")
    with pytest.raises(SourceError, match="cannot be written"):
        write_parquet(file, batch(("a", 1)), LAYOUT)
    assert file.read_text() == "something else"
    assert [path.name for path in tmp_path.iterdir()] == ["recs.parquet"]


def test_a_folder_that_is_a_file_is_an_error_of_the_table(tmp_path: Path) -> None:
    (tmp_path / "recs").write_text("something else")
    with pytest.raises(SourceError, match="cannot be written"):
        write_parquet(tmp_path / "recs" / "a.parquet", batch(("a", 1)), LAYOUT)


def test_json_arrives_as_json(tmp_path: Path) -> None:
    write_table(settings("duckdb", tmp_path), "s.t", batch(("a", 1)), LAYOUT)
    with duckdb.connect(str(tmp_path / "w.duckdb")) as connection:
        ((type_, value),) = connection.execute("SELECT typeof(j), j FROM s.t").fetchall()
    assert (type_, json.loads(value)) == ("JSON", {"a": 1})

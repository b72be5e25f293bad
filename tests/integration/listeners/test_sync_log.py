"""The sync log: what analysts find in the warehouse after some runs."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable

import duckdb
import pytest

from tests.support.road import CLICKS, Road, assert_clean

Listened = Callable[[str], Road]
LOG = "sync_log: {source: warehouse, schema: ops}\n"


def test_every_run_of_a_mapping_is_a_row_and_its_operations_are_others(listened: Listened) -> None:
    road = listened(LOG)
    first = road.sync()
    assert first.warnings == []
    road.write(
        "update users set tier = 'silver' where orders < 3", "delete from users where orders = 9"
    )
    second = road.sync("users")
    runs = road.rows(
        "select run_id, mapping, command, status, rows_read, acknowledged, rejected, pending, "
        "requests, error, finished_at >= started_at from ops.connector_runs order by started_at"
    )
    assert runs == [
        (first.run_id, "users", "sync", "done", 20, 20, 0, 0, 20, None, True),
        (first.run_id, "clicks", "sync", "done", 30, 30, 0, 0, 1, None, True),
        (second.run_id, "users", "sync", "done", 19, 4, 0, 0, 4, None, True),
    ]
    outcomes = road.rows(
        "select run_id, operation, planned, acknowledged from ops.connector_outcomes "
        "where mapping = 'users' order by finished_at, operation"
    )
    assert outcomes == [
        (first.run_id, "upsert", 20, 20),
        (second.run_id, "soft_delete", 1, 1),
        (second.run_id, "upsert", 3, 3),
    ]


def test_rejects_are_those_of_now_by_key_without_values(listened: Listened) -> None:
    road = listened(LOG)
    road.write("update users set note = repeat('x', 20000) where orders = 3")
    road.sync("users")
    rejects = (
        "select mapping, row_key, refused_by, code, field, row_count from ops.connector_rejects"
    )
    assert road.rows(rejects) == [("users", "u3", "source", "too_long", "note", 1)]
    road.write("update users set note = null")
    road.sync("users")
    assert road.rows(rejects) == [("users", None, None, None, None, 0)]


def test_whoever_was_erased_is_not_in_the_log(listened: Listened) -> None:
    road = listened(LOG)
    road.write("update users set note = repeat('x', 20000) where orders = 3")
    road.sync("users")
    road.write("delete from users where orders = 3")
    road.erase("u3")
    road.sync("users")
    assert road.rows("select row_key from ops.connector_rejects") == [(None,)]


def test_failures_are_logged_with_their_first_line(listened: Listened) -> None:
    road = listened(LOG)
    road.map("clicks", CLICKS.replace("uid: user_id", "uid: nobody"))
    road.sync()
    ((status, error),) = road.rows(
        "select status, error from ops.connector_runs where mapping = 'clicks'"
    )
    assert status == "failed"
    assert "'nobody' is no column of clicks" in error


def test_a_backfill_and_an_erasure_are_logged_too(listened: Listened) -> None:
    road = listened(LOG)
    assert_clean(road.sync("users"))
    road.erase("u3")
    commands = road.rows("select command, mapping from ops.connector_runs order by started_at")
    assert commands == [("sync", "users"), ("erase", "erase")]


def test_a_log_that_cannot_be_written_is_a_warning(listened: Listened) -> None:
    road = listened("")
    with duckdb.connect(str(road.warehouse)) as connection:
        connection.execute("create schema ops; create table ops.connector_runs (other integer)")
    road = listened(LOG)
    report = road.sync()
    assert report.exit_code == 0
    assert report.warnings[0].startswith("sync log: ")
    assert "connector_runs" in report.warnings[0]
    assert report.to_json()["warnings"] == report.warnings
    assert len(road.far_users()) == 20


@pytest.mark.parametrize("source", ["nowhere", "files"])
def test_a_log_in_a_source_that_has_no_tables_is_a_warning(listened: Listened, source: str) -> None:
    road = listened(f"sync_log: {{source: {source}}}\n")
    file = road.folder / "mappings" / "project.yaml"
    file.write_text(
        file.read_text().replace("targets:", "  files: {type: files, path: .}\ntargets:", 1)
    )
    report = road.sync()
    assert (report.exit_code, len(report.warnings)) == (0, 1)


def test_any_database_takes_the_log(listened: Listened) -> None:
    road = listened("sync_log: {source: other}\n")
    sqlite3.connect(road.folder / "other.db").close()
    file = road.folder / "mappings" / "project.yaml"
    other = '  other: {type: sqlalchemy, url: "sqlite:///other.db"}\ntargets:'
    file.write_text(file.read_text().replace("targets:", other, 1))
    report = road.sync()
    assert report.warnings == []
    with sqlite3.connect(road.folder / "other.db") as connection:
        rows = connection.execute(
            "select mapping, acknowledged from connector_runs order by mapping"
        ).fetchall()
    connection.close()
    assert rows == [("clicks", 30), ("users", 20)]


def test_without_being_asked_for_nothing_is_written(road: Road) -> None:
    assert_clean(road.sync())
    tables = road.rows("select table_name from information_schema.tables")
    assert not any(name.startswith("connector") for (name,) in tables)

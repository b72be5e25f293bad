"""What only the warehouse engine does: little moves, and its snapshot is safe where it is."""

# ruff: noqa: S608 - made of what this file draws
from __future__ import annotations

from pathlib import Path

import psycopg
import pytest

from connector.engine import LINES
from connector.engine.lines import SCHEMA, table_name
from connector.errors import ConfigError
from connector.prepare import bind
from connector.snapshot.store import StatePaths, open_store
from connector.source.base import Relation
from connector.source.postgres import PostgresSource
from tests.support.project_folder import ProjectFolder
from tests.support.stand import Stand
from tests.support.toll import Toll

MANY = """
INSERT INTO users
SELECT 'u' || i, 'de', 'gold', i % 9, md5(i::text), 'x', false, false, true
FROM generate_series(1, {rows}) AS i
"""

FEW = "substr(user_id, 2)::int % 1000 = 0"


def asked(stand: Stand, sql: str) -> list[tuple[object, ...]]:
    """Ask the database."""
    with psycopg.connect(stand.server.url(stand.database)) as connection:
        return connection.execute(sql.encode()).fetchall()


def lines(stand: Stand, what: str = "count(*)") -> list[tuple[object, ...]]:
    return asked(stand, f"SELECT {what} FROM {SCHEMA}.{table_name('far', 'users')}")


def only(stand: Stand, **options: object):  # type: ignore[no-untyped-def]
    report = stand.sync("users", **options)
    assert report is not None
    return report.mappings[0]


def test_only_changed_rows_leave_the_warehouse(stand: Stand) -> None:
    stand.server.run(stand.database, MANY.format(rows=20_000))
    only(stand, rebaseline=True)
    idle = moved(stand, changed=0)
    stand.server.run(stand.database, f"UPDATE users SET note = 'new' WHERE {FEW}")
    few = moved(stand, changed=20)
    stand.write(engine="duckdb")
    only(stand)
    everything = moved(stand, changed=0)
    assert few - idle < everything / 100
    assert idle < everything / 5  # what a driver asks of a database before it reads


def moved(stand: Stand, *, changed: int) -> int:
    """How many bytes the database sends for a sync of so many changed rows."""
    with Toll(stand.server.folder) as toll:
        stand.write(url=toll.url(stand.database))
        assert only(stand).changes["upsert"].acknowledged == changed
    stand.write(url="")
    return toll.sent


def test_the_snapshot_moves_with_the_engine(stand: Stand) -> None:
    stand.server.run(stand.database, MANY.format(rows=30))
    assert only(stand).changes["upsert"].acknowledged == 30
    stand.write(engine="duckdb")
    assert stand.plan("users").mappings[0].planned == 0
    assert only(stand).rows.unchanged == 30
    assert asked(stand, f"SELECT * FROM {SCHEMA}.meta") == []
    stand.write(engine="warehouse")
    assert stand.plan("users").mappings[0].planned == 0
    assert only(stand).rows.unchanged == 30
    assert lines(stand) == [(30,)]


def test_a_plan_makes_nothing_in_the_warehouse(stand: Stand) -> None:
    stand.server.run(stand.database, MANY.format(rows=3))
    assert stand.plan("users").mappings[0].changes["upsert"].planned == 3
    found = asked(stand, f"SELECT 1 FROM pg_namespace WHERE nspname = '{SCHEMA}'")
    assert found == []


def test_what_a_limit_leaves_is_sent_next_time(stand: Stand) -> None:
    stand.server.run(stand.database, MANY.format(rows=12))
    assert only(stand, limit=5).pending == 7
    assert only(stand, limit=5).pending == 2
    assert only(stand).changes["upsert"].acknowledged == 2
    stand.server.run(stand.database, "UPDATE users SET erase = true")
    assert only(stand, limit=5).pending == 7
    assert only(stand).changes["hard_delete"].acknowledged == 7
    assert stand.held() == ([], [])


def test_an_erased_user_is_in_no_line(stand: Stand) -> None:
    stand.server.run(stand.database, MANY.format(rows=4))
    only(stand)
    stand.erase("u2")
    assert len(lines(stand, "key")) == 3
    assert ("u2",) not in lines(stand, "key")
    assert only(stand).rows.suppressed == 1
    assert ("u2",) not in lines(stand, "key")


def test_skipped_rows_stay_where_they_are(stand: Stand) -> None:
    stand.server.run(stand.database, MANY.format(rows=5), "UPDATE users SET consent = false")
    stand.write(otherwise="skip")
    assert only(stand).rows.skipped == 5
    assert lines(stand, "count(row_fingerprint)") == [(5,)]
    again = only(stand)
    assert (again.rows.source, again.rows.skipped, again.rows.unchanged) == (5, 5, 0)
    stand.server.run(stand.database, "UPDATE users SET consent = true WHERE user_id = 'u1'")
    assert only(stand).changes["upsert"].acknowledged == 1


def test_a_sync_that_dies_sends_what_was_not_acknowledged(stand: Stand) -> None:
    stand.server.run(stand.database, MANY.format(rows=5))
    assert stand.sync("users", moment="before") is None
    assert only(stand).changes["upsert"].acknowledged == 5
    stand.server.run(stand.database, "UPDATE users SET consent = false WHERE user_id <> 'u1'")
    assert stand.sync("users", moment="before") is None
    assert only(stand).changes["soft_delete"].acknowledged == 4
    assert only(stand).planned == 0


def test_without_the_right_to_make_a_schema_the_error_says_which(stand: Stand) -> None:
    stand.server.run(
        stand.database,
        "DO $$ BEGIN IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'reader') "
        "THEN CREATE ROLE reader LOGIN; END IF; END $$",
        "GRANT SELECT ON ALL TABLES IN SCHEMA public TO reader",
    )
    url = stand.server.url(stand.database)
    file = stand.folder / "mappings" / "project.yaml"
    file.write_text(file.read_text().replace(url, stand.server.url(stand.database, "reader")))
    entry = only(stand)
    assert "permission denied" in (entry.error or "")
    assert f"CREATE SCHEMA {SCHEMA}" in (entry.hint or "")


def test_another_state_folder_may_not_use_the_snapshot(stand: Stand, tmp_path: Path) -> None:
    stand.server.run(stand.database, MANY.format(rows=2))
    only(stand)
    other = Stand(tmp_path / "other", stand.server, stand.database, stand.far, "warehouse")
    try:
        assert "another state folder" in (only(other).error or "")
    finally:
        other.close()


@pytest.mark.parametrize(
    ("before", "after", "says"),
    [
        ("uid: user_id", "uid: lower(user_id)", "6:3: .*'uid' is not a plain column"),
        ("note: note", "note: now()::varchar", r"10:9: .*changes with the time: now\(\)"),
        ("soft_when: closed", "soft_when: current_date > '2026-01-01'", "time: current_date"),
    ],
)
def test_what_the_warehouse_cannot_compare_is_refused(
    stand: Stand, before: str, after: str, says: str
) -> None:
    file = stand.folder / "mappings" / "users.yaml"
    file.write_text(file.read_text().replace(before, after))
    project = stand.project()
    with pytest.raises(ConfigError, match=says), bind(project, project.mapping("users")):
        pass


def test_events_whose_id_is_derived_are_refused(stand: Stand) -> None:
    file = stand.folder / "mappings" / "orders.yaml"
    file.write_text(file.read_text().replace("  id: order_id\n", ""))
    project = stand.project()
    with (
        pytest.raises(ConfigError, match="'id' is not mapped to a column"),
        bind(project, project.mapping("orders")),
    ):
        pass


def test_only_a_warehouse_that_compares_is_taken(tmp_path: Path) -> None:
    folder = ProjectFolder(tmp_path)
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "users.csv").write_text("user_id\nu1\n")
    folder.write(
        "m.yaml",
        "kind: users\nsource: files\ntable: users.csv\nengine: warehouse\nfields: {uid: user_id}\n",
    )
    project = folder.load()
    with (
        pytest.raises(ConfigError, match="Snowflake, which 'files' is not"),
        bind(project, project.mapping("m")),
    ):
        pass


def test_rows_that_time_moves_out_of_a_query_have_left(stand: Stand) -> None:
    stand.server.run(
        stand.database,
        MANY.format(rows=3),
        "ALTER TABLE users ADD COLUMN until timestamptz",
        "UPDATE users SET until = now() + interval '1 day'",
    )
    stand.write(more="where: until > now()")
    assert only(stand).changes["upsert"].acknowledged == 3
    stand.server.run(stand.database, "UPDATE users SET until = now() WHERE user_id = 'u2'")
    assert only(stand).changes["soft_delete"].acknowledged == 1


def test_a_unique_index_changes_nothing_but_the_work(stand: Stand) -> None:
    stand.server.run(stand.database, MANY.format(rows=3), "CREATE UNIQUE INDEX ON users (user_id)")
    assert only(stand).changes["upsert"].acknowledged == 3
    stand.server.run(stand.database, "UPDATE users SET note = 'x' WHERE user_id = 'u2'")
    assert only(stand).changes["upsert"].acknowledged == 1
    relation = Relation(table="users")
    with bind(stand.project(), stand.project().mapping("users")) as bound:
        assert isinstance(bound.source, PostgresSource)
        assert bound.source.is_unique(relation, "user_id")
        stand.server.run(stand.database, "CREATE TABLE more () INHERITS (users)")
        assert not bound.source.is_unique(relation, "user_id")
        assert not bound.source.is_unique(relation, "country")


def test_a_guard_stops_a_sync_before_the_first_byte(stand: Stand) -> None:
    stand.server.run(stand.database, MANY.format(rows=20))
    only(stand)
    stand.server.run(stand.database, "TRUNCATE users")
    assert str(only(stand).status) == "blocked"
    assert lines(stand) == [(20,)]
    assert only(stand, allow_deletes=20).changes["soft_delete"].acknowledged == 20


def test_events_of_an_erased_user_are_in_no_line_wherever_they_came_from(stand: Stand) -> None:
    stand.server.run(
        stand.database,
        "INSERT INTO orders SELECT i, 'u' || i % 2, i, '2026-03-01' FROM generate_series(1, 4) i",
    )
    stand.write(engine="duckdb")
    stand.sync("orders")
    stand.write(engine="warehouse")
    stand.sync("orders")
    stand.server.run(stand.database, "DELETE FROM orders WHERE order_id = 1")
    stand.erase("u1")
    subjects = f"SELECT subject FROM {SCHEMA}.{table_name('far', 'orders')}"
    assert asked(stand, subjects) == [("u0",), ("u0",)]


def test_the_state_file_says_where_the_snapshot_lies(stand: Stand) -> None:
    stand.server.run(stand.database, MANY.format(rows=2))
    only(stand)
    with open_store(StatePaths(stand.folder / "state" / "far", "users")) as store:
        assert store.meta(LINES) == f"w/{table_name('far', 'users')}"
        assert store.fetch("SELECT count(*) FROM state.snapshot") == [(0,)]

"""SQLite through SQLAlchemy: the road of every database that has no Arrow driver."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path

import pytest

from connector.errors import SourceError
from connector.source.base import Relation, Source, Window
from tests.support.sources import open_url, rows, types

TABLES = """
CREATE TABLE users (
    id INTEGER PRIMARY KEY, price DECIMAL(10, 2), score REAL, any_number NUMERIC, name TEXT,
    active BOOLEAN, born DATE, seen TIMESTAMP, loose JSON, raw BLOB, code UUID, "select" TEXT,
    empty TEXT
);
INSERT INTO users VALUES
    (1, 12.3, 1.5, 5, 'Zoë', 1, '2026-02-28', '2026-02-28 12:30:15.5', '{"a": [1, null]}',
     x'deadbeef', 'c-1', 'chosen :here 100%', NULL),
    (2, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL),
    (3, 12, 2, 2.5, 'b', 0, '2026-03-01', '2026-03-01T00:00:00', NULL, NULL, NULL, NULL, NULL);
CREATE TABLE events (id INTEGER, seen TIMESTAMP, told TEXT);
INSERT INTO events VALUES (0, '2026-03-01 00:00:00', '2026-03-01T00:00:00Z'),
    (1, '2026-03-01T01:00:00', '2026-03-01 02:00:00+01:00'),
    (2, '2026-03-01 02:00', '2026-03-01 02:00:00.000'),
    (3, '2026-03-01 03:00:00.000000', '2026-03-01 03:00:00'), (4, NULL, NULL);
CREATE TABLE turning (v INTEGER);
INSERT INTO turning WITH RECURSIVE n (v) AS (SELECT 1 UNION ALL SELECT v + 1 FROM n LIMIT 1500)
    SELECT v FROM n;
INSERT INTO turning VALUES ('text, now');
CREATE VIEW named AS SELECT id, name FROM users WHERE name IS NOT NULL;
"""

NUMBERS = (
    "WITH RECURSIVE n (v) AS (SELECT 1 UNION ALL SELECT v + 1 FROM n LIMIT 25000) SELECT v FROM n"
)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    with closing(sqlite3.connect(tmp_path / "data.db")) as connection:
        connection.executescript(TABLES)
    return tmp_path / "data.db"


@pytest.fixture
def sqlite(file: Path) -> Iterator[Source]:
    source = open_url("sqlite:///data.db", file.parent)
    yield source
    source.close()


def test_a_table_has_the_types_it_declares(sqlite: Source) -> None:
    assert types(sqlite, table="users") == {
        "id": "BIGINT",
        "price": "DECIMAL(10,2)",
        "score": "DOUBLE",
        "any_number": "DOUBLE",
        "name": "VARCHAR",
        "active": "BOOLEAN",
        "born": "DATE",
        "seen": "TIMESTAMP",
        "loose": "JSON",
        "raw": "BLOB",
        "code": "VARCHAR",
        "select": "VARCHAR",
        "empty": "VARCHAR",
    }
    assert rows(sqlite, table="users")[0] == (
        1, Decimal("12.30"), 1.5, 5.0, "Zoë", True, date(2026, 2, 28),
        datetime(2026, 2, 28, 12, 30, 15, 500_000), '{"a": [1, null]}', b"\xde\xad\xbe\xef",
        "c-1", "chosen :here 100%", None,
    )  # fmt: skip


def test_types_do_not_depend_on_which_rows_or_columns_are_wanted(sqlite: Source) -> None:
    whole = types(sqlite, query="SELECT * FROM users")
    wanted = types(sqlite, query="SELECT * FROM users", columns=("SELECT", "any_number"))
    assert wanted == {"select": whole["select"], "any_number": whole["any_number"]}


def test_views_queries_and_filters_are_in_its_own_sql(sqlite: Source) -> None:
    assert rows(sqlite, table="named") == [(1, "Zoë"), (3, "b")]
    assert rows(sqlite, table="main.users", columns=("id",), where="\"select\" LIKE '% :here 1%'")
    query = "SELECT id, ':x' AS colon FROM users -- all of them;"
    assert rows(sqlite, query=query, where="id % 2 = 1 -- odd") == [(1, ":x"), (3, ":x")]


@pytest.mark.parametrize("column", ["seen", "TOLD"])
def test_a_window_understands_every_spelling_of_a_time(sqlite: Source, column: str) -> None:
    window = Window(column, datetime(2026, 3, 1, 1), datetime(2026, 3, 1, 3))
    assert rows(sqlite, "id", table="events", window=window) == [(1,), (2,)]
    window = Window(column, datetime(2026, 3, 1, 3), or_null=True)
    assert rows(sqlite, "id", table="events", window=window) == [(3,), (4,)]


def test_a_column_that_turns_into_something_else_is_an_error_not_a_guess(sqlite: Source) -> None:
    with pytest.raises(SourceError, match="'v' of turning began as int64 and goes on with str"):
        rows(sqlite, table="turning")
    assert len(rows(sqlite, query="SELECT cast(v AS TEXT) AS v FROM turning")) == 1501


def test_rows_come_in_batches(sqlite: Source) -> None:
    with sqlite.read(Relation(query=NUMBERS)) as reader:
        assert [batch.num_rows for batch in reader] == [10_000, 10_000, 5_000]


def test_nothing_can_be_written(sqlite: Source, file: Path) -> None:
    for query in ("DELETE FROM users", "SELECT 1) q; DELETE FROM users; SELECT * FROM (SELECT 1"):
        with pytest.raises(SourceError, match="cannot be read"):
            rows(sqlite, query=query)
    with closing(sqlite3.connect(file)) as connection:
        assert connection.execute("SELECT count(*) FROM users").fetchone() == (3,)


def test_a_file_that_is_not_there_is_not_made(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match=r"no database file at .*none\.db; .* relative to"):
        open_url("sqlite:///none.db", tmp_path)
    assert not (tmp_path / "none.db").exists()


def test_a_file_of_another_kind_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "data.db").write_text("id,name\n" * 1000)
    source = open_url("sqlite:///data.db", tmp_path)
    with pytest.raises(SourceError, match="file is not a database"):
        rows(source, table="users")


def test_a_locked_file_is_an_error_that_says_so(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("connector.source.sqlalchemy._SQLITE_BUSY_SECONDS", 0.05)
    source = open_url("sqlite:///data.db", file.parent)
    with closing(sqlite3.connect(file)) as other:
        other.execute("BEGIN EXCLUSIVE")
        with pytest.raises(SourceError, match="database is locked; another program is writing"):
            rows(source, table="users")
    source.close()


@pytest.mark.parametrize(
    ("relation", "message"),
    [
        ({"table": "user"}, "no such table: user; did you mean 'users'?"),
        ({"table": "a..b"}, "'a..b' is no table name"),
        ({"table": "users", "columns": ("nam",)}, "'nam' is no column of users; did you mean"),
        ({"table": "users", "where": "nam = 1"}, "no such column: nam"),
        ({"query": "SELEC 1"}, "the query cannot be read: near"),
        ({"table": "users", "window": Window("score", datetime(2026, 1, 1))},
         "cursor column 'score' of users is double; a cursor is a column of dates or timestamps"),
    ],
)  # fmt: skip
def test_what_cannot_be_read_is_said_in_one_line(
    sqlite: Source, relation: dict[str, object], message: str
) -> None:
    with pytest.raises(SourceError) as caught:
        rows(sqlite, **relation)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("nonsense with s3cret", "`url` is no database URL; write dialect://"),
        ("klingon://u:s3cret@h/d", "SQLAlchemy knows no dialect 'klingon'"),
        ("oracle+oracledb://u:s3cret@h/d", "'oracledb' is not installed; pip install oracledb"),
        ("mysql://u:s3cret@h/d", "'MySQLdb' is not installed; pip install mysqlclient"),
    ],
)
def test_a_url_that_leads_nowhere_is_explained_without_its_password(url: str, message: str) -> None:
    with pytest.raises(SourceError) as caught:
        open_url(url)
    assert message in str(caught.value)
    assert "s3cret" not in str(caught.value)


@pytest.mark.parametrize(
    ("module", "opened", "extra"),
    [
        ("adbc_driver_postgresql", 'SQLAlchemySettings("w", place, SecretStr("postgresql://h/d"), '
         "Path())", "postgres"),
        ("snowflake", 'SnowflakeSettings("w", place, account="a")', "snowflake"),
    ],
)  # fmt: skip
def test_a_missing_driver_is_named_with_what_to_install(
    module: str, opened: str, extra: str
) -> None:
    script = f"""
import sys
from pathlib import Path
from pydantic import SecretStr
from connector.errors import Place, SourceError
from connector.source.open import open_source
from connector.source.settings import SnowflakeSettings, SQLAlchemySettings

heavy = {{"snowflake", "sqlalchemy", "adbc_driver_manager", "connector.source.files"}}
assert not heavy & sys.modules.keys()
sys.modules[{module!r}] = None
place = Place(Path("project.yaml"))
try:
    open_source({opened})
except SourceError as error:
    print(error)
"""
    done = subprocess.run(
        [sys.executable, "-c", script], check=True, capture_output=True, text=True
    )
    assert f"is not installed; pip install 'sequen-connector[{extra}]'" in done.stdout

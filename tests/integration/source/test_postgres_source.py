"""PostgreSQL through ADBC, against a real server."""

from __future__ import annotations

import traceback
from datetime import UTC, date, datetime
from decimal import Decimal

import duckdb
import pytest

from connector.errors import SourceError
from connector.source.base import Relation, Source, Window
from tests.support.postgres import Postgres
from tests.support.sources import open_url, rows, types

SCHEMA = """
CREATE EXTENSION vector;
CREATE TYPE mood AS ENUM ('sad', 'ok');
CREATE TYPE point_of AS (x int, label text);
CREATE TYPE priced AS (name text, price numeric);
CREATE DOMAIN positive AS numeric(8, 2) CHECK (VALUE > 0);
CREATE SCHEMA "Mixed Case";
CREATE TABLE "Mixed Case"."Users" ("Id" int, "select" text);
INSERT INTO "Mixed Case"."Users" VALUES (1, 'chosen');
CREATE TABLE events (id int PRIMARY KEY, at timestamptz, local timestamp, day date);
INSERT INTO events
SELECT n, '2026-03-01T00:00:00Z'::timestamptz + n * interval '1 hour',
    '2026-03-01'::timestamp + n * interval '1 hour', '2026-03-01'::date + n
FROM generate_series(0, 9) AS n;
INSERT INTO events VALUES (10);
CREATE TABLE nulls AS SELECT n FROM generate_series(1, 2) AS n;
CREATE TABLE secret (id int);
CREATE ROLE reader LOGIN PASSWORD 'sesame!';
GRANT SELECT ON events TO reader;
CREATE TABLE written (id int);
CREATE FUNCTION write() RETURNS int LANGUAGE sql AS 'INSERT INTO written VALUES (1) RETURNING id';
"""


@pytest.fixture(scope="module", autouse=True)
def _tables(postgres_server: Postgres, database: str) -> None:
    postgres_server.run(database, SCHEMA)


@pytest.mark.parametrize(
    ("expression", "type_", "value"),
    [
        ("1::int2", "SMALLINT", 1),
        ("9007199254740993::int8", "BIGINT", 9007199254740993),
        ("4294967295::oid", "BIGINT", 4294967295),
        ("true", "BOOLEAN", True),
        ("1.5::float4", "FLOAT", 1.5),
        ("0.1::float8", "DOUBLE", 0.1),
        ("12.30::numeric(10, 2)", "DECIMAL(10,2)", Decimal("12.30")),
        ("12::numeric(38)", "DECIMAL(38,0)", Decimal(12)),
        ("(10::numeric ^ 37)::numeric(38)", "DECIMAL(38,0)", Decimal(10**37)),
        ("4.5::positive", "DECIMAL(8,2)", Decimal("4.50")),
        ("1.25::numeric", "DOUBLE", 1.25),
        ("'Infinity'::numeric", "DOUBLE", float("inf")),
        ("1.5::numeric(60, 3)", "DOUBLE", 1.5),
        ("1200::numeric(2, -2)", "DOUBLE", 1200.0),
        ("12.5::money", "DOUBLE", 12.5),
        ("'Zoë'::text", "VARCHAR", "Zoë"),
        ("'ab'::varchar(5)", "VARCHAR", "ab"),
        ("'sad'::mood", "VARCHAR", "sad"),
        ("'{sad,ok}'::mood[]", "VARCHAR[]", ["sad", "ok"]),
        ("'{a,NULL,\"b,c\"}'::text[]", "VARCHAR[]", ["a", None, "b,c"]),
        ("'{}'::text[]", "VARCHAR[]", []),
        ("'{1,2}'::int[]", "INTEGER[]", [1, 2]),
        ("'{1.5,2}'::numeric[]", "DOUBLE[]", [1.5, 2.0]),
        ("'{0.5,0.25}'::float4[]", "FLOAT[]", [0.5, 0.25]),
        ("'{0.1,0.2}'::float8[]", "DOUBLE[]", [0.1, 0.2]),
        ("'[0.5,0.25]'::vector(2)", "FLOAT[]", [0.5, 0.25]),
        ("'[0.5,0.25]'::halfvec(2)", "FLOAT[]", [0.5, 0.25]),
        ("""'{"a": 1}'::json""", "JSON", '{"a": 1}'),
        ("""'{"a": [1, null]}'::jsonb""", "JSON", '{"a": [1, null]}'),
        ("row(1, 'at')::point_of", "JSON", '{"x":1,"label":"at"}'),
        ("array[row(1, 'at')::point_of]", "JSON", '[{"x":1,"label":"at"}]'),
        ("row('tea', 2.5)::priced", "JSON", '{"name":"tea","price":2.5}'),
        ("'\\xdeadbeef'::bytea", "BLOB", b"\xde\xad\xbe\xef"),
        ("'10.0.0.1/8'::inet", "VARCHAR", "10.0.0.1/8"),
        ("'[1,3)'::int4range", "VARCHAR", "[1,3)"),
        ("'101'::bit(3)", "VARCHAR", "101"),
        ("'12:30+02'::timetz", "VARCHAR", "12:30:00+02"),
        ("'{10.0.0.1}'::inet[]", "VARCHAR[]", ["10.0.0.1/32"]),
        ("'2026-02-28'::date", "DATE", date(2026, 2, 28)),
        ("'2026-02-28 12:30:15.123456'::timestamp", "TIMESTAMP",
         datetime(2026, 2, 28, 12, 30, 15, 123456)),
    ],
)  # fmt: skip
def test_a_type_arrives_as_what_it_is(
    postgres: Source, expression: str, type_: str, value: object
) -> None:
    once = f"SELECT 1 AS n, {expression} AS v"
    query = f"SELECT v FROM ({once}) AS t RIGHT JOIN nulls USING (n)"  # noqa: S608 - constants
    assert types(postgres, query=query) == {"v": type_}
    assert rows(postgres, query=query) == [(value,), (None,)]


def test_instants_arrive_in_utc_and_uuids_as_uuids(postgres: Source) -> None:
    query = (
        "SELECT '2026-03-01 12:00+02'::timestamptz AS moment, "
        "'5b0f0f1c-3c5e-4b52-9d0a-111111111111'::uuid AS id"
    )
    assert types(postgres, query=query) == {"moment": "TIMESTAMP WITH TIME ZONE", "id": "UUID"}
    [(moment, id_)] = rows(postgres, "moment, id::VARCHAR", query=query)
    assert moment.astimezone(UTC) == datetime(2026, 3, 1, 10, tzinfo=UTC)
    assert id_ == "5b0f0f1c-3c5e-4b52-9d0a-111111111111"


@pytest.mark.parametrize("type_", ["timestamp", "timestamptz", "date"])
def test_infinite_times_stay_infinite(postgres: Source, type_: str) -> None:
    query = (
        f"SELECT v::{type_} AS v "  # noqa: S608 - a constant of this file
        "FROM unnest('{infinity,-infinity,2026-01-01,NULL}'::text[]) AS v"
    )
    found = [text for (text,) in rows(postgres, "left(v::VARCHAR, 10)", query=query)]
    assert found == ["infinity", "-infinity", "2026-01-01", None]


def test_nan_without_a_place_for_it_is_an_error_that_names_the_column(postgres: Source) -> None:
    query = "SELECT v FROM (VALUES (1.5::numeric(4, 2)), ('NaN'::numeric(4, 2))) AS t (v)"
    with pytest.raises(SourceError, match=r"'v' .* holds NaN, .* numeric\(4, 2\) .*\"v\"::float8"):
        rows(postgres, query=query)
    query = query.replace("SELECT v", "SELECT v::float8 AS v")
    assert [str(v) for (v,) in rows(postgres, query=query)] == ["1.5", "nan"]


def test_names_are_taken_as_written_whatever_they_are(postgres: Source) -> None:
    table = '"Mixed Case".Users'
    assert rows(postgres, table=table) == [(1, "chosen")]
    assert rows(postgres, table=table, columns=("select",)) == [("chosen",)]
    assert rows(postgres, table=table, columns=("id",), where='"select" is not null') == [(1,)]


def test_a_name_that_is_nowhere_as_written_is_taken_in_lower_case(postgres: Source) -> None:
    assert len(rows(postgres, table="PUBLIC.Events")) == 11


def test_a_table_without_a_schema_is_looked_for_in_the_schema_of_the_source(
    postgres_server: Postgres, database: str
) -> None:
    source = open_url(postgres_server.url(database), schema="Mixed Case")
    assert rows(source, table="Users") == [(1, "chosen")]
    source.close()


def test_500_columns_come_with_those_that_are_asked_for(postgres: Source) -> None:
    query = "SELECT " + ", ".join(f"{n} AS c{n}" for n in range(500))
    assert rows(postgres, query=query) == [tuple(range(500))]
    assert rows(postgres, query=query, columns=("c499", "c0")) == [(499, 0)]


@pytest.mark.parametrize("column", ["at", "AT", "local"])
def test_a_window_is_half_open(postgres: Source, column: str) -> None:
    window = Window(column, datetime(2026, 3, 1, 2), datetime(2026, 3, 1, 5))
    assert rows(postgres, "id", table="events", window=window) == [(2,), (3,), (4,)]


def test_a_window_may_be_open_and_take_in_rows_without_a_time(postgres: Source) -> None:
    window = Window("day", datetime(2026, 3, 9), or_null=True)
    assert rows(postgres, "id", table="events", window=window) == [(8,), (9,), (10,)]


def test_a_window_over_local_times_loses_no_row_to_the_clocks(
    postgres_server: Postgres, database: str
) -> None:
    source = open_url(postgres_server.url(database), timezone="Europe/Paris")
    window = Window("local", datetime(2026, 3, 1, 3), datetime(2026, 3, 1, 4))
    found = {id_ for (id_,) in rows(source, "id", table="events", window=window)}
    assert {4} <= found <= {3, 4, 5}
    source.close()


def test_where_and_window_are_asked_of_the_server(postgres: Source) -> None:
    relation = {"query": "SELECT n, 1 / n AS x FROM generate_series(-5, 5) AS n"}
    with pytest.raises(SourceError, match="division by zero"):
        rows(postgres, **relation)
    assert rows(postgres, "n", **relation, where="n > 3 -- large") == [(4,), (5,)]
    assert len(rows(postgres, "n", **relation, columns=("n",))) == 11


def test_a_read_is_of_one_moment(
    postgres: Source, postgres_server: Postgres, database: str
) -> None:
    postgres_server.run(
        database, "CREATE TABLE moving AS SELECT n FROM generate_series(1, 200000) AS n"
    )
    with postgres.read(Relation(table="moving", columns=("n",))) as reader:
        postgres_server.run(database, "DELETE FROM moving", "INSERT INTO moving VALUES (-1)")
        [(count, least)] = duckdb.from_arrow(reader).aggregate("count(*), min(n)").fetchall()
    assert (count, least) == (200_000, 1)
    assert rows(postgres, table="moving") == [(-1,)]


def test_nothing_can_be_written(postgres: Source, postgres_server: Postgres, database: str) -> None:
    with pytest.raises(SourceError, match="cannot execute INSERT in a read-only transaction"):
        rows(postgres, query="SELECT write() AS id")
    with pytest.raises(SourceError, match="cannot insert multiple commands"):
        rows(postgres, query="SELECT 1) q; DROP TABLE written; SELECT * FROM (SELECT 1")
    assert rows(postgres, table="written") == []


def test_a_read_left_early_gives_the_connection_back(postgres: Source) -> None:
    endless = Relation(query="SELECT n FROM generate_series(1, 3000000) AS n")
    with postgres.read(endless) as reader:
        assert reader.read_next_batch().num_rows > 0
    assert rows(postgres, query="SELECT 1 AS n") == [(1,)]


@pytest.mark.parametrize(
    ("relation", "message"),
    [
        ({"table": "event"}, 'relation "event" does not exist; did you mean \'events\'?'),
        ({"table": "a..b"}, "'a..b' is no table name"),
        ({"table": "events", "columns": ("idd",)}, "'idd' is no column of events; "
         "did you mean 'id'?"),
        ({"table": "events", "where": "ida = 1"}, 'column "ida" does not exist'),
        ({"table": "events", "where": "nope"}, 'column "nope" does not exist'),
        ({"query": "SELEC 1"}, "the query cannot be read: syntax error"),
        ({"table": "events", "window": Window("id", datetime(2026, 1, 1))},
         "cursor column 'id' of events is int32; a cursor is a column of dates or timestamps"),
    ],
)  # fmt: skip
def test_what_cannot_be_read_is_said_in_one_line(
    postgres: Source, relation: dict[str, object], message: str
) -> None:
    with pytest.raises(SourceError) as caught:
        rows(postgres, **relation)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_table_without_the_right_to_it_is_named_with_the_right(
    postgres_server: Postgres, database: str
) -> None:
    source = open_url(postgres_server.url(database, "reader"))
    assert len(rows(source, table="events")) == 11
    with pytest.raises(SourceError, match=r"permission denied for table secret; grant .*SELECT"):
        rows(source, table="secret")
    source.close()


def test_a_table_under_lock_is_not_waited_for_for_ever(
    postgres: Source,
    postgres_server: Postgres,
    database: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    import psycopg

    monkeypatch.setattr("connector.source.postgres._LOCK_TIMEOUT", "50ms")
    with psycopg.connect(postgres_server.url(database)) as other:
        other.execute("LOCK TABLE events IN ACCESS EXCLUSIVE MODE")
        with pytest.raises(SourceError, match="lock timeout; another session has locked it"):
            rows(postgres, table="events")
    assert len(rows(postgres, table="events")) == 11


def test_a_wrong_password_is_said_and_not_shown(postgres_server: Postgres, database: str) -> None:
    postgres_server.demand_password("reader")
    open_url(postgres_server.url(database, "reader", "sesame%21")).close()
    wrong = "open-says-me"
    with pytest.raises(SourceError) as caught:
        open_url(postgres_server.url(database, "reader", wrong))
    assert "password authentication failed" in str(caught.value)
    assert "check the user and the password" in str(caught.value)
    assert wrong not in "".join(traceback.format_exception(caught.value))


def test_a_server_or_database_that_is_not_there_is_named(postgres_server: Postgres) -> None:
    with pytest.raises(SourceError, match='"nowhere" does not exist; check the database'):
        open_url(postgres_server.url("nowhere"))
    with pytest.raises(SourceError, match="Connection refused; is the server running"):
        open_url("postgresql://user:hidden@127.0.0.1:1/warehouse")


def test_a_server_that_goes_away_is_an_error_of_the_source(
    postgres: Source, postgres_server: Postgres, database: str
) -> None:
    postgres_server.run(
        database,
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
        "WHERE application_name = 'sequen-connector'",
    )
    with pytest.raises(SourceError, match=r"terminat|closed"):
        rows(postgres, table="events")


@pytest.mark.parametrize("kind", ["int", "text", "float8", "numeric", "uuid"])
def test_arrays_of_several_dimensions_are_not_flattened(
    postgres_server: Postgres, database: str, postgres: Source, kind: str
) -> None:
    value = "'00000000-0000-0000-0000-000000000001'" if kind == "uuid" else "1"
    flat, nested = f"array[{value}]::{kind}[]", f"array[[{value}],[{value}]]::{kind}[]"
    for query in (
        f"select {flat} as a",
        f"select '{{}}'::{kind}[] as a",
        "select null::int[] as a",
    ):
        assert len(rows(postgres, query=query)) == 1
    with pytest.raises(SourceError, match="column 'a' holds arrays of several dimensions"):
        rows(postgres, query=f"select {flat} as a union all select {nested}")
    [(as_json,)] = rows(postgres, query=f"select to_json({nested}) as a")
    assert str(as_json).startswith("[[")

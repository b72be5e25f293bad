"""PostgreSQL as a source: COPY straight into Arrow, through ADBC.

Every read is one read-only transaction with one snapshot.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from difflib import get_close_matches
from typing import TYPE_CHECKING, Any

import pyarrow as pa
from sqlalchemy.engine import URL

from connector.errors import SourceError
from connector.source.base import Origin, Portion, Relation, Window
from connector.source.extras import not_installed
from connector.source.postgres_types import (
    delivered,
    kind_of,
    mended,
    nested_arrays,
    readable,
    spelled,
)
from connector.source.query import (
    Bound,
    bounds,
    chosen,
    find_column,
    is_away,
    select,
    subquery,
    within,
)
from connector.source.settings import SQLAlchemySettings
from connector.source.stream import stream
from connector.sql import identifier, literal, table_parts

if TYPE_CHECKING:
    from adbc_driver_manager.dbapi import Connection, Cursor

_LOCK_TIMEOUT = "60s"
_TRANSACTION = (
    "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY",
    "SET LOCAL TimeZone = 'UTC'",
    "SET LOCAL extra_float_digits = 1",  # numbers that differ are different texts
)
_CONNECT_SECONDS = "10"

_TEXTS = {"text", "varchar"}

_HINTS = {
    "28P01": "check the user and the password of `url`",
    "42501": "grant the user of `url` the right: GRANT SELECT ON … TO …, and USAGE on the schema",
    "55P03": "another session has locked it; try again when that is done",
    "25006": "a source is only ever read",
}
_CONNECT_HINTS = (
    ("password authentication failed", "check the user and the password of `url`"),
    ("no password supplied", "the `url` names no password: user:password@host"),
    ("could not translate host name", "check the host of `url`"),
    ("Connection refused", "is the server running there, and may this machine reach it?"),
    ("No such file or directory", "is the server running there?"),
    ("timeout expired", "may this machine reach it? a firewall is the usual cause"),
    ("no pg_hba.conf entry", "the server does not let this user in from this machine"),
    ("role ", "check the user of `url`"),
    ("database ", "check the database of `url`"),
)


class PostgresSource:
    """Reads tables, views and queries of one database, with the rights of the URL's user."""

    def __init__(self, settings: SQLAlchemySettings, url: URL) -> None:
        self.name = settings.name
        self.timezone = settings.timezone
        self._schema = settings.schema
        self._secret = url.password
        self._connection = self._connect(url)

    def schema(self, relation: Relation) -> pa.Schema:
        """The columns `read` would yield; the query is prepared, not run."""
        with self._transaction(relation) as cursor:
            return delivered(cursor.adbc_execute_schema(self._statement(cursor, relation)))

    @contextmanager
    def read(self, relation: Relation) -> Iterator[pa.RecordBatchReader]:
        """Stream the rows as Arrow batches."""
        with self._transaction(relation) as cursor:
            cursor.execute(self._statement(cursor, relation))
            with cursor.fetch_record_batch() as reader:
                schema = delivered(reader.schema)
                with stream(schema, self._batches(relation, reader, schema)) as batches:
                    yield batches

    def plain(self, relation: Relation) -> str:
        """The statement for the rows of a relation as the database has them, not as they are
        read."""
        with self._transaction(relation) as cursor:
            rows = self._rows(cursor, relation)
            return select(relation, rows, [identifier(name) for name in relation.columns or ()])

    def is_unique(self, relation: Relation, column: str) -> bool:
        """By a unique index on that column of the table alone, which no child table escapes."""
        if relation.table is None:
            return False
        with self._transaction(relation) as cursor:
            table = literal(self._rows(cursor, relation))
            cursor.execute(
                "SELECT count(*) FROM pg_index AS i "  # noqa: S608 - quoted
                "JOIN pg_attribute AS a ON a.attrelid = i.indrelid AND a.attnum = i.indkey[0] "
                f"WHERE i.indrelid = to_regclass({table}) AND a.attname = {literal(column)} "
                "AND i.indisunique AND i.indisvalid AND i.indnkeyatts = 1 AND i.indpred IS NULL "
                "AND NOT EXISTS (SELECT FROM pg_inherits AS h JOIN pg_class AS c "
                "ON c.oid = h.inhparent WHERE c.oid = i.indrelid AND c.relkind = 'r')"
            )
            [(count,)] = cursor.fetchall()
        return bool(count)

    def origin(self, relation: Relation) -> Origin | None:
        """None: rows are read."""
        return None

    def interrupt(self) -> None:
        """Have the server give up what is being read."""
        self._connection.adbc_cancel()

    def close(self) -> None:
        """Close the connection."""
        self._connection.close()

    def _connect(self, url: URL) -> Connection:
        try:
            from adbc_driver_postgresql import dbapi
        except ImportError:
            raise not_installed(self.name, "postgres") from None
        try:
            connection: Connection = dbapi.connect(conninfo(url), autocommit=True)
        except dbapi.Error as error:
            said = self._said(error)
            hint = next((hint for words, hint in _CONNECT_HINTS if words in said), None)
            raise SourceError(
                f"source {self.name!r}: {said}", hint=hint, transient=is_away(said)
            ) from None
        return connection

    def _batches(
        self, relation: Relation, reader: pa.RecordBatchReader, schema: pa.Schema
    ) -> Iterator[pa.RecordBatch]:
        try:
            for batch in reader:
                columns = zip(batch.columns, schema, strict=True)
                arrays = [self._mend(column, to, relation) for column, to in columns]
                yield pa.RecordBatch.from_arrays(arrays, schema=schema)
        except (OSError, pa.ArrowException) as error:
            said = self._said(error)
            raise SourceError(
                f"source {self.name!r}: reading {relation} failed: {said}", transient=is_away(said)
            ) from None

    def _mend(self, column: pa.Array, to: pa.Field, relation: Relation) -> pa.Array:
        try:
            return mended(column, to.type)
        except pa.ArrowInvalid:
            raise SourceError(
                f"source {self.name!r}: column {to.name!r} of {relation} holds NaN, "
                f"for which {spelled(to.type)} has no place",
                hint=f"read it with a `query`, as {identifier(to.name)}::float8",
            ) from None

    @contextmanager
    def _transaction(self, relation: Relation) -> Iterator[Cursor]:
        from adbc_driver_manager.dbapi import Error

        with closing(self._connection.cursor()) as cursor:
            try:
                for statement in _TRANSACTION:
                    cursor.execute(statement)
                cursor.execute(f"SET LOCAL lock_timeout = {literal(_LOCK_TIMEOUT)}")
                if self._schema is not None:
                    cursor.execute(f"SET LOCAL search_path = {identifier(self._schema)}")
                yield cursor
            except Error as error:
                self._end(cursor)
                raise self._explained(error, relation, cursor) from None
            finally:
                self._end(cursor)

    def _end(self, cursor: Cursor) -> None:
        from adbc_driver_manager.dbapi import Error

        # A connection that broke has no transaction left to end.
        with suppress(Error):
            cursor.execute("ROLLBACK")

    def _statement(self, cursor: Cursor, relation: Relation) -> str:
        rows = self._rows(cursor, relation)
        described = cursor.adbc_execute_schema(select(relation, rows))
        columns = [readable(described.field(name)) for name in chosen(relation, described.names)]
        conditions = []
        if relation.window is not None:
            conditions.append(self._within(relation.window, described, relation))
        if relation.portion is not None:
            conditions += _portion(relation.portion, described, relation)
        return select(relation, rows, columns, " AND ".join(conditions) or None)

    def _within(self, window: Window, described: pa.Schema, relation: Relation) -> str:
        column = find_column(window.column, described.names, relation)
        ends = bounds(window, described, relation, self.timezone)
        return within(window, ends, _condition, identifier(column))

    def _rows(self, cursor: Cursor, relation: Relation) -> str:
        """The table by its exact name or, where there is none, in lower case as SQL has it."""
        if relation.table is None:
            return subquery(relation.query or "")
        try:
            parts = table_parts(relation.table)
        except ValueError:
            raise SourceError(f"{relation.table!r} is no table name") from None
        exact = ".".join(identifier(part) for part in parts)
        folded = ".".join(identifier(part.lower()) for part in parts)
        if exact == folded:
            return exact
        cursor.execute(f"SELECT to_regclass({literal(exact)}) IS NOT NULL")
        [(found,)] = cursor.fetchall()
        return exact if found else folded

    def _explained(self, error: Exception, relation: Relation, cursor: Cursor) -> SourceError:
        state = getattr(error, "sqlstate", None) or ""
        hint = _HINTS.get(state) or _own_hint(str(error))
        if state == "42P01" and relation.table is not None:
            hint = self._closest(cursor, relation.table)
        said = self._said(error)
        return SourceError(
            f"source {self.name!r}: {relation} cannot be read: {said}",
            hint=hint,
            transient=is_away(said, state),
        )

    def _closest(self, cursor: Cursor, table: str) -> str | None:
        cursor.execute(
            "SELECT CASE WHEN pg_table_is_visible(c.oid) THEN c.relname "
            "ELSE n.nspname || '.' || c.relname END "
            "FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace "
            "WHERE c.relkind IN ('r', 'v', 'm', 'p', 'f') "
            "AND n.nspname NOT IN ('pg_catalog', 'information_schema', 'pg_toast')"
        )
        known = [str(name) for (name,) in cursor.fetchall()]
        close = get_close_matches(table, known, n=1, cutoff=0.5)
        return f"did you mean {close[0]!r}?" if close else None

    def _said(self, error: Exception) -> str:
        """What the server or the driver said, as one line without the password."""
        text = str(error).partition("\n\nQuery was:")[0]
        if nested := nested_arrays(text):
            return nested
        said = re.search(r"(?:Failed to connect: |ERROR:\s+)(.*)", text)
        line = said[1] if said else text.splitlines()[0]
        return line.replace(self._secret, "***") if self._secret else line


def conninfo(url: URL) -> str:
    """A SQLAlchemy URL as libpq wants it; `?host=` and the like go through."""
    hosts = url.query.get("host")
    several = not isinstance(hosts, str) and hosts is not None
    given: dict[str, Any] = {
        "connect_timeout": _CONNECT_SECONDS,
        "application_name": "sequen-connector",
        "host": url.host,
        "port": url.port,
        "user": url.username,
        "password": url.password,
        "dbname": url.database,
    }
    for key, value in url.query.items():
        given[key] = value if isinstance(value, str) else ",".join(value)
    if several:
        # SQLAlchemy writes several hosts as ?host=a:5432&host=b:5432.
        pairs = [host.partition(":") for host in hosts or ()]
        given["host"] = ",".join(host for host, _, _ in pairs)
        given["port"] = ",".join(port or "5432" for _, _, port in pairs)
    return " ".join(f"{key}={_quoted(value)}" for key, value in given.items() if value)


def _quoted(value: object) -> str:
    return "'" + str(value).replace("\\", "\\\\").replace("'", "\\'") + "'"


def _own_hint(text: str) -> str | None:
    found = re.search(r"HINT:\s+(.*)", text)
    return found[1].rstrip(".") if found else None


def _condition(end: Bound) -> str:
    # COPY takes no parameters; the constant is made of a datetime and nothing else.
    kind = "TIMESTAMPTZ" if end.moment.tzinfo else "TIMESTAMP"
    moment = f"{kind} {literal(end.moment.isoformat(sep=' '))}"
    return f"{identifier(end.column)} {end.operator} {moment}"


def _portion(portion: Portion, described: pa.Schema, relation: Relation) -> Iterator[str]:
    """The condition that DuckDB's SQL says too, for what both spell alike as text."""
    field = described.field(find_column(portion.column, described.names, relation))
    if not (pa.types.is_integer(field.type) or kind_of(field) in _TEXTS):
        return
    key = f"{identifier(field.name)}::text"
    bits = f"('x' || left(md5(convert_to({key}, 'UTF8')), 8))::bit(32)::bigint"
    shard = portion.shard
    yield (
        f"({bits} % {shard.of:d} = {shard.number - 1:d} OR {key} IS NULL "
        f"OR {key} IN ('', '.', '..') OR {key} ~ '[\\u0001-\\u001f\\u007f-\\u009f]')"
    )

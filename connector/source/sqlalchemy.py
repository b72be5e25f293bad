"""Whatever SQLAlchemy speaks as a source: PostgreSQL through ADBC, all else through its driver.

Rows come over a server-side cursor where the driver has one, and become Arrow in batches. A
column's type is settled once for each opened source, from what the table declares and from its
first rows, and never changes within a read.
"""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from difflib import get_close_matches
from pathlib import Path
from typing import Any

import pyarrow as pa
import sqlalchemy as sa
from sqlalchemy import exc, types
from sqlalchemy.engine import URL, CursorResult, Engine, make_url
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.pool import NullPool

from connector.errors import SourceError
from connector.source.base import Origin, Relation, Source
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
from connector.source.rows import JSON, LOCAL_TIME, NotThatTypeError, settle, to_array
from connector.source.settings import SQLAlchemySettings
from connector.source.stream import stream
from connector.sql import table_parts

_ROWS_PER_BATCH = 10_000
"""Rows are Python objects on their way to Arrow, each some hundred bytes."""

_ROWS_LOOKED_AT = 1_000
_SQLITE_BUSY_SECONDS = 30

_DRIVERS = {
    "mysqldb": "mysqlclient",
    "pymysql": "pymysql",
    "oracledb": "oracledb",
    "pyodbc": "pyodbc",
    "psycopg2": "psycopg2-binary",
}
_MOMENTS = {">=": "window_start", "<": "window_end"}
_SQLITE_INSTANT = "strftime('%Y-%m-%d %H:%M:%f', {})"
"""SQLite has no type for times; this puts every spelling it knows into one that compares."""


def open_url(settings: SQLAlchemySettings) -> Source:
    """The source behind a SQLAlchemy URL.

    Raises:
        SourceError: the URL makes no sense, its driver is not installed, nothing answers there.
    """
    try:
        url = make_url(settings.url.get_secret_value())
    except (exc.ArgumentError, ValueError):
        raise SourceError(
            f"source {settings.name!r}: `url` is no database URL",
            hint="write dialect://user:password@host/database",
        ) from None
    if url.get_backend_name() == "postgresql":
        from connector.source.postgres import PostgresSource

        return PostgresSource(settings, url)
    return SQLAlchemySource(settings, url)


class SQLAlchemySource:
    """Reads tables, views and queries over one connection, with SELECT alone."""

    def __init__(self, settings: SQLAlchemySettings, url: URL) -> None:
        self.name = settings.name
        self.timezone = settings.timezone
        self._schema_name = settings.schema
        self._secret = url.password
        self._settled: dict[Relation, pa.Schema] = {}
        self._running: object = None
        with self._errors("it"):
            self._engine = self._create_engine(url, settings.folder)
            with self._engine.connect():
                pass

    def schema(self, relation: Relation) -> pa.Schema:
        """The columns `read` would yield."""
        whole = self._whole(relation)
        return pa.schema([whole.field(name) for name in chosen(relation, whole.names)])

    @contextmanager
    def read(self, relation: Relation) -> Iterator[pa.RecordBatchReader]:
        """Stream the rows as Arrow batches."""
        whole = self._whole(relation)
        schema = self.schema(relation)
        quote = self._engine.dialect.identifier_preparer.quote_identifier
        columns = [quote(name) for name in schema.names]
        condition, values = self._within(relation, whole)
        sql = select(relation, self._rows(relation), columns, condition)
        with (
            self._run(relation, sql, values) as result,
            stream(schema, self._batches(relation, result, schema)) as reader,
        ):
            yield reader

    def origin(self, relation: Relation) -> Origin | None:
        """None: rows are read."""
        return None

    def interrupt(self) -> None:
        """Give up what is being read, where the driver has a word for it."""
        running = self._running
        give_up = getattr(running, "interrupt", None) or getattr(running, "cancel", None)
        if callable(give_up):
            give_up()

    def close(self) -> None:
        """Give the connections back."""
        self._engine.dispose()

    def _create_engine(self, url: URL, folder: Path) -> Engine:
        if url.get_backend_name() == "sqlite" and url.get_driver_name() == "pysqlite":
            return _sqlite(self.name, url, folder)
        try:
            return sa.create_engine(url, poolclass=NullPool, hide_parameters=True)
        except exc.NoSuchModuleError:
            raise SourceError(
                f"source {self.name!r}: SQLAlchemy knows no dialect {url.drivername!r}",
                hint="is it spelled right? most dialects come with a package of their own",
            ) from None
        except ImportError as error:
            module = error.name or url.get_driver_name()
            package = _DRIVERS.get(module.lower(), module.partition(".")[0])
            raise SourceError(
                f"source {self.name!r}: the driver {module!r} is not installed",
                hint=f"pip install {package}",
            ) from None

    def _whole(self, relation: Relation) -> pa.Schema:
        """All columns of a table or query with the types that are settled for them."""
        key = Relation(table=relation.table, query=relation.query, where=relation.where)
        if key not in self._settled:
            self._settled[key] = self._settle(key)
        return self._settled[key]

    def _settle(self, relation: Relation) -> pa.Schema:
        with self._run(relation, select(relation, self._rows(relation))) as result:
            names = list(result.keys())
            sample = list(zip(*result.fetchmany(_ROWS_LOOKED_AT), strict=True))
        declared = self._declared(relation)
        columns: Sequence[Sequence[Any]] = sample or [()] * len(names)
        return pa.schema(
            [
                pa.field(name, settle(values, declared.get(name)))
                for name, values in zip(names, columns, strict=True)
            ]
        )

    def _declared(self, relation: Relation) -> dict[str, pa.DataType]:
        if relation.table is None:
            return {}
        *schema, table = self._parts(relation.table)
        try:
            columns = sa.inspect(self._engine).get_columns(table, schema=".".join(schema) or None)
        except exc.SQLAlchemyError:
            # What cannot be inspected can still be read, and shows its types by its rows.
            return {}
        types_ = ((column["name"], _arrow_type(column["type"])) for column in columns)
        return {name: type_ for name, type_ in types_ if type_ is not None}

    def _rows(self, relation: Relation) -> str:
        if relation.table is None:
            return subquery(relation.query or "")
        quote = self._engine.dialect.identifier_preparer.quote_identifier
        return ".".join(quote(part) for part in self._parts(relation.table))

    def _parts(self, table: str) -> tuple[str, ...]:
        try:
            parts = table_parts(table)
        except ValueError:
            raise SourceError(f"{table!r} is no table name") from None
        return (self._schema_name, *parts) if self._schema_name and len(parts) == 1 else parts

    def _within(
        self, relation: Relation, whole: pa.Schema
    ) -> tuple[str | None, dict[str, datetime]]:
        """The condition for the rows of a window, and the values of its parameters."""
        window = relation.window
        if window is None:
            return None, {}
        column = find_column(window.column, whole.names, relation)
        quoted = self._engine.dialect.identifier_preparer.quote_identifier(column)
        form = "{}"
        if self._engine.dialect.name == "sqlite":
            form = _SQLITE_INSTANT
            index = whole.names.index(column)
            if pa.types.is_string(whole.types[index]):
                whole = whole.set(index, pa.field(column, LOCAL_TIME))

        def condition(end: Bound) -> str:
            name = _MOMENTS[end.operator]
            return f"{form.format(quoted)} {end.operator} {form.format(f':{name}')}"

        ends = bounds(window, whole, relation, self.timezone)
        values = {_MOMENTS[end.operator]: end.moment for end in ends}
        return within(window, ends, condition, quoted), values

    @contextmanager
    def _run(
        self, relation: Relation, sql: str, values: dict[str, Any] | None = None
    ) -> Iterator[CursorResult[Any]]:
        with self._errors(str(relation), relation):
            connection = self._engine.connect().execution_options(stream_results=True)
        self._running = connection.connection.dbapi_connection
        try:
            with self._errors(str(relation), relation):
                result = connection.execute(_text(sql, values or {}), values or {})
            yield result
        finally:
            self._running = None
            connection.close()

    def _batches(
        self, relation: Relation, result: CursorResult[Any], schema: pa.Schema
    ) -> Iterator[pa.RecordBatch]:
        with self._errors(str(relation), relation):
            while rows := result.fetchmany(_ROWS_PER_BATCH):
                columns = zip(schema, zip(*rows, strict=True), strict=True)
                arrays = [self._array(relation, field, values) for field, values in columns]
                yield pa.RecordBatch.from_arrays(arrays, schema=schema)

    def _array(self, relation: Relation, field: pa.Field, values: Sequence[Any]) -> pa.Array:
        try:
            return to_array(values, field.type)
        except NotThatTypeError as error:
            raise SourceError(
                f"source {self.name!r}: column {field.name!r} of {relation} began as {field.type} "
                f"and goes on with {error}",
                hint="cast it to one type in a `query`",
            ) from None

    @contextmanager
    def _errors(self, what: str, relation: Relation | None = None) -> Iterator[None]:
        """Turn what the driver says into one clear line."""
        try:
            yield
        except exc.DBAPIError as error:
            said = self._masked(str(error.orig or error).strip().splitlines()[0])
            raise SourceError(
                f"source {self.name!r}: {what} cannot be read: {said}",
                hint=self._hint(said, relation),
                transient=error.connection_invalidated or is_away(said),
            ) from None
        except exc.SQLAlchemyError as error:
            said = self._masked(str(error).splitlines()[0])
            raise SourceError(f"source {self.name!r}: {what} cannot be read: {said}") from None

    def _masked(self, text: str) -> str:
        return text.replace(self._secret, "***") if self._secret else text

    def _hint(self, said: str, relation: Relation | None) -> str | None:
        if "locked" in said:
            return "another program is writing to it; try again when that is done"
        missing = re.search(r"no such table|doesn't exist|does not exist|Invalid object", said)
        if not missing or relation is None or relation.table is None:
            return None
        try:
            known = _tables(self._engine)
        except exc.SQLAlchemyError:
            return None
        close = get_close_matches(relation.table, known, n=1, cutoff=0.5)
        return f"did you mean {close[0]!r}?" if close else None


def _tables(engine: Engine) -> list[str]:
    inspector = sa.inspect(engine)
    return [*inspector.get_table_names(), *inspector.get_view_names()]


def _text(sql: str, values: dict[str, Any]) -> sa.TextClause:
    """SQL as it stands: only the names of `values` are parameters, whatever colons it holds."""
    names = "|".join(values) or "(?!)"
    escaped = re.sub(rf":(?!(?:{names})\b)", r"\\:", sql)
    return sa.text(escaped)


def _sqlite(name: str, url: URL, folder: Path) -> Engine:
    """A SQLite file, opened so that nothing can be written and no file is made."""
    file = folder / (url.database or "")
    if not file.is_file():
        raise SourceError(
            f"source {name!r}: no database file at {file}",
            hint="sqlite:///data/file.db is relative to the folder that holds `mappings/`",
        )

    def connect() -> DBAPIConnection:
        connection = sqlite3.connect(
            f"{file.absolute().as_uri()}?mode=ro",
            uri=True,
            timeout=_SQLITE_BUSY_SECONDS,
            check_same_thread=False,
        )
        connection.execute("PRAGMA query_only = ON")
        return connection  # type: ignore[return-value]  # the stub has more than DB-API asks

    return sa.create_engine("sqlite://", creator=connect, poolclass=NullPool, hide_parameters=True)


def _arrow_type(type_: types.TypeEngine[Any]) -> pa.DataType | None:
    """What a column is declared as; None where the declaration says too little."""
    if isinstance(type_, types.Numeric) and not isinstance(type_, types.Float):
        return _decimal(type_)
    for declared, arrow in _DECLARED:
        if isinstance(type_, declared):
            return arrow
    return None


def _decimal(type_: types.Numeric[Any]) -> pa.DataType | None:
    precision, scale = type_.precision, type_.scale or 0
    if precision is None or not 0 <= scale <= precision <= 38:
        return None
    return pa.decimal128(precision, scale)


_DECLARED: tuple[tuple[type[types.TypeEngine[Any]], pa.DataType], ...] = (
    (types.Boolean, pa.bool_()),
    (types.Integer, pa.int64()),
    (types.Float, pa.float64()),
    (types.DateTime, LOCAL_TIME),
    (types.Date, pa.date32()),
    (types.Time, pa.time64("us")),
    (types.JSON, JSON),
    (types.LargeBinary, pa.binary()),
    (types.Uuid, pa.string()),
    (types.String, pa.string()),
)

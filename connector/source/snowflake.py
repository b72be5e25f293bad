"""Snowflake as a source: results as Arrow batches, through its own connector.

A statement is described first, so that every batch has one schema whatever its numbers need, and
what Arrow would carry in several encodings is asked for in one: times as microseconds, semi-
structured values as JSON without `undefined`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from difflib import get_close_matches
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import pyarrow as pa

from connector.errors import SourceError
from connector.source.base import Origin, Relation
from connector.source.extras import not_installed
from connector.source.query import (
    Bound,
    bounds,
    chosen,
    find_column,
    select,
    subquery,
    within,
)
from connector.source.rows import JSON, LOCAL_TIME, UTC_TIME, WHOLE
from connector.source.settings import SnowflakeSettings
from connector.source.stream import stream
from connector.sql import identifier, table_parts

if TYPE_CHECKING:
    from snowflake.connector import SnowflakeConnection
    from snowflake.connector.cursor import ResultMetadata, SnowflakeCursor

_APPLICATION = "sequen-connector"
_LOGIN_SECONDS = 30
_NETWORK_SECONDS = 300
"""How long a request is tried again; without it, for ever."""

_TAG = "QUERY_TAG"

_TOKEN = re.compile(r'"(?:[^"]|"")+"|[^".\s]+')
_PLAIN = re.compile(r"[A-Za-z_][A-Za-z0-9_$]*")

_NUMBERS = re.compile(r"^\d{6} \(\w{5}\): (?:[0-9a-f]+(?:-[0-9a-f]+)+: )?")
"""What stands before a message: its number and state, and the id of the query."""

_MICROSECONDS = "DATE_PART(EPOCH_MICROSECOND, {0})"
_SEMI_STRUCTURED = "TO_JSON(TO_VARIANT({0}))"
_READ_AS: dict[str, tuple[str, pa.DataType]] = {
    "REAL": ("{0}", pa.float64()),
    "TEXT": ("{0}", pa.string()),
    "BOOLEAN": ("{0}", pa.bool_()),
    "BINARY": ("{0}", pa.binary()),
    "DATE": ("{0}", pa.date32()),
    "TIME": ("{0}", pa.time64("us")),
    "TIMESTAMP_NTZ": (_MICROSECONDS, LOCAL_TIME),
    "TIMESTAMP_LTZ": (_MICROSECONDS, UTC_TIME),
    "TIMESTAMP_TZ": (_MICROSECONDS, UTC_TIME),
    "VARIANT": (_SEMI_STRUCTURED, JSON),
    "OBJECT": (_SEMI_STRUCTURED, JSON),
    "ARRAY": (_SEMI_STRUCTURED, JSON),
    "MAP": (_SEMI_STRUCTURED, JSON),
    "VECTOR": ("{0}", pa.list_(pa.float32())),
    "GEOGRAPHY": ("ST_ASWKT({0})", pa.string()),
    "GEOMETRY": ("ST_ASWKT({0})", pa.string()),
}
"""How a type is asked for, and how it arrives; all others are asked for as text."""

_DIGITS_OF_64_BITS = 18

_NO_TABLE, _NO_COLUMN = 2003, 904
_HINTS = {
    390100: "check `user`, and the password or key",
    390144: "the public key of `user` is not that of `private_key_file`",
    390318: "the token has expired; get a new one",
    250001: "check `account`, and whether this machine may reach it",
    606: "name a `warehouse`, and grant the role USAGE on it",
    90105: "name a `database` and a `schema`, or write them before the table",
    3001: "grant the role of the source SELECT on it, and USAGE on its database and schema",
    _NO_TABLE: "is the name right, and may the role of the source SELECT from it?",
}


class SnowflakeSource:
    """Reads tables, views and queries of one account, with the rights of one role."""

    def __init__(self, settings: SnowflakeSettings) -> None:
        self.name = settings.name
        self.timezone = settings.timezone
        self._tag = settings.session_parameters.get(_TAG)
        self._running: SnowflakeCursor | None = None
        self._connection = self._connect(settings)

    def schema(self, relation: Relation) -> pa.Schema:
        """The columns `read` would yield; the query is described, not run."""
        with self._cursor(relation) as cursor:
            described = self._described(cursor, relation)
        names = chosen(relation, list(described))
        return pa.schema([pa.field(name, described[name][1]) for name in names])

    @contextmanager
    def read(self, relation: Relation) -> Iterator[pa.RecordBatchReader]:
        """Stream the rows as Arrow batches, of the size in which Snowflake cuts its results."""
        with self._cursor(relation) as cursor:
            described = self._described(cursor, relation)
            names = chosen(relation, list(described))
            schema = pa.schema([pa.field(name, described[name][1]) for name in names])
            condition, values = self._within(relation, described)
            columns = [f"{described[name][0]} AS {identifier(name)}" for name in names]
            sql = select(relation, table_or_query(relation), columns, condition)
            tag = str(self._tag or ":".join(filter(None, (_APPLICATION, relation.label))))
            cursor.execute(sql, values or None, _statement_params={_TAG: tag})
            with stream(schema, self._batches(cursor, relation, schema)) as reader:
                yield reader

    def plain(self, relation: Relation) -> str:
        """The statement for the rows of a relation as the warehouse has them, not as they are
        read."""
        columns = [identifier(name) for name in relation.columns or ()]
        return select(relation, table_or_query(relation), columns)

    def is_unique(self, relation: Relation, column: str) -> bool:
        """False: a key of Snowflake's is what somebody says, not what it sees to."""
        return False

    def origin(self, relation: Relation) -> Origin | None:
        """None: rows are read."""
        return None

    def interrupt(self) -> None:
        """Have the warehouse give up what is being read."""
        running = self._running
        if running is not None and running.sfqid is not None:
            running.abort_query(running.sfqid)

    def close(self) -> None:
        """End the session."""
        self._connection.close()

    def _connect(self, settings: SnowflakeSettings) -> SnowflakeConnection:
        try:
            from snowflake import connector
        except ImportError:
            raise not_installed(self.name, "snowflake") from None
        try:
            return connector.connect(**connection_options(settings))
        except connector.Error as error:
            raise self._explained(error, "it", None) from None
        except (OSError, ValueError, TypeError) as error:
            # What it says about a key file that is not there, not a key, or locked otherwise.
            raise SourceError(
                f"source {self.name!r}: cannot sign in: {_one_line(str(error))}",
                hint="check `private_key_file` and `private_key_passphrase`"
                if settings.private_key_file
                else None,
            ) from None

    @contextmanager
    def _cursor(self, relation: Relation) -> Iterator[SnowflakeCursor]:
        from snowflake.connector import Error

        cursor = self._connection.cursor()
        self._running = cursor
        try:
            yield cursor
        except Error as error:
            raise self._explained(error, str(relation), relation.table) from None
        finally:
            self._running = None
            cursor.close()

    def _described(
        self, cursor: SnowflakeCursor, relation: Relation
    ) -> dict[str, tuple[str, pa.DataType]]:
        """By column: the expression to ask for, and the type it arrives in."""
        found = cursor.describe(select(relation, table_or_query(relation)))
        return {column.name: _readable(column) for column in found}

    def _within(
        self, relation: Relation, described: dict[str, tuple[str, pa.DataType]]
    ) -> tuple[str | None, list[tuple[str, Any]]]:
        """The condition for the rows of a window, and the values of its parameters."""
        window = relation.window
        if window is None:
            return None, []
        schema = pa.schema([pa.field(name, type_) for name, (_, type_) in described.items()])
        ends = bounds(window, schema, relation, self.timezone)
        quoted = identifier(find_column(window.column, schema.names, relation))

        def condition(end: Bound) -> str:
            return f"{quoted} {end.operator} ?"

        kinds = ("TIMESTAMP_TZ" if end.moment.tzinfo else "TIMESTAMP_NTZ" for end in ends)
        values = [(kind, end.moment) for kind, end in zip(kinds, ends, strict=True)]
        return within(window, ends, condition, quoted), values

    def _batches(
        self, cursor: SnowflakeCursor, relation: Relation, schema: pa.Schema
    ) -> Iterator[pa.RecordBatch]:
        from snowflake.connector import Error

        try:
            for table in cursor.fetch_arrow_batches():
                for batch in table.to_batches():
                    columns = zip(batch.columns, schema.types, strict=True)
                    arrays = [_as(column, type_) for column, type_ in columns]
                    yield pa.RecordBatch.from_arrays(arrays, schema=schema)
        except Error as error:
            raise self._explained(error, str(relation), None) from None

    def _explained(self, error: Exception, what: str, table: str | None) -> SourceError:
        from snowflake.connector import OperationalError

        number = getattr(error, "errno", None)
        said = str(getattr(error, "raw_msg", None) or error)
        said = _NUMBERS.sub("", said.partition("SQL compilation error:")[2] or said)
        hint = _HINTS.get(number) if number is not None else None
        if number == _NO_TABLE and table is not None:
            hint = self._closest(table) or hint
        return SourceError(
            f"source {self.name!r}: {what} cannot be read: {_one_line(said)}",
            hint=hint,
            transient=isinstance(error, OperationalError),
        )

    def _closest(self, table: str) -> str | None:
        from snowflake.connector import Error

        try:
            with self._connection.cursor() as cursor:
                cursor.execute(
                    "SELECT table_schema, table_name FROM information_schema.tables "
                    "WHERE table_schema <> 'INFORMATION_SCHEMA'"
                )
                found = cursor.fetchall()
        except Error:
            return None
        known = {f"{schema}.{name}".lower(): (schema, name) for schema, name in found}
        known |= {name.lower(): (name,) for _, name in found}
        close = get_close_matches(table.lower().replace('"', ""), known, n=1, cutoff=0.6)
        return f"did you mean {'.'.join(map(_spelled, known[close[0]]))}?" if close else None


def connection_options(settings: SnowflakeSettings) -> dict[str, Any]:
    """What the connector of Snowflake is called with; a named connection is looked up by it."""
    secrets = {
        "password": settings.password,
        "private_key_file_pwd": settings.private_key_passphrase,
        "token": settings.token,
    }
    options = {
        "connection_name": settings.connection,
        "account": settings.account,
        "user": settings.user,
        "authenticator": settings.authenticator or _authenticator(settings),
        "private_key_file": str(settings.private_key_file) if settings.private_key_file else None,
        "role": settings.role,
        "warehouse": settings.warehouse,
        "database": settings.database,
        "schema": settings.schema,
        **{key: secret.get_secret_value() for key, secret in secrets.items() if secret},
        **_address(settings.url),
    }
    return {key: value for key, value in options.items() if value is not None} | {
        "application": _APPLICATION,
        "login_timeout": _LOGIN_SECONDS,
        "network_timeout": _NETWORK_SECONDS,
        "paramstyle": "qmark",
        "arrow_number_to_decimal": True,
        "platform_detection_timeout_seconds": 0.0,
        "session_parameters": {
            "TIMEZONE": "UTC",
            _TAG: _APPLICATION,
            "CLIENT_TELEMETRY_ENABLED": False,
            **settings.session_parameters,
        },
    }


def _authenticator(settings: SnowflakeSettings) -> str | None:
    if settings.private_key_file is not None:
        return "SNOWFLAKE_JWT"
    return "oauth" if settings.token is not None else None


def _address(url: str | None) -> dict[str, Any]:
    if url is None:
        return {}
    parts = urlsplit(url)
    port = parts.port or (80 if parts.scheme == "http" else 443)
    return {"host": parts.hostname, "port": port, "protocol": parts.scheme}


def table_or_query(relation: Relation) -> str:
    """The table as Snowflake reads its name: what is not in quotes is in upper case."""
    if relation.table is None:
        return subquery(relation.query or "")
    try:
        table_parts(relation.table)
    except ValueError:
        raise SourceError(f"{relation.table!r} is no table name") from None
    return ".".join(_folded(token) for token in _TOKEN.findall(relation.table))


def _folded(token: str) -> str:
    if token.startswith('"'):
        return token
    return identifier(token.upper() if _PLAIN.fullmatch(token) else token)


def _spelled(name: str) -> str:
    """A name as it is written in a mapping: in quotes only where they are needed."""
    plain = _PLAIN.fullmatch(name) and name == name.upper()
    return name.lower() if plain else identifier(name)


def _readable(column: ResultMetadata) -> tuple[str, pa.DataType]:
    from snowflake.connector.constants import FIELD_ID_TO_NAME

    name = identifier(column.name)
    kind = FIELD_ID_TO_NAME[column.type_code]
    if kind == "FIXED":
        precision, scale = column.precision or 38, column.scale or 0
        if scale:
            return name, pa.decimal128(precision, scale)
        return name, pa.int64() if precision <= _DIGITS_OF_64_BITS else WHOLE
    form, type_ = _READ_AS.get(kind, ("TO_VARCHAR({0})", pa.string()))
    return form.format(name), type_


def _as(column: pa.Array, type_: pa.DataType) -> pa.Array:
    if column.type == type_:
        return column
    if isinstance(type_, pa.JsonType):
        return pa.ExtensionArray.from_storage(type_, column.cast(pa.string()))
    if pa.types.is_timestamp(type_):
        return column.cast(pa.int64()).cast(type_)
    # A time of day may come with nanoseconds.
    return column.cast(type_, safe=not pa.types.is_time(type_))


def _one_line(text: str) -> str:
    return " ".join(text.split())

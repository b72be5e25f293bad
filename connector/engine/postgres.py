"""PostgreSQL as a warehouse that compares: its tables by SQLAlchemy, its bulk by COPY."""

from __future__ import annotations

import io
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import pyarrow as pa
import sqlalchemy as sa
from pyarrow import csv
from sqlalchemy import exc
from sqlalchemy.engine import URL
from sqlalchemy.pool import NullPool

from connector.engine.database import Session
from connector.errors import SourceError
from connector.source.extras import not_installed
from connector.source.query import is_away
from connector.source.settings import SQLAlchemySettings
from connector.sql import literal

_COLLATION = '"C"'
"""Keys are compared byte by byte, whatever the collation of their column."""


class PostgresDatabase:
    """One database, with the rights of the URL's user."""

    def __init__(self, settings: SQLAlchemySettings, url: URL) -> None:
        self.name = settings.name
        self.settings = settings
        self._url = url

    @contextmanager
    def session(self) -> Iterator[Session]:
        """One connection and one transaction."""
        try:
            import psycopg
        except ImportError:
            raise not_installed(self.name, "postgres") from None
        url = self._url.set(drivername="postgresql+psycopg")
        engine = sa.create_engine(url, poolclass=NullPool, hide_parameters=True)
        try:
            with engine.begin() as connection:
                connection.execute(sa.text("SET LOCAL lock_timeout = '60s'"))
                yield _Session(connection)
        except (exc.SQLAlchemyError, psycopg.Error) as error:
            raise self._explained(error) from None

    def _explained(self, error: Exception) -> SourceError:
        cause = getattr(error, "orig", None) or error
        said = str(cause).strip().splitlines()[0]
        state = getattr(cause, "sqlstate", None) or ""
        if self._url.password:
            said = said.replace(self._url.password, "***")
        user = self._url.username or "the user of `url`"
        hint = (
            "the warehouse engine needs a schema of its own: have an administrator run CREATE "
            f"SCHEMA sequen_sync AUTHORIZATION {user}; or set `engine: duckdb`"
        )
        return SourceError(
            f"source {self.name!r}: the snapshot in schema sequen_sync cannot be used: {said}",
            hint=hint if state == "42501" else None,
            transient=is_away(said, state),
        )

    def quoted(self, table: sa.Table) -> str:
        """`schema.table`."""
        return f'"{table.schema}"."{table.name}"'

    def key(self, column: str) -> str:
        """As text, without a collation of its own."""
        return f"CAST({column} AS text) COLLATE {_COLLATION}"

    def fingerprint(self, scheme: str, columns: Sequence[str]) -> str:
        """MD5 of the text of the row."""
        return f"md5(CAST(ROW({literal(scheme)}, {', '.join(columns)}) AS text))"

    def text(self, value: str) -> str:
        """In quotes, a backslash being no more than that."""
        return literal(value)


class _Session:
    def __init__(self, connection: sa.Connection) -> None:
        self._connection = connection

    def run(self, statement: sa.Executable) -> list[tuple[Any, ...]]:
        result = self._connection.execute(statement)
        return [tuple(row) for row in result] if result.returns_rows else []

    def fill(self, table: sa.Table, rows: pa.RecordBatchReader) -> int:
        """COPY takes what pyarrow writes: texts in quotes, and nothing at all for nulls."""
        driver: Any = self._connection.connection.driver_connection
        count = 0
        names = ", ".join(f'"{column.name}"' for column in table.columns)
        sql = f"COPY {table.name} ({names}) FROM STDIN (FORMAT csv)"
        with driver.cursor() as cursor, cursor.copy(sql) as copy:
            for batch in rows:
                text = io.BytesIO()
                csv.write_csv(batch, text, csv.WriteOptions(include_header=False))
                copy.write(text.getvalue())
                count += batch.num_rows
        return count

    @contextmanager
    def atomic(self) -> Iterator[None]:
        """All of the session is."""
        yield

    def alone(self) -> None:
        """Two that make a schema at the same time would be in each other's way."""
        self.run(sa.text("SELECT pg_advisory_xact_lock(hashtext('sequen_sync'))"))

    def has_schema(self, name: str) -> bool:
        return sa.inspect(self._connection).has_schema(name)

    def has_table(self, table: sa.Table) -> bool:
        return sa.inspect(self._connection).has_table(table.name, schema=table.schema)

    def analyze(self, table: sa.Table) -> None:
        self.run(sa.text(f'ANALYZE "{table.schema}"."{table.name}"'))

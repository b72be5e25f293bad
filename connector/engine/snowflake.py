"""Snowflake as a warehouse that compares: statements of SQLAlchemy, through its own connector."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import pyarrow as pa
import sqlalchemy as sa
from sqlalchemy.engine.default import DefaultDialect

from connector.engine.database import Session
from connector.errors import SourceError
from connector.source.extras import not_installed
from connector.source.settings import SnowflakeSettings
from connector.source.snowflake import connection_options


class _Dialect(DefaultDialect):
    """What SQLAlchemy knows of all databases does: names that are not quoted are in upper case."""

    supports_native_boolean = True


_DIALECT = _Dialect(paramstyle="qmark")
_NOT_AUTHORIZED = 3001


class SnowflakeDatabase:
    """One database of an account, with the rights of one role."""

    def __init__(self, settings: SnowflakeSettings) -> None:
        self.settings = settings

    @contextmanager
    def session(self) -> Iterator[Session]:
        """One connection; each statement is a transaction, but for those that are `atomic`."""
        try:
            from snowflake import connector
        except ImportError:
            raise not_installed(self.settings.name, "snowflake") from None
        # Temporary tables are in the schema of the session.
        options = connection_options(self.settings) | {"schema": "SEQUEN_SYNC"}
        try:
            with (
                connector.connect(**options) as connection,
                connection.cursor() as cursor,
            ):
                yield _Session(cursor)
        except connector.Error as error:
            said = " ".join(str(getattr(error, "raw_msg", None) or error).split())
            raise SourceError(
                f"source {self.settings.name!r}: the snapshot in schema sequen_sync cannot be "
                f"used: {said}",
                hint="the warehouse engine needs a schema of its own: CREATE SCHEMA sequen_sync, "
                "owned by the role of the source; or set `engine: duckdb`"
                if getattr(error, "errno", None) == _NOT_AUTHORIZED
                else None,
                transient=isinstance(error, connector.OperationalError),
            ) from None

    def quoted(self, table: sa.Table) -> str:
        """`schema.table`."""
        return f"{table.schema}.{table.name}"

    def key(self, column: str) -> str:
        """As text."""
        return f"CAST({column} AS VARCHAR)"

    def fingerprint(self, scheme: str, columns: Sequence[str]) -> str:
        """HASH: 64 bits, the same for the same values at all times."""
        return f"CAST(HASH({self.text(scheme)}, {', '.join(columns)}) AS VARCHAR)"

    def text(self, value: str) -> str:
        """In quotes, in which a backslash has a meaning."""
        return "'" + value.replace("\\", "\\\\").replace("'", "''") + "'"


class _Session:
    def __init__(self, cursor: Any) -> None:
        self._cursor = cursor

    def run(self, statement: sa.Executable) -> list[tuple[Any, ...]]:
        compiled: Any = statement.compile(dialect=_DIALECT)  # type: ignore[attr-defined]
        names = getattr(compiled, "positiontup", None) or []
        self._cursor.execute(str(compiled), [compiled.params[name] for name in names] or None)
        return [tuple(row) for row in self._cursor.fetchall()]

    def fill(self, table: sa.Table, rows: pa.RecordBatchReader) -> int:
        """Rows are bound in arrays, which the connector sends as files where they are long."""
        marks = ", ".join("?" for _ in table.columns)
        sql = f"INSERT INTO {table.name} VALUES ({marks})"  # noqa: S608 - ours
        count = 0
        for batch in rows:
            values = list(zip(*(column.to_pylist() for column in batch.columns), strict=True))
            if values:
                self._cursor.executemany(sql, values)
                count += len(values)
        return count

    @contextmanager
    def atomic(self) -> Iterator[None]:
        self._cursor.execute("BEGIN")
        try:
            yield
        except BaseException:
            self._cursor.execute("ROLLBACK")
            raise
        self._cursor.execute("COMMIT")

    def alone(self) -> None:
        """Two that make the same are not in each other's way."""

    def has_schema(self, name: str) -> bool:
        return self._is("schemata WHERE schema_name = ?", name)

    def has_table(self, table: sa.Table) -> bool:
        where = "tables WHERE table_schema = ? AND table_name = ?"
        return self._is(where, str(table.schema), table.name)

    def _is(self, where: str, *names: str) -> bool:
        sql = f"SELECT 1 FROM information_schema.{where}"  # noqa: S608 - the two above
        self._cursor.execute(sql, [name.upper() for name in names])
        return bool(self._cursor.fetchall())

    def analyze(self, table: sa.Table) -> None:
        """It keeps its statistics itself."""

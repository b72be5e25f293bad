"""What a database is asked for by the warehouse engine, beyond what SQLAlchemy says for all."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager
from typing import Any, Protocol

import pyarrow as pa
import sqlalchemy as sa

from connector.source.settings import SnowflakeSettings, SourceSettings, SQLAlchemySettings


class Session(Protocol):
    """A connection to the tables of ours; what it wrote is there once it ends without an error."""

    def run(self, statement: sa.Executable) -> list[tuple[Any, ...]]:
        """Run a statement; the rows it yields, of which there are few."""
        ...

    def fill(self, table: sa.Table, rows: pa.RecordBatchReader) -> int:
        """Load rows into a temporary table; returns how many."""
        ...

    def atomic(self) -> AbstractContextManager[None]:
        """Around statements that happen at once or not at all."""
        ...

    def alone(self) -> None:
        """Let nobody else make tables of ours until the session ends."""
        ...

    def has_schema(self, name: str) -> bool:
        """Whether there is a schema."""
        ...

    def has_table(self, table: sa.Table) -> bool:
        """Whether there is a table."""
        ...

    def analyze(self, table: sa.Table) -> None:
        """Have the planner look at a table that is no longer what it was."""
        ...


class Database(Protocol):
    """A warehouse that compares. All that it raises is a SourceError."""

    @property
    def settings(self) -> SourceSettings:
        """Of the source that it is."""
        ...

    def session(self) -> AbstractContextManager[Session]:
        """Connect."""
        ...

    def quoted(self, table: sa.Table) -> str:
        """The name of a table of ours in SQL."""
        ...

    def key(self, column: str) -> str:
        """A quoted column as the text that keys are compared by."""
        ...

    def fingerprint(self, scheme: str, columns: Sequence[str]) -> str:
        """A hash of quoted columns, together with a constant text."""
        ...

    def text(self, value: str) -> str:
        """A constant text."""
        ...


def database_of(settings: SourceSettings) -> Database | None:
    """The database behind a source; None where it is none that compares."""
    if isinstance(settings, SQLAlchemySettings):
        from connector.engine.postgres import PostgresDatabase

        url = sa.make_url(settings.url.get_secret_value())
        if url.get_backend_name() == "postgresql":
            return PostgresDatabase(settings, url)
    if isinstance(settings, SnowflakeSettings):
        from connector.engine.snowflake import SnowflakeDatabase

        return SnowflakeDatabase(settings)
    return None

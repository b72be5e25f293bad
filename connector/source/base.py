"""The one narrow interface behind which every warehouse stands."""

from __future__ import annotations

from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Protocol

import pyarrow as pa

from connector.shard import Shard

ROWS_PER_BATCH = 65_536


@dataclass(frozen=True, slots=True)
class Window:
    """Rows whose `column` lies in [start, end); naive UTC, either end may be open.

    `or_null` asks for rows without a value too. A source may yield more than the window, never
    less: the stage cuts exactly.
    """

    column: str
    start: datetime | None = None
    end: datetime | None = None
    or_null: bool = False


@dataclass(frozen=True, slots=True)
class Portion:
    """Rows whose `column`, as text, belongs to a shard, and those without a usable key.

    A source may yield more than the portion, never less: the stage cuts exactly.
    """

    column: str
    shard: Shard


@dataclass(frozen=True, slots=True)
class Relation:
    """What to read: a table or a query, filtered by the source's own SQL, and the columns wanted.

    Columns are names as the source gives them; None reads all. `label` says on whose behalf: the
    mapping's name, for warehouses that keep a log of what they are asked.
    """

    table: str | None = None
    query: str | None = None
    where: str | None = None
    columns: tuple[str, ...] | None = None
    window: Window | None = None
    portion: Portion | None = None
    label: str | None = None

    def __str__(self) -> str:
        return self.table or "the query"


@dataclass(frozen=True, slots=True)
class Origin:
    """A table that DuckDB can scan where it lies: a database file, and the table's path in it."""

    file: Path
    table: tuple[str, ...]


class Source(Protocol):
    """One warehouse, opened for reading only.

    All methods raise `SourceError` with a message that names what could not be read and why.
    """

    name: str
    timezone: str
    """In which naive timestamps of this source are to be understood."""

    def schema(self, relation: Relation) -> pa.Schema:
        """The columns `read` would yield, without reading rows."""
        ...

    def read(self, relation: Relation) -> AbstractContextManager[pa.RecordBatchReader]:
        """Stream the rows as Arrow batches; nothing is held beyond a few batches."""
        ...

    def origin(self, relation: Relation) -> Origin | None:
        """Where DuckDB can scan these rows itself, without their being read; None elsewhere."""
        ...

    def interrupt(self) -> None:
        """Give up what is being read, which then raises. Called from another thread."""
        ...

    def close(self) -> None:
        """Give back connections and files."""
        ...


class SQLSource(Source, Protocol):
    """A warehouse of whose rows other statements can be made, in its own SQL."""

    def plain(self, relation: Relation) -> str:
        """The statement for the rows of a relation as the warehouse has them, not as they are
        read."""
        ...

    def is_unique(self, relation: Relation, column: str) -> bool:
        """Whether the warehouse itself sees to it that no value of a column occurs twice."""
        ...

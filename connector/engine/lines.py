"""The lines of a snapshot in a table of ours, in the schema `sequen_sync` of a warehouse."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import sqlalchemy as sa
from sqlalchemy.schema import CreateSchema, CreateTable, DropTable

from connector.engine.database import Database, database_of
from connector.errors import SourceError, StateError
from connector.source.base import Relation
from connector.source.open import open_source

if TYPE_CHECKING:
    from connector.project import Project

SCHEMA = "sequen_sync"
FORMAT = "1"

_TYPES: dict[str, tuple[sa.types.TypeEngine[Any], pa.DataType]] = {
    "text": (sa.Text(), pa.string()),
    "flag": (sa.Boolean(), pa.bool_()),
    "number": (sa.BigInteger(), pa.int64()),
}
COLUMNS = {
    "key": "text",
    "row_fingerprint": "text",
    "present": "flag",
    "skipped": "flag",
    "known": "flag",
    "subject": "text",
    "fingerprint": "number",
    "stable": "number",
    "deleted": "flag",
    "cursor": "number",
    "digests": "text",
    "payload": "text",
    "owner": "number",
    "made_by": "text",
}
"""One line a key. `row_fingerprint` is the warehouse's own, of the columns that are used: a row
that still has it needs nothing. `present`: the key was in the source. `skipped`: its row is not to
be sent. `known`: the rest is what `state.snapshot` holds, 64-bit numbers shifted to signed ones.
`owner` is 60 bits of the keyed hash of the uid, by which an erasure finds the line. `made_by` is
the DuckDB behind `fingerprint`."""

MANY = 10_000
"""From so many lines on, the planner is told of a change."""


@dataclass(frozen=True, slots=True)
class Totals:
    """Lines of keys in the source, how many of those are skipped, and keys that the API has."""

    present: int
    skipped: int
    live: int


@dataclass(frozen=True, slots=True)
class Belonging:
    """Whose lines they are; `owner` stands for the state file."""

    target: str
    mapping: str
    owner: str


def table_name(target: str, mapping: str) -> str:
    """The table of a mapping and target: safe whatever they are called."""
    return "s_" + hashlib.sha256(f"{target}\0{mapping}".encode()).hexdigest()[:24]


def lines_at(project: Project, where: str) -> Lines:
    """The lines at `source/table`.

    Raises:
        StateError: the source is no more, or no warehouse that compares.
    """
    name, _, table = where.rpartition("/")
    known = name in project.source_names
    database = database_of(project.source(name)) if known else None
    if database is None:
        raise StateError(
            f"the snapshot lies in source {name!r}, which is not there as it was any more",
            hint="give that source its old name and settings until the snapshot is brought home",
        )
    return Lines(database, table)


class Lines:
    """The table of one mapping and target."""

    def __init__(self, database: Database, name: str) -> None:
        self.database = database
        self.name = name
        metadata = sa.MetaData(schema=SCHEMA)
        self.table = sa.Table(name, metadata, *_columns(COLUMNS, primary="key"))
        texts = dict.fromkeys(("name", "format", "target", "mapping", "owner"), "text")
        self._meta = sa.Table("meta", metadata, *_columns(texts, primary="name"))

    @property
    def quoted(self) -> str:
        """The table as it stands in SQL."""
        return self.database.quoted(self.table)

    def prepare(self, mine: Belonging) -> None:
        """Make the table where there is none.

        Raises:
            SourceError: we may not, or another state file has it.
        """
        with self.database.session() as session:
            session.alone()
            if not session.has_schema(SCHEMA):
                session.run(CreateSchema(SCHEMA, if_not_exists=True))
            if not session.has_table(self._meta):
                session.run(CreateTable(self._meta, if_not_exists=True))
            found = session.run(sa.select(self._meta).where(self._meta.c.name == self.name))
            if found:
                self._check(mine, *found[0][1:])
                return
            session.run(CreateTable(self.table, if_not_exists=True))
            session.run(
                sa.insert(self._meta).values(
                    name=self.name,
                    format=FORMAT,
                    target=mine.target,
                    mapping=mine.mapping,
                    owner=mine.owner,
                )
            )

    def _check(self, mine: Belonging, format_: str, target: str, mapping: str, owner: str) -> None:
        where = f"source {self.database.settings.name!r}: {SCHEMA}.{self.name}"
        if format_ != FORMAT:
            raise SourceError(
                f"{where} is of format {format_}; this version knows {FORMAT}",
                hint="use the newer connector that wrote it",
            )
        if owner != mine.owner:
            raise SourceError(
                f"{where}, the snapshot of {mapping!r} for {target!r}, belongs to another state "
                "folder",
                hint="sync from there; or, if that is lost, have everything sent again: DROP TABLE "  # noqa: S608 - said, not run
                f"{SCHEMA}.{self.name}; DELETE FROM {SCHEMA}.meta WHERE name = '{self.name}'",
            )

    def totals(self) -> Totals:
        """Counts that only we change."""
        lines = self.table.c
        conditions = (lines.present, lines.skipped, lines.known & ~lines.deleted)
        counts = [sa.func.count(sa.case((each, 1))) for each in conditions]
        with self.database.session() as session:
            return Totals(*map(int, session.run(sa.select(*counts))[0]))

    def replace(
        self, lines: pa.RecordBatchReader, keys: pa.RecordBatchReader | None = None
    ) -> None:
        """Put `lines` in the place of those of `keys`, or of all; at once or not at all."""
        with self.database.session() as session:
            staged = _temporary("sequen_staged", COLUMNS)
            gone = _temporary("sequen_gone", {"key": "text"})
            for table in (staged, gone):
                session.run(CreateTable(table))
            changed = session.fill(staged, plain(lines, COLUMNS))
            leaving = sa.delete(self.table)
            if keys is not None:
                changed += session.fill(gone, plain(keys, {"key": "text"}))
                leaving = leaving.where(self.table.c.key.in_(sa.select(gone.c.key)))
            with session.atomic():
                session.run(leaving)
                session.run(sa.insert(self.table).from_select(list(COLUMNS), sa.select(staged)))
            for table in (staged, gone):
                session.run(DropTable(table))
            if changed >= MANY:
                session.analyze(self.table)

    def forget(self, owners: Iterable[int]) -> None:
        """Drop the lines of users by 60 bits of their keyed hash."""
        batch = pa.table({"owner": pa.array(owners, pa.int64())})
        with self.database.session() as session:
            gone = _temporary("sequen_gone", {"owner": "number"})
            session.run(CreateTable(gone))
            session.fill(gone, batch.to_reader())
            with session.atomic():
                session.run(
                    sa.delete(self.table).where(self.table.c.owner.in_(sa.select(gone.c.owner)))
                )
            session.run(DropTable(gone))

    @contextmanager
    def known(self) -> Iterator[pa.RecordBatchReader]:
        """Every line of a key that the API knows."""
        source = open_source(self.database.settings)
        try:
            query = f"SELECT * FROM {self.quoted} WHERE known"  # noqa: S608 - quoted
            with source.read(Relation(query=query, label=self.name)) as reader:
                yield reader
        finally:
            source.close()

    def drop(self) -> None:
        """Leave nothing of this snapshot in the warehouse."""
        with self.database.session() as session:
            session.run(DropTable(self.table, if_exists=True))
            session.run(sa.delete(self._meta).where(self._meta.c.name == self.name))


def plain(rows: pa.RecordBatchReader, columns: dict[str, str]) -> pa.RecordBatchReader:
    """Rows in Arrow's own types: DuckDB hands booleans out as bytes."""
    schema = pa.schema([(name, _TYPES[type_][1]) for name, type_ in columns.items()])
    batches = (batch.select(schema.names).cast(schema) for batch in rows)
    return pa.RecordBatchReader.from_batches(schema, batches)


def _columns(columns: dict[str, str], primary: str | None = None) -> list[sa.Column[Any]]:
    return [
        sa.Column(name, _TYPES[type_][0], primary_key=name == primary)
        for name, type_ in columns.items()
    ]


def _temporary(name: str, columns: dict[str, str]) -> sa.Table:
    return sa.Table(name, sa.MetaData(), *_columns(columns), prefixes=["TEMPORARY"])

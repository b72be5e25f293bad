"""Where the answers of a recommendations mapping go: a table of a source, or Parquet files."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa

from connector.errors import ConfigError, Problem, SourceError
from connector.mapping.mapping import Mapping, WriteTo
from connector.project import Project
from connector.source.write import Layout, Type, check_writable, write_parquet, write_table

LAYOUT = Layout(
    columns=(
        ("request_key", Type.TEXT),
        ("rec_id", Type.TEXT),
        ("requested_at", Type.TIME),
        ("user_id", Type.TEXT),
        ("session_id", Type.TEXT),
        ("model_id", Type.TEXT),
        ("position", Type.INTEGER),
        ("item_id", Type.TEXT),
        ("score", Type.NUMBER),
        ("candidate", Type.INTEGER),
        ("attributes", Type.JSON),
        ("context", Type.JSON),
        ("status", Type.TEXT),
    ),
    key="request_key",
)
"""The table of answers: one row an item. `sql/answers.sql` of the snapshot makes its rows."""


@dataclass(frozen=True, slots=True)
class Destination:
    """Where answers go, checked as far as that can be done without writing."""

    project: Project
    write_to: WriteTo

    def __str__(self) -> str:
        at = self.write_to
        return f"{at.source}.{at.table}" if at.table is not None else str(at.path)

    def write(self, rows: pa.RecordBatchReader, round_: str) -> int:
        """Write rows, in place of those of the same requests; returns how many."""
        if self.write_to.table is not None:
            settings = self.project.source(self.write_to.source or "")
            return write_table(settings, self.write_to.table, rows, LAYOUT)
        path = Path(self.write_to.path or "")
        if path.suffix.lower() != ".parquet":
            path /= f"{round_}.parquet"
        return write_parquet(path, rows, LAYOUT)


def destination_of(project: Project, mapping: Mapping) -> Destination:
    """Where a recommendations mapping writes to.

    Raises:
        ConfigError: it does not say where, or its source has no tables, or makes no sense.
    """
    write_to = mapping.recommendation.write_to if mapping.recommendation else None
    if write_to is None:
        raise ConfigError(
            [
                Problem(
                    mapping.place,
                    "nothing says where the answers go",
                    "add `write_to: {table: …}` or `write_to: {path: ….parquet}`",
                )
            ]
        )
    if write_to.source is not None:
        try:
            check_writable(project.source(write_to.source))
        except SourceError as error:
            hint = "name a Parquet file instead: `write_to: {path: recommendations.parquet}`"
            problem = Problem(write_to.place, error.message, hint)
            raise ConfigError([problem]) from error
    return Destination(project, write_to)

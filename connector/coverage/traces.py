"""Which impressions and clicks can be traced to a recommendation: by the `rec_id` they carry, and
the answers that the recommendations mappings of the project have written back."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import duckdb

from connector.coverage.count import Counts, sent_rows
from connector.coverage.proof import unhashed
from connector.coverage.scratch import Scratch
from connector.errors import ConnectorError, SourceError
from connector.mapping.fields import TYPE, column
from connector.mapping.mapping import Mapping, WriteTo
from connector.project import Project
from connector.source.base import Relation
from connector.source.open import open_source
from connector.sql import identifier, literal

SHOWN = ("impression", "click")
"""The events that come of something shown."""

REC_ID = "rec_id"

_NEEDED = (REC_ID, "item_id")

_ANSWERED = (
    "INSERT INTO answered SELECT DISTINCT hash(rec_id::VARCHAR) FROM {rows} "
    "WHERE item_id IS NOT NULL AND rec_id IS NOT NULL"
)


class Traces:
    """Collects the rec_ids of events and of answers, then tells how many of the ones are known.

    What is kept is a 64-bit hash a rec_id.
    """

    def __init__(self, scratch: Scratch) -> None:
        self._scratch = scratch
        scratch.connection.execute(
            "CREATE TABLE shown (mapping VARCHAR, type VARCHAR, rec UBIGINT, rows BIGINT)"
        )
        scratch.connection.execute("CREATE TABLE answered (rec UBIGINT)")
        self._answers: list[dict[str, Any]] = []

    def collect(self, connection: duckdb.DuckDBPyConnection, counts: Counts) -> None:
        """Take in the rec_ids of the impressions and clicks of a mapping, read from `source`."""
        chain = unhashed(counts.chain)
        if TYPE not in chain.fields:
            return
        rows = sent_rows(chain, repeated=bool(counts.repeated))
        type_ = identifier(column(TYPE))
        value = identifier(column(REC_ID)) if REC_ID in chain.fields else "NULL"
        rec = f"CASE WHEN trim({value}) <> '' THEN hash({value}) END"
        self._scratch.copy(
            connection,
            f"SELECT {literal(chain.mapping.name)}, {type_}, {rec}, count(*) FROM ({rows}) "  # noqa: S608 - the compiler's own SQL
            f"WHERE {type_} IN ({', '.join(map(literal, SHOWN))}) GROUP BY ALL",
            "shown",
        )

    def look_up(self, project: Project, mappings: Sequence[Mapping]) -> None:
        """Read which rec_ids the answers of these mappings have; those not there yet are noted."""
        for mapping in mappings:
            write_to = mapping.recommendation and mapping.recommendation.write_to
            if not write_to:
                continue
            answers: dict[str, Any] = {"mapping": mapping.name, "write_to": _where(write_to)}
            try:
                self._read(project, write_to)
                answers["error"] = None
            except ConnectorError as error:
                answers["error"] = error.message.splitlines()[0]
            except duckdb.Error as error:
                answers["error"] = str(error).splitlines()[0]
            self._answers.append(answers)

    def _read(self, project: Project, write_to: WriteTo) -> None:
        if write_to.table is None:
            files = f"read_parquet([{_files(Path(write_to.path or ''))}], union_by_name = true)"
            self._scratch.connection.execute(_ANSWERED.format(rows=files))
            return
        source = open_source(project.source(write_to.source or ""))
        try:
            with source.read(Relation(table=write_to.table, columns=_NEEDED)) as reader:
                self._scratch.insert(reader, _ANSWERED.format(rows="incoming"))
        finally:
            source.close()

    def of(self, mapping: str) -> dict[str, Any] | None:
        """What can be traced of the impressions and clicks of a mapping; None where it has none.

        `traced` and `share` are null where no answers could be read.
        """
        found = self._scratch.answer(
            "SELECT type, sum(rows)::BIGINT, "
            "coalesce(sum(rows) FILTER (rec IS NOT NULL), 0)::BIGINT, "
            "coalesce(sum(rows) FILTER (rec IN (SELECT rec FROM answered)), 0)::BIGINT "
            "FROM shown WHERE mapping = $mapping GROUP BY type ORDER BY type DESC",
            {"mapping": mapping},
        )
        if not self._answers or not found:
            return None
        known = any(each["error"] is None for each in self._answers)
        by_type = {name: _share(*counts, known=known) for name, *counts in found}
        totals = (sum(row[place] for row in found) for place in (1, 2, 3))
        return _share(*totals, known=known) | {"by_type": by_type, "answers": self._answers}


def _share(rows: int, with_rec_id: int, traced: int, *, known: bool) -> dict[str, Any]:
    return {
        "rows": rows,
        "with_rec_id": with_rec_id,
        "traced": traced if known else None,
        "share": round(traced / rows, 6) if known else None,
    }


def _where(write_to: WriteTo) -> str:
    return f"{write_to.source}.{write_to.table}" if write_to.table else str(write_to.path)


def _files(path: Path) -> str:
    """A Parquet file, or all those of a folder, as a list of SQL."""
    files = [file for file in (sorted(path.glob("*.parquet")) or [path]) if file.is_file()]
    if not files:
        raise SourceError(f"there is no file {path}")
    return ", ".join(literal(str(file)) for file in files)

"""Changes on their way out, and acknowledgements on their way in.

Changes leave as Arrow batches of one decision each; what comes back is positions within what was
handed out, journalled in the state file without looking at single rows.
"""

from __future__ import annotations

import threading
from array import array
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import chain, groupby
from time import time_ns
from typing import Any, Protocol

import duckdb
import pyarrow as pa

from connector.errors import StateError, first_line
from connector.snapshot.lags import Lags
from connector.snapshot.stage import SENT, Decided, stable
from connector.snapshot.store import Store, merge

ROWS_PER_BATCH = 8_192


class WithRow(Protocol):
    """See `Compared.payloads`."""

    def __call__(self, chosen: str, *, most: bool = False) -> str:
        """The query."""
        ...


@dataclass(frozen=True, slots=True)
class Queries:
    """SQL of the mapping's payloads, for rows with a decision and for keys without a row.

    Both yield JSON; `with_row` gives a query of (key, payload, digests, fingerprint, cursor,
    subject) for rows whose decision an SQL condition chooses, `without_row` is an expression over
    `key` and, where payloads are kept, `kept`.
    """

    with_row: WithRow
    without_row: str
    decided: Decided
    keep_payload: bool


@dataclass(frozen=True, slots=True)
class ChangeBatch:
    """Changes with one decision. Columns: key, payload (each JSON object followed by one comma,
    empty for hard deletes), fingerprint, stable, cursor, digests, kept, subject.

    `fresh`: of none of their keys anything is known that would have to be replaced.
    """

    decision: str
    fresh: bool
    first: int
    rows: pa.RecordBatch


@dataclass(frozen=True, slots=True)
class Refused:
    """A change the API refused, by its position."""

    position: int
    status: int
    code: str
    message: str
    field: str | None = None


Parts = Sequence[tuple[ChangeBatch, Sequence[range]]]
"""Batches, each with runs of its rows."""


class Changes:
    """Hands out the changes of one stage and journals what becomes of them.

    `limit` is the most that are handed out; the rest stays pending.
    """

    def __init__(
        self,
        store: Store,
        queries: Queries,
        parameters: dict[str, bytes],
        *,
        version: str,
        limit: int | None = None,
    ) -> None:
        self._store = store
        self._queries = queries
        self._parameters = parameters
        self._version = version
        self._limit = limit
        self._reader = store.connection.cursor()
        self._journal = store.connection.cursor()
        # Batches are handed out on one thread and settled on another.
        self._lock = threading.Lock()
        self._marker = store.connection.cursor()
        self._unsettled = {key for (key,) in store.fetch("FROM state.unsettled")}
        self._refused_before = bool(store.fetch("FROM state.rejects WHERE origin = 'api' LIMIT 1"))
        self._out: list[ChangeBatch] = []
        self._firsts: list[int] = []
        self._open: list[int] = []
        self.acknowledged: dict[str, int] = dict.fromkeys(SENT, 0)
        self.rejected: dict[str, int] = dict.fromkeys(SENT, 0)
        self.lags = Lags()
        self.handed_out = 0

    def batches(self) -> Iterator[ChangeBatch]:
        """All changes, hard deletes first. May be pulled from another thread than `settle`."""
        decided = self._queries.decided
        for decision in (each for each in SENT if decided.count(each)):
            for sql, fresh in self._sql(decision):
                rows = self._reader.sql(sql, params=self._named(sql))
                for batch in rows.to_arrow_reader(ROWS_PER_BATCH):
                    cut = self._cut(batch)
                    if cut.num_rows:
                        yield self._hand_out(decision, cut, fresh=fresh)
                    if cut.num_rows < batch.num_rows:
                        return

    def _cut(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        if self._limit is None:
            return batch
        return batch.slice(0, max(self._limit - self.handed_out, 0))

    def _hand_out(self, decision: str, batch: pa.RecordBatch, *, fresh: bool) -> ChangeBatch:
        change = ChangeBatch(decision, fresh, self.handed_out, batch)
        if decision != "event":
            self._mark(batch.select(["key"]))
        with self._lock:
            self._firsts.append(change.first)
            self._out.append(change)
            self._open.append(batch.num_rows)
            self.handed_out += batch.num_rows
        return change

    def _mark(self, keys: pa.RecordBatch) -> None:
        """Note who is about to be sent, before the API can know of it."""
        self._marker.register("leaving", pa.Table.from_batches([keys]))
        try:
            self._marker.execute("INSERT INTO state.unsettled FROM leaving")
        except duckdb.Error as error:
            raise self._unwritable(error) from error
        self._marker.unregister("leaving")

    def _named(self, sql: str) -> dict[str, bytes]:
        return {name: value for name, value in self._parameters.items() if f"${name}" in sql}

    def _sql(self, decision: str) -> Iterator[tuple[str, bool]]:
        """Queries of the changes with a decision, and whether nothing is known of their keys."""
        nothing = "NULL::UBIGINT AS fingerprint, NULL::UBIGINT AS stable, cursor, "
        nothing += "NULL::USMALLINT[] AS digests"
        if decision == "hard_delete":
            erased = f"SELECT key, '' AS payload, {nothing}, NULL::VARCHAR AS kept, subject "
            yield f"{erased} FROM decisions WHERE decision = 'hard_delete'", False
        elif decision == "event":
            new = self._queries.decided.count("event", "new")
            if new:
                yield self._with_row("decision = 'event' AND reason = 'new'", new), True
            others = self._queries.decided.count("event") - new
            if others:
                yield self._with_row("decision = 'event' AND reason <> 'new'", others), False
        else:
            if decision == "soft_delete":
                yield self._without_row(nothing), False
            chosen = f"decision = '{decision}' AND reason <> 'consent'"
            yield self._with_row(chosen, self._queries.decided.count(decision)), False

    def _with_row(self, chosen: str, count: int) -> str:
        kept = "p.payload" if self._queries.keep_payload else "NULL::VARCHAR"
        decided = self._queries.decided
        most = decided.first and not decided.unchanged and count > decided.source // 2
        payloads = self._queries.with_row(chosen, most=most)
        # What was decided is what is remembered: a field that reads the clock has changed since,
        # and so may have whether a user counts as deleted. Of events of which nothing was known
        # there is nothing to be mistaken, and no need of the join.
        fingerprint, join = "d.fingerprint", "JOIN decisions AS d ON d.row = p.row"
        if decided.first and decided.count("event"):
            fingerprint, join = "p.fingerprint", ""
        return (
            f"SELECT p.key, p.payload || ',' AS payload, {fingerprint}, "
            f"{stable('p.payload')} AS stable, p.cursor, p.digests, {kept} AS kept, p.subject "
            f"FROM ({payloads}) AS p {join}"
        )

    def _without_row(self, nothing: str) -> str:
        kept = "s.payload" if self._queries.keep_payload else "NULL::VARCHAR"
        return (
            f"SELECT key, {self._queries.without_row} || ',' AS payload, {nothing}, kept, subject "
            f"FROM (SELECT d.key, d.cursor, d.subject, {kept} AS kept FROM decisions AS d "
            "LEFT JOIN state.snapshot AS s ON s.key = d.key "
            "WHERE decision = 'soft_delete' AND (row IS NULL OR reason = 'consent'))"
        )

    def erased(self, acknowledged: Sequence[range]) -> list[tuple[str, int]]:
        """The keys among those positions that were hard-deleted, each with its position."""
        return [
            pair
            for _, change, runs in self._within(acknowledged)
            if change.decision == "hard_delete"
            for pair in zip(
                chosen(change, runs, ["key"]).column(0).to_pylist(),
                (at + change.first for run in runs for at in run),
                strict=True,
            )
        ]

    def settle(self, acknowledged: Sequence[range], refused: Sequence[Refused]) -> None:
        """Journal what was acknowledged and remember what was refused. Durable on return.

        `acknowledged` are runs of positions, in any order.

        Raises:
            StateError: the state file could not be written; nothing of this call is remembered.
        """
        by_position = {item.position: item for item in refused}
        accepted = list(self._within(acknowledged))
        others = list(self._within([range(at, at + 1) for at in by_position]))
        try:
            self._journal.execute("BEGIN")
            for _, alike in groupby(accepted, key=lambda part: (part[1].decision, part[1].fresh)):
                self._acknowledge([(change, runs) for _, change, runs in alike])
            for _, change, runs in others:
                self._refuse(change, runs, by_position)
            self._journal.execute("COMMIT")
        except duckdb.Error as error:
            raise self._unwritable(error) from error
        self._forget([(index, sum(map(len, runs))) for index, _, runs in (*accepted, *others)])

    def _unwritable(self, error: duckdb.Error) -> StateError:
        return StateError(
            f"the state file {self._store.paths.file} cannot be written: {first_line(error)}",
            hint="what is not journalled is sent again by the next sync; mend the disk first",
        )

    def _within(self, runs: Sequence[range]) -> Iterator[tuple[int, ChangeBatch, list[range]]]:
        """Runs of positions by the batch they lie in, counted from its first row."""
        found: dict[int, list[range]] = {}
        for run in sorted(runs, key=lambda run: run.start):
            start = run.start
            while start < run.stop:
                index = bisect_right(self._firsts, start) - 1
                first = self._firsts[index]
                stop = min(run.stop, first + self._out[index].rows.num_rows)
                found.setdefault(index, []).append(range(start - first, stop - first))
                start = stop
        return ((index, self._out[index], inside) for index, inside in found.items())

    def _acknowledge(self, parts: Parts) -> None:
        """Enter rows of batches that are alike: what is fresh goes where the journal would bring
        it."""
        decision, fresh = parts[0][0].decision, parts[0][0].fresh
        names = ["key", "subject", "fingerprint", "stable", "cursor", "digests", "kept"]
        rows = pa.Table.from_batches([chosen(change, runs, names) for change, runs in parts])
        # In one piece, DuckDB fills its row groups; from many, it writes all of them once more when
        # the state file is closed.
        rows = rows.combine_chunks()
        self._journal.register("settled", rows)
        if fresh:
            self._journal.execute(
                "INSERT INTO state.snapshot SELECT "
                "key, subject, fingerprint, stable, false, cursor, digests, kept FROM settled"
            )
        else:
            self._journal.execute(
                "INSERT INTO state.journal "
                "SELECT key, subject, ?, fingerprint, stable, cursor, digests, kept FROM settled",
                [decision],
            )
        if fresh and self._refused_before:
            self._journal.execute(
                "DELETE FROM state.rejects "
                "WHERE origin = 'api' AND key IN (SELECT key FROM settled)"
            )
        self._journal.unregister("settled")
        self.lags.add(rows.column("cursor"), time_ns() // 1_000_000)
        self.acknowledged[decision] += rows.num_rows

    def _refuse(
        self, change: ChangeBatch, runs: list[range], by_position: dict[int, Refused]
    ) -> None:
        now = datetime.now(UTC).replace(tzinfo=None)
        rows = chosen(change, runs, ["key", "subject", "fingerprint", "cursor"])
        positions = [at for run in runs for at in run]
        for row, position in zip(rows.to_pylist(), positions, strict=True):
            item = by_position[position + change.first]
            self._refuse_one(change.decision, row, item, now)
        self.rejected[change.decision] += len(positions)

    def _refuse_one(self, decision: str, row: dict[str, Any], item: Refused, now: datetime) -> None:
        key = row["key"]
        before = self._journal.execute(
            "SELECT attempts, first_seen FROM state.rejects WHERE origin = 'api' AND key = ?",
            [key],
        ).fetchall()
        attempts, first_seen = before[0] if before else (0, now)
        self._journal.execute("DELETE FROM state.rejects WHERE origin = 'api' AND key = ?", [key])
        if key not in self._unsettled:
            # The API has nothing of it: it is as if it had never been sent.
            self._journal.execute("DELETE FROM state.unsettled WHERE key = ?", [key])
        self._journal.execute(
            "INSERT INTO state.rejects VALUES "
            "('api', ?, ?, ?, ?, ?, ?, ?, ?, ?, 1, ?, ?, ?, ?, false)",
            [
                decision,
                key,
                row["subject"],
                row["fingerprint"],
                self._version,
                item.code,
                item.field,
                item.message,
                item.status,
                attempts + 1,
                first_seen,
                now,
                row["cursor"],
            ],
        )

    def _forget(self, done: Sequence[tuple[int, int]]) -> None:
        """Let go of batches of which every row is settled: memory stays flat."""
        for index, count in done:
            self._open[index] -= count
        with self._lock:
            keep = [index for index, count in enumerate(self._open) if count]
            self._firsts[:] = [self._firsts[index] for index in keep]
            self._out[:] = [self._out[index] for index in keep]
            self._open[:] = [self._open[index] for index in keep]

    def finish(self) -> None:
        """Bring the snapshot up to date with the journal."""
        for cursor in (self._reader, self._journal, self._marker):
            cursor.close()
        merge(self._store)


def chosen(change: ChangeBatch, runs: Sequence[range], names: Sequence[str]) -> pa.RecordBatch:
    """Columns of the rows in runs of a batch; one run of them is not copied."""
    rows = change.rows.select(names)
    if len(runs) == 1:
        return rows.slice(runs[0].start, len(runs[0]))
    return rows.take(pa.array(array("q", chain.from_iterable(runs))))

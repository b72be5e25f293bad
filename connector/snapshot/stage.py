"""One read of a source, staged and compared with the snapshot: what has to be done, and why."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import pyarrow as pa

from connector.shard import Shard
from connector.snapshot.rejects import shown
from connector.snapshot.store import Store, merge, statements
from connector.sql import identifier

SENT = ("hard_delete", "soft_delete", "upsert", "event")
"""Decisions that are delivered, in the order in which they are: who asked to go, goes first."""


_TYPES = {"cursor": "BIGINT", "subject": "VARCHAR"}
"""Columns of a scan that not every mapping has values for."""


@dataclass(frozen=True, slots=True)
class Rules:
    """What the diff needs to know of a mapping.

    `missing` is soft, hard or keep. `complete` is false for a windowed read: then what is not there
    tells nothing. `version` changes whenever the mapping would say something else of a row.
    """

    events: bool
    missing: str
    version: str
    complete: bool = True
    refresh: bool = False
    window_start: int | None = None


@dataclass(frozen=True, slots=True)
class Cut:
    """Which rows of a windowed read count: those with a cursor in [start, end), in milliseconds.

    With `all_due` rows without a cursor count too, and those to be tried again.
    """

    start: int
    end: int | None = None
    all_due: bool = False

    @property
    def condition(self) -> str:
        """As SQL over `scanned`."""
        inside = f"cursor >= {self.start:d}"
        if self.end is not None:
            inside += f" AND cursor < {self.end:d}"
        if self.all_due:
            inside += " OR cursor IS NULL OR key IN (SELECT key FROM retried)"
        return inside


@dataclass(frozen=True, slots=True)
class Suppressions:
    """HMAC-SHA256 of uids that may not be sent, and the padded key they were made with.

    `confirmed` are erased; `pending` are to be, and still get their delete. `asked` are those whose
    erasure the mapping asked for and that is not confirmed.
    """

    inner: bytes
    outer: bytes
    confirmed: Sequence[str]
    pending: Sequence[str] = ()
    asked: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class Decided:
    """How many rows fare how.

    `touched` are the rows of the source that do not stay as they are; `known` is how many keys the
    API holds as live, `deletes_of_known` and `erasures_of_known` how many soft and hard deletes are
    of keys that were sent before. `by_reason` counts (decision, reason) pairs. `first`: every row
    of the source was read, and nothing known of any key, so that each of them has a decision.
    """

    source: int
    touched: int
    known: int
    deletes_of_known: int
    erasures_of_known: int
    by_reason: dict[tuple[str, str], int]
    first: bool

    def count(self, decision: str, reason: str | None = None) -> int:
        """Rows with a decision, for one reason or for all."""
        return sum(
            count
            for (found, why), count in self.by_reason.items()
            if found == decision and reason in {None, why}
        )

    @property
    def unchanged(self) -> int:
        """Rows of the source that are as the API knows them."""
        return self.source - self.touched


class Stage:
    """The tables of one read: `source`, `told`, `retried`, `duplicates`, `decisions`, and the view
    `scanned` of all that was told."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self._connection = store.connection
        self.first = False
        take(store, "retried", {"key": pa.array([], pa.string())})
        take(store, "unaddressable", {"key": pa.array([], pa.string())})
        nothing = {"row": pa.array([], pa.int64()), "key": pa.array([], pa.string())}
        take(store, "unkeyed", nothing)

    def load(self, reader: pa.RecordBatchReader) -> int:
        """Take in the rows of a source; returns how many.

        Raises whatever the reader raises, as DuckDB reports it.
        """
        self._connection.register("incoming", reader)
        try:
            self._connection.execute("CREATE OR REPLACE TABLE source AS FROM incoming")
        finally:
            self._connection.unregister("incoming")
        count: int = self.store.fetch("SELECT count(*) FROM source")[0][0]
        return count

    def look_at(self, table: Sequence[str], columns: pa.Schema) -> bool:
        """Take the rows of a table of `origin` as they lie there, without copying them.

        `columns` are those wanted, as a reader would yield them. False where a type comes out
        otherwise than it would from the reader: then it must be loaded.
        """
        name = ".".join(identifier(part) for part in ("origin", *table))
        wanted = ", ".join(identifier(column) for column in columns.names) or "rowid"
        native = self._connection.sql(f"SELECT {wanted} FROM {name}")  # noqa: S608 - quoted
        read = self._connection.from_arrow(pa.RecordBatchReader.from_batches(columns, []))
        if columns.names and list(map(str, native.types)) != list(map(str, read.types)):
            return False
        self._connection.execute(
            f"CREATE OR REPLACE VIEW source AS SELECT rowid AS rowid, {wanted} FROM {name}"  # noqa: S608 - quoted
        )
        return True

    def retried(self, start: int, version: str) -> int:
        """List the refused rows from before a window that are to be tried again; returns from
        where on the source must be read for them."""
        self.store.execute("retried", start=start, mapping=version)
        earliest: int | None = self.store.fetch("SELECT min(cursor) FROM retried")[0][0]
        return start if earliest is None else earliest

    def scan(
        self,
        sql: str,
        parameters: dict[str, Any],
        cut: Cut | None = None,
        shard: Shard | None = None,
        untold: Sequence[str] = (),
    ) -> None:
        """Run the scan of a mapping over what was loaded, and keep the rows that count.

        `untold` names columns of the scan that are null in every row, `cursor` and `subject` at
        most: they are not kept, for in memory a null takes the room of a value.

        Raises:
            duckdb.Error: an expression failed on some row.
        """
        conditions = [f"({cut.condition})"] if cut else []
        conditions += [shard.condition("key")] if shard else []
        told = f"* EXCLUDE ({', '.join(untold)})" if untold else "*"
        rows = f"SELECT {told} FROM ({sql}\n)"  # noqa: S608 - the compiler's own
        if conditions:
            rows += f" WHERE {' AND '.join(conditions)}"
        self._connection.execute(f"CREATE OR REPLACE TABLE told AS {rows}", parameters or None)
        nulls = "".join(f", NULL::{_TYPES[name]} AS {name}" for name in untold)
        self._connection.execute(f"CREATE OR REPLACE VIEW scanned AS SELECT *{nulls} FROM told")  # noqa: S608 - ours

    def decide(self, rules: Rules, suppressions: Suppressions, feed: Sequence[str] = ()) -> Decided:
        """Compare with the snapshot. `feed` are keys that ask to be erased."""
        self.first = self.store.fetch(statements("first")[0])[0][0]
        take(self.store, "feed", {"key": pa.array(sorted(set(feed)), pa.string())})
        # A table of users has each of them once, nearly always: that is taken for granted first,
        # for grouping all of them costs as much as the comparison, and counting costs nothing.
        self._match(rules, duplicates=rules.events)
        if not rules.events and self.store.fetch(statements("repeated")[0])[0][0]:
            self._match(rules, duplicates=True)
        self._connection.execute("DELETE FROM decisions WHERE decision IS NULL")
        if suppressions.asked:
            take(self.store, "asked", {"uid_hash": pa.array(suppressions.asked, pa.string())})
            self.store.execute("asked", inner=suppressions.inner, outer=suppressions.outer)
        if suppressions.confirmed or suppressions.pending:
            list_suppressions(self.store, suppressions)
            self.store.execute(
                "suppress", events=rules.events, inner=suppressions.inner, outer=suppressions.outer
            )
        return self._decided()

    def _match(self, rules: Rules, *, duplicates: bool) -> None:
        self.store.execute("duplicates", sought=duplicates)
        self.store.execute(
            "decide",
            events=rules.events,
            missing=rules.missing,
            mapping=rules.version,
            complete=rules.complete,
            refresh=rules.refresh,
        )

    def _decided(self) -> Decided:
        rows = self.store.fetch(
            "SELECT decision, coalesce(reason, ''), count(*) FROM decisions GROUP BY ALL"
        )
        source = self.store.fetch("SELECT count(*) FROM scanned")[0][0]
        known = self.store.fetch("SELECT count(*) FROM state.snapshot WHERE NOT deleted")[0][0]
        deletes, erasures, touched = self.store.fetch(
            "SELECT count(*) FILTER (decision = 'soft_delete' AND is_known), "
            "count(*) FILTER (decision = 'hard_delete' AND is_known), count(row) FROM decisions"
        )[0]
        counts = {(decision, why): count for decision, why, count in rows}
        return Decided(source, touched, known, deletes, erasures, counts, self.first)

    def restamp(self, engine: str, payloads: str, parameters: dict[str, Any]) -> None:
        """After an upgrade of DuckDB: trust the stable hashes, and renew the quick fingerprints.

        `payloads` is the payloads query of all rows. Rows whose payload is what was acknowledged
        take the new fingerprint; the others will differ and be sent.
        """
        before = self.store.meta("fingerprint_engine")
        if before is not None and before != engine:
            self._connection.execute(
                f"CREATE OR REPLACE TABLE stables AS SELECT row, {stable('payload')} AS stable "  # noqa: S608 - the compiler's own SQL
                f"FROM ({payloads})",
                parameters or None,
            )
            self.store.execute("restamp")
        if before != engine:
            self.store.remember(fingerprint_engine=engine)

    def name_unusable(
        self, unkeyed: str | None, parameters: dict[str, Any], feed: Sequence[str]
    ) -> None:
        """Keep keys that cannot be used for whoever looks at the rejects.

        `unkeyed` is the query of row and key of those rows, None where there are none; `feed` are
        keys of an erasure feed that no request can name.
        """
        take(self.store, "unaddressable", {"key": pa.array(feed, pa.string())})
        rejected = "SELECT 1 FROM decisions WHERE decision = 'rejected' AND key IS NULL LIMIT 1"
        if unkeyed is not None and self.store.fetch(rejected):
            used = {name: value for name, value in parameters.items() if f"${name}" in unkeyed}
            self._connection.execute(f"CREATE OR REPLACE TABLE unkeyed AS {unkeyed}", used or None)

    def record_rejects(self, rules: Rules, violations: Iterable[tuple[str, str, str]]) -> None:
        """Remember which rows the rules refused, and why."""
        self._name_violations(violations)
        self.store.execute(
            "record_rejects",
            mapping=rules.version,
            window_start=rules.window_start,
            complete=rules.complete,
            now=datetime.now(UTC).replace(tzinfo=None),
        )

    def _name_violations(self, violations: Iterable[tuple[str, str, str]]) -> None:
        numbered = [(0, "duplicate_key", "", "the key occurs more than once in this read")]
        numbered += [(number, *v) for number, v in enumerate(violations, start=1)]
        names = ("number", "code", "field", "message")
        columns = dict(zip(names, map(list, zip(*numbered, strict=True)), strict=True))
        take(self.store, "violations", columns)

    def sample_rejected(
        self, violations: Iterable[tuple[str, str, str]], limit: int
    ) -> list[tuple[str | None, str, str | None, str]]:
        """A few rows that the rules refuse: key, code, field, message."""
        self._name_violations(violations)
        rows = self.store.fetch(
            "SELECT coalesce(d.key, u.key), v.code, nullif(v.field, ''), v.message "
            "FROM decisions AS d JOIN violations AS v "
            "ON v.number = CASE WHEN d.is_duplicate THEN 0 ELSE d.violation END "
            "LEFT JOIN unkeyed AS u ON u.row = d.row "
            "WHERE d.decision = 'rejected' ORDER BY v.code, 1 LIMIT ?",
            [limit],
        )
        return [(shown(key), code, field, message) for key, code, field, message in rows]

    def adopt(
        self, payloads: Mapping[str, str], parameters: dict[str, Any], *, keep_payload: bool
    ) -> int:
        """Take rows that would be sent as acknowledged, without sending them; returns how many.

        `payloads` holds the payloads query of each decision. Nothing is deleted by it.
        """
        kept = "p.payload" if keep_payload else "NULL"
        for decision, query in payloads.items():
            self._connection.execute(
                f"INSERT INTO state.journal "  # noqa: S608 - the compiler's own SQL
                f"SELECT d.key, d.subject, d.decision, d.fingerprint, "
                f"{stable('p.payload')}, d.cursor, "
                f"p.digests, {kept} FROM decisions AS d JOIN ({query}) AS p ON p.row = d.row "
                f"WHERE d.decision = '{decision}' AND d.reason <> 'consent'",
                parameters or None,
            )
        adopted: int = self.store.fetch("SELECT count(*) FROM state.journal")[0][0]
        merge(self.store)
        return adopted

    def reached(self, now: int) -> int | None:
        """How far the cursor may move, in milliseconds; None when nothing says so."""
        given = {"now": now, "first": self.first}
        found: int | None = self.store.fetch(statements("reached")[0], given)[0][0]
        return found

    def advance(self, before: int) -> None:
        """Forget events that no later read will see again: state is bounded by the lookback."""
        self.store.execute("advance", before=before)

    def forget_gone(self) -> None:
        """Forget events that are no longer in the source, after a complete read."""
        self._connection.execute(
            "DELETE FROM state.snapshot WHERE NOT EXISTS "
            "(FROM scanned AS r WHERE r.key = snapshot.key)"
        )

    def sample(self, decision: str, limit: int | None) -> list[tuple[str, str]]:
        """Keys with a decision, and its reason; all of them without a limit."""
        return self.store.fetch(
            "SELECT key, reason FROM decisions WHERE decision = ? ORDER BY key "
            "LIMIT coalesce(?, 9223372036854775807)",
            [decision, limit],
        )


def stable(payload: str) -> str:
    """SQL of 64 bits of a payload's MD5: what md5_number_lower() gives, for half of its time."""
    return f"(md5_number({payload}) >> 64)::UBIGINT"


def take(store: Store, name: str, columns: dict[str, Any]) -> None:
    """Make a small table of the stage out of plain lists or Arrow arrays."""
    store.connection.register("incoming", pa.table(columns))
    store.connection.execute(f"CREATE OR REPLACE TABLE {name} AS FROM incoming")
    store.connection.unregister("incoming")


def list_suppressions(store: Store, suppressions: Suppressions) -> None:
    """Put the list of those who may not be sent where SQL can see it."""
    hashes = [*suppressions.confirmed, *suppressions.pending]
    confirmed = [True] * len(suppressions.confirmed) + [False] * len(suppressions.pending)
    take(
        store,
        "suppressions",
        {"uid_hash": pa.array(hashes, pa.string()), "confirmed": pa.array(confirmed, pa.bool_())},
    )

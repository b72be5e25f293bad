"""The warehouse engine: rows are compared where they lie, and only those that differ leave.

One statement, of one state of the source, finds by a full join with our lines the rows that are
new, changed or not settled and the keys that left. Their lines are *borrowed*: laid into the state
file, where the same SQL as ever decides, sends, journals. At the end, or at the next start after a
crash, they are returned. What was not borrowed is counted from our own table, which nobody else
changes, so that no figure depends on a second look at the source.
"""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, cast

import duckdb
import pyarrow as pa

from connector.engine import LEAVING, LINES, DuckDBEngine
from connector.engine.borrowing import (
    ROOM,
    bring_home,
    check_in,
    forget,
    lay,
    let_go,
    move_there,
)
from connector.engine.check import database_for, key_column, no_key
from connector.engine.lines import Belonging, Lines, Totals, lines_at, table_name
from connector.mapping.mapping import Missing
from connector.mapping.rules import Kind
from connector.snapshot.stage import Decided, Stage, Suppressions, list_suppressions, take
from connector.snapshot.store import Store, statements
from connector.source.base import Relation, SQLSource
from connector.sql import identifier

if TYPE_CHECKING:
    from connector.prepare import Bound
    from connector.project import Project

ASKED_AT_MOST = 10_000
"""More keys than this are not named one by one: then every row is looked at."""


class WarehouseEngine:
    """Compares a mapping in its warehouse. With `dry` nothing is written there but what a dead
    process owes."""

    def __init__(self, project: Project, bound: Bound, target: str, *, dry: bool) -> None:
        mapping = bound.mapping
        self._project = project
        self._bound = bound
        self._target = target
        self._dry = dry
        self._events = mapping.kind is not Kind.USERS
        self._database = database_for(bound, project.source(mapping.source))
        self._source = cast(SQLSource, bound.source)
        self._key = key_column(bound)
        self._lines = Lines(self._database, table_name(target, mapping.name))
        self._totals = Totals(0, 0, 0)
        self.where = f"{mapping.source}/{self._lines.name}"

    def settle(self, store: Store, suppressions: Suppressions) -> None:
        """Return what a dead process borrowed; move a snapshot here that lies elsewhere."""
        before = store.meta(LINES)
        if before not in (None, self.where) or store.meta(LEAVING) not in (None, self.where):
            Returning(self._project, dry=False).settle(store, suppressions)
            before = None
        owner = store.meta("lines_owner") or secrets.token_hex(8)
        store.remember(lines_owner=owner)
        self._lines.prepare(Belonging(self._target, self._bound.mapping.name, owner))
        if before is None:
            move_there(self._lines, store, suppressions, events=self._events)
            store.remember(**{LINES: self.where, LEAVING: None})
        check_in(self._lines, store)

    def load(
        self, stage: Stage, suppressions: Suppressions, feed: Sequence[str], *, refresh: bool
    ) -> bool:
        """Bring rows that are not as they were to the stage, and their lines to the snapshot."""
        store = stage.store
        self._totals = self._lines.totals()
        asked = self._asked(store, suppressions, feed)
        everything = refresh or len(asked) > ASKED_AT_MOST
        query = self._query([] if everything else asked, suppressions, refresh=everything)
        relation = Relation(query=query, label=self._bound.mapping.name)
        with self._source.read(relation) as reader:
            stage.load(reader)
        store.execute("borrow", room=ROOM)
        lay(store)
        return True

    def _asked(self, store: Store, suppressions: Suppressions, feed: Sequence[str]) -> list[str]:
        """Keys that are looked at in any case; a text that no column can hold is none."""
        list_suppressions(store, suppressions)
        take(store, "feed", {"key": pa.array(sorted(set(feed)), pa.string())})
        (query,) = statements("asked", ROOM)
        key = {"inner": suppressions.inner, "outer": suppressions.outer}
        return sorted(asked for (asked,) in store.fetch(query, key) if "\0" not in asked)

    def _query(self, asked: Sequence[str], suppressions: Suppressions, *, refresh: bool) -> str:
        bound, database = self._bound, self._database
        used = tuple(dict.fromkeys((*bound.compiled.columns, self._key)))
        columns = [identifier(name) for name in used]
        rows = replace(bound.relation(), columns=used)
        raw = self._source.plain(rows)
        key = database.key(f"q.{identifier(self._key)}")
        repeated = f"SELECT {key} AS key FROM (\n{raw}\n) q GROUP BY 1 HAVING count(*) > 1"  # noqa: S608 - the source's own SQL
        if self._source.is_unique(rows, self._key):
            repeated = "SELECT NULL AS key WHERE false"
        (query,) = statements("candidates", ROOM)
        return query.format(
            columns=", ".join(f"s.{column}" for column in columns),
            key=key,
            row=database.fingerprint(self._scheme(), [f"q.{column}" for column in columns]),
            raw=raw,
            lines=self._lines.quoted,
            repeated=repeated,
            left=self._left(refresh=refresh),
            asked=", ".join(map(database.text, asked)) or "NULL",
            owners=", ".join(str(int(each[:15], 16)) for each in suppressions.asked) or "NULL",
            refresh="true" if refresh else "false",
        )

    def _left(self, *, refresh: bool) -> str:
        """Which keys without a row are looked at although they had none before."""
        mapping = self._bound.mapping
        missing = Missing.KEEP if self._events else mapping.deletes.missing
        if refresh or missing is Missing.HARD:
            return "l.known"
        return "(l.known AND NOT l.deleted)" if missing is Missing.SOFT else "false"

    def _scheme(self) -> str:
        """What else a payload depends on than its row: the mapping, its columns' types, and the key
        of its hashes."""
        compiled = self._bound.compiled
        types = str(self._bound.wanted()).encode()
        key = b"".join(map(bytes, self._bound.parameters().values()))
        return hashlib.sha256(compiled.version.encode() + types + key).hexdigest()[:16]

    def decided(self, stage: Stage, decided: Decided, suppressions: Suppressions) -> Decided:
        """Note durably what was borrowed, and count what stayed where it is."""
        store = stage.store
        self._check_keys(store)
        if not self._dry:
            list_suppressions(store, suppressions)
            store.execute(
                "note",
                room=ROOM,
                inner=suppressions.inner,
                outer=suppressions.outer,
                events=self._events,
                made_by=duckdb.__version__,
            )
        [(present, skipped)] = store.fetch(
            "SELECT count(*) FILTER (present), count(*) FILTER (skipped) FROM pulled"
        )
        stayed, left_out = self._totals.present - present, self._totals.skipped - skipped
        reasons = dict(decided.by_reason)
        if left_out:
            reasons["skipped", ""] = reasons.get(("skipped", ""), 0) + left_out
        return replace(
            decided,
            source=decided.source + stayed,
            touched=decided.touched + left_out,
            known=self._totals.live,
            by_reason=reasons,
        )

    def _check_keys(self, store: Store) -> None:
        odd = store.fetch(
            "SELECT 1 FROM source AS s JOIN scanned AS r ON r.row = s.rowid "
            "WHERE r.key IS NOT NULL AND r.key <> s.sequen_key LIMIT 1"
        )
        if odd:
            raise no_key(self._bound, "reads differently in the warehouse than here")

    def give_back(self, store: Store, suppressions: Suppressions) -> None:
        """Load what was acknowledged back into the warehouse, and empty the local snapshot."""
        if self._dry:
            let_go(store)
            return
        check_in(self._lines, store)
        forget(self._lines, store, suppressions)


class Returning(DuckDBEngine):
    """The DuckDB engine, over a snapshot that still lies in a warehouse."""

    def __init__(self, project: Project, *, dry: bool) -> None:
        self._project = project
        self._dry = dry

    def settle(self, store: Store, suppressions: Suppressions) -> None:
        """Bring the snapshot home, and leave no table behind."""
        where = store.meta(LINES)
        if where is not None:
            bring_home(lines_at(self._project, where), store)
            if self._dry:
                return
            store.remember(**{LINES: None, LEAVING: where})
        leaving = store.meta(LEAVING)
        if leaving is not None and not self._dry:
            lines_at(self._project, leaving).drop()
            store.remember(**{LEAVING: None})

    def give_back(self, store: Store, suppressions: Suppressions) -> None:
        """After a plan the snapshot is where it was."""
        if self._dry and store.meta(LINES) is not None:
            let_go(store)

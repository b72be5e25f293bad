"""The first stretch of the road: open the source, bind the mapping to it, stage and compare."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import duckdb
import pyarrow as pa

from connector.control.hashing import padded
from connector.destination.requests import is_addressable
from connector.engine import Engine, check_engine, engine_of
from connector.erasedlist import check_list, note_list
from connector.errors import ConfigError, Problem, SourceError, first_line, without_values
from connector.incremental import next_window
from connector.mapping.chain import Chain
from connector.mapping.compile import Compiled, compile_mapping
from connector.mapping.mapping import Constant, Mapping, Pii
from connector.mapping.rules import Kind
from connector.project import Project
from connector.snapshot.changes import Queries
from connector.snapshot.stage import Cut, Decided, Rules, Stage, Suppressions
from connector.snapshot.store import Store
from connector.source.base import Origin, Portion, Relation, Source, Window
from connector.source.query import find_column
from connector.sources import Sources
from connector.windows import MILLISECOND, milliseconds, moment_of

if TYPE_CHECKING:
    from connector.control.store import ControlStore

PII_KEY = "CONNECTOR_PII_KEY"
"""The environment variable with the key of `pii: hash`."""

_ROW_ERRORS = (duckdb.ConversionException, duckdb.OutOfRangeException, duckdb.InvalidInputException)
"""What an expression raises over a value it cannot take: a matter of one row."""

_BEYOND_TRY = (duckdb.NotImplementedException, duckdb.InternalException)
"""What DuckDB raises over a value even inside TRY: a time zone that is none, a cast of its own."""

CLOCK_CHANGE = timedelta(hours=2)
"""By how much the local times of a zone may run backwards."""


def whole(mapping: Mapping) -> Relation:
    """All that a mapping reads, every column of it."""
    return Relation(
        table=mapping.table, query=mapping.query, where=mapping.where, label=mapping.name
    )


@dataclass(frozen=True, slots=True)
class Bound:
    """A mapping bound to its open source."""

    mapping: Mapping
    source: Source
    compiled: Compiled
    columns: pa.Schema

    @property
    def origin(self) -> Origin | None:
        """Where the rows can be scanned without being read."""
        return self.source.origin(whole(self.mapping))

    @property
    def origin_file(self) -> Path | None:
        """The database file to scan where it lies."""
        origin = self.origin
        return origin.file if origin else None

    def wanted(self) -> pa.Schema:
        """The columns that are used."""
        return pa.schema([self.columns.field(name) for name in self.compiled.columns])

    def relation(self, window: Window | None = None) -> Relation:
        """What to read: only the columns that are used."""
        mapping = self.mapping
        if window is not None:
            # A source counts microseconds or local time: more is read, and the stage cuts exactly.
            more = MILLISECOND if self.source.timezone == "UTC" else CLOCK_CHANGE
            window = replace(
                window,
                start=window.start and window.start - more,
                end=window.end and window.end + more,
            )
        key, shard = self.compiled.key_column, mapping.shard
        return Relation(
            table=mapping.table,
            query=mapping.query,
            where=mapping.where,
            columns=self.compiled.columns or None,
            window=window,
            portion=Portion(key, shard) if key and shard else None,
            label=mapping.name,
        )

    def parameters(self) -> dict[str, Any]:
        """What the compiled SQL needs bound.

        Raises:
            ConfigError: the key of `pii: hash` is not set.
        """
        if not self.compiled.uses_pii_key:
            return {}
        key = os.environ.get(PII_KEY, "")
        if not key:
            hashed = next(field for field in self.mapping.fields if field.pii is Pii.HASH)
            raise ConfigError(
                [
                    Problem(
                        hashed.place,
                        f"`pii: hash` needs the environment variable {PII_KEY}",
                        "set it to a long random text, and keep it: another key is another hash",
                    )
                ]
            )
        inner, outer = padded(key.encode())
        return {"pii_inner": inner, "pii_outer": outer}


@contextmanager
def bind(project: Project, mapping: Mapping) -> Iterator[Bound]:
    """Open the source of a mapping and compile the mapping against it.

    Raises:
        ConfigError: the mapping does not fit the source.
        SourceError: the source cannot be read.
    """
    with Sources(project) as sources:
        yield bound_to(sources, mapping)


def bound_to(sources: Sources, mapping: Mapping) -> Bound:
    """Compile a mapping against its source, which is opened unless it is. Errors as for `bind`."""
    source = sources.open(mapping.source)
    columns = source.schema(whole(mapping))
    compiled = compile_mapping(mapping, columns, timezone=source.timezone)
    bound = Bound(mapping, source, compiled, columns)
    check_engine(bound, sources.project)
    return bound


@dataclass(frozen=True, slots=True)
class Compared:
    """A read, staged and compared: what is to be done, and the SQL to do it with."""

    stage: Stage
    rules: Rules
    decided: Decided
    chain: Chain
    parameters: dict[str, Any]
    unaddressable: list[str]
    """Uids of the erasure feed that no request can name."""
    engine: Engine

    def payloads(self, chosen: str, *, most: bool = False) -> str:
        """The payloads query for rows whose decision SQL chooses, as in `reason = 'changed'`.

        With `most` the others are left out instead: less work where they are few, and the same
        where every row has a decision.
        """
        if most:
            others = f"SELECT row FROM decisions WHERE ({chosen}) IS NOT TRUE AND row IS NOT NULL"  # noqa: S608 - ours
            return self.chain.payloads(f"rowid NOT IN ({others})")
        return self.chain.payloads(f"rowid IN (SELECT row FROM decisions WHERE {chosen})")  # noqa: S608 - ours

    def queries(self, without_row: str, *, keep_payload: bool) -> Queries:
        """What the changes are asked for with."""
        return Queries(self.payloads, without_row, self.decided, keep_payload=keep_payload)

    def types(self) -> dict[str, int]:
        """How many events of each type are to be sent."""
        events = self.decided.count("event")
        if not events:
            return {}
        if isinstance(self.chain.mapping.event_type, Constant):
            return {str(self.chain.mapping.event_type.value): events}
        sql = self.chain.types("rowid IN (SELECT row FROM decisions WHERE decision = 'event')")
        used = {name: value for name, value in self.parameters.items() if f"${name}" in sql}
        return dict(self.stage.store.fetch(sql, used or None))


def compare(
    project: Project,
    bound: Bound,
    store: Store,
    control: ControlStore,
    *,
    refresh: bool = False,
    window: Window | None = None,
    erased: Sequence[str] = (),
    dry: bool = False,
) -> Compared:
    """Read the source, stage it and compare it with the snapshot; nothing is sent or changed.

    What is read is everything for a `refresh`, the `window` when one is given, and else what the
    mapping's cursor leaves to be read. `erased` are the hashes of those taken as erased besides.
    Sooner or later the engine wants back what it lent: `Compared.engine.give_back`. With `dry` the
    snapshot stays where it lies; see `looking`.

    Raises:
        ConfigError: a field would change its type.
        SourceError: the source cannot be read.
        StateError: the list of those who were erased is lost.
    """
    mapping = bound.mapping
    if not refresh:
        check_types(bound, store)
    check_list(store, control.hasher())
    suppressions = suppressed(control, mapping)
    if not dry and (suppressions.confirmed or suppressions.pending):
        note_list(store, control.hasher())
    engine = engine_of(project, bound, store, dry=dry)
    engine.settle(store, suppressions)
    parameters = bound.parameters()
    stage = Stage(store)
    cut = None
    if window is not None:
        cut = Cut(_start(window), milliseconds(window.end) if window.end else None)
    elif not refresh and (window := next_window(mapping, store)) is not None:
        cut = Cut(_start(window), all_due=True)
        from_ = moment_of(stage.retried(cut.start, bound.compiled.version))
        window = replace(window, start=from_)
    shard = mapping.shard
    uids = [uid for uid in read_feed(project, mapping) if shard is None or shard.holds(uid)]
    feed = [uid for uid in uids if is_addressable(uid)]
    if not engine.load(stage, suppressions, feed, refresh=refresh):
        _load(bound, stage, window)
    chain = _scan(bound, stage, parameters, cut)
    stage.restamp(duckdb.__version__, chain.payloads("true"), parameters)
    rules = Rules(
        events=mapping.kind is not Kind.USERS,
        missing=str(mapping.deletes.missing) if mapping.kind is Kind.USERS else "keep",
        version=bound.compiled.version,
        complete=window is None,
        refresh=refresh,
        window_start=cut.start if cut else None,
    )
    decided = stage.decide(rules, suppressed(control, mapping, erased), feed)
    nobody = [uid for uid in uids if not is_addressable(uid)]
    unkeyed = chain.unkeyed(
        "rowid IN (SELECT row FROM decisions WHERE decision = 'rejected' AND key IS NULL)"
    )
    stage.name_unusable(unkeyed, parameters, nobody)
    decided = engine.decided(stage, decided, suppressions)
    return Compared(stage, rules, decided, chain, parameters, nobody, engine)


@contextmanager
def looking(
    project: Project,
    bound: Bound,
    store: Store,
    control: ControlStore,
    *,
    refresh: bool = False,
    erased: Sequence[str] = (),
) -> Iterator[Compared]:
    """Compare only to look at what would be done. Errors as for `compare`."""
    compared = compare(project, bound, store, control, refresh=refresh, erased=erased, dry=True)
    try:
        yield compared
    finally:
        compared.engine.give_back(store, suppressed(control))


def _scan(bound: Bound, stage: Stage, parameters: dict[str, Any], cut: Cut | None) -> Chain:
    chain, shard = bound.compiled.chain, bound.mapping.shard
    try:
        try:
            stage.scan(chain.scan(), parameters, cut, shard, chain.untold)
        except _ROW_ERRORS:
            # Some row breaks an expression: with each of them inside TRY it costs that row only.
            chain = bound.compiled.guarded
            stage.scan(chain.scan(), parameters, cut, shard, chain.untold)
    except _BEYOND_TRY as error:
        reason = without_values(first_line(error))
        message = f"an expression fails over some row, and DuckDB cannot skip it: {reason}"
        hint = "let the expression yield null for such a value"
        raise ConfigError([Problem(bound.mapping.place, message, hint)]) from error
    return chain


def _start(window: Window) -> int:
    return milliseconds(window.start or datetime.min)


def _load(bound: Bound, stage: Stage, window: Window | None) -> None:
    direct = bound.origin if window is None else None
    if direct is not None and stage.look_at(direct.table, bound.wanted()):
        return
    try:
        with bound.source.read(bound.relation(window)) as reader:
            stage.load(reader)
    except duckdb.InterruptException:
        raise
    except duckdb.Error as error:
        raise SourceError(
            f"source {bound.source.name!r}: reading {bound.relation()} failed: {first_line(error)}"
        ) from error


def suppressed(
    control: ControlStore, mapping: Mapping | None = None, erased: Sequence[str] = ()
) -> Suppressions:
    """Who may not be sent: those erased, and those who wait to be; with whom a users mapping asked
    to erase before. `erased` are the hashes of those taken as erased besides."""
    from connector.control.erasures import Ledger  # SQLAlchemy: nothing that `validate` waits for

    hasher = control.hasher()
    ledger = Ledger(control)
    waiting = list(ledger.by_hand())
    asked = ledger.asked(mapping.name) if mapping and mapping.kind is Kind.USERS else []
    confirmed = [*control.suppressed(), *erased]
    return Suppressions(hasher.inner, hasher.outer, confirmed, waiting, asked)


def read_feed(project: Project, mapping: Mapping) -> list[str]:
    """The uids that the erasure feed of a mapping lists; nulls and blanks name nobody.

    Raises:
        SourceError: the feed cannot be read. Nothing is sent then: it might be what has to go.
    """
    feed = mapping.deletes.erasures
    if feed is None:
        return []
    relation = Relation(table=feed.table, query=feed.query, columns=(feed.key,))
    with Sources(project) as sources:
        source = sources.open(feed.source)
        try:
            with source.read(relation) as reader:
                uids = reader.read_all().column(0).cast(pa.string()).to_pylist()
        except (SourceError, pa.ArrowException) as error:
            transient = isinstance(error, SourceError) and error.transient
            raise SourceError(
                f"erasure feed of {mapping.name!r}: {error}", transient=transient
            ) from error
    return [uid for uid in uids if uid]


def check_feed(sources: Sources, mapping: Mapping) -> None:
    """Look whether the erasure feed of a mapping is there and has its key, without reading it.

    Raises:
        ConfigError: it cannot be read, or has no such column.
    """
    feed = mapping.deletes.erasures
    if feed is None:
        return
    relation = Relation(table=feed.table, query=feed.query)
    try:
        find_column(feed.key, sources.open(feed.source).schema(relation).names, relation)
    except SourceError as error:
        problem = Problem(feed.place, f"erasure feed: {error.message}", error.hint)
        raise ConfigError([problem]) from error


def check_types(bound: Bound, store: Store) -> None:
    """Stop a field whose type changed: the platform fixed it at first ingest.

    Raises:
        ConfigError: at the field, with both types.
    """
    before = json.loads(store.meta("types") or "{}")
    places = {field.name: field.place for field in bound.mapping.fields}
    problems = [
        Problem(
            places.get(name, bound.mapping.place),
            f"{name!r} was sent as {before[name]} and would now be {type_}; the platform fixed its "
            "type when it first arrived",
            "cast it back, or rename the field; once it is remapped on the platform: "
            "`connector sync --full-refresh`",
        )
        for name, type_ in bound.compiled.types.items()
        if name in before and before[name] != type_
    ]
    if problems:
        raise ConfigError(problems)


def utc_now() -> datetime:
    """The current time, naive UTC."""
    return datetime.now(UTC).replace(tzinfo=None)

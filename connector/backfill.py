"""Backfill: the events of a window of time, in chunks that are done once and for all.

A chunk is recorded in the control store when every row of it is acknowledged, rejected or left out,
so that a backfill that was stopped or killed goes on where it was; within the chunk under way the
same holds row by row, as in a sync. A sync of the target always goes first.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

import duckdb
import pyarrow as pa

from connector.chunk import Meter, Outcome, Stopped, Walker
from connector.control import chunks as ledger
from connector.control.lease import lease
from connector.destination.target import Target
from connector.errors import ConnectorError, Locked, UsageError
from connector.listeners.tell import tell
from connector.mapping.mapping import Mapping
from connector.mapping.rules import Kind
from connector.prepare import Bound, bind
from connector.project import Project
from connector.report import (
    MAX_SAMPLES,
    ChunkReport,
    ChunkStatus,
    Forecast,
    MappingReport,
    RunReport,
    Status,
)
from connector.rightofway import RightOfWay, backfill_lease
from connector.run import Observer, Run, fail, open_run, record, too_many
from connector.shards import check_shards, settle_shards
from connector.source.base import Window
from connector.stop import Stop
from connector.windows import (
    MILLISECOND,
    MOST_CHUNKS,
    SHORTEST_CHUNK,
    Span,
    cut,
    milliseconds,
    remaining,
)

DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class BackfillOptions:
    """How a backfill is done: in which chunks, and whether what was sent is sent again."""

    chunk: timedelta = DAY
    resend: bool = False
    dry_run: bool = False


def backfill(
    project: Project,
    mapping: Mapping,
    window: Span,
    *,
    target: Target,
    options: BackfillOptions = BackfillOptions(),
    stop: Stop | None = None,
    observer: Observer | None = None,
    on_chunk: Callable[[ChunkReport], None] | None = None,
) -> RunReport:
    """Send the events of a window that are not known as sent, the oldest first.

    With `dry_run` nothing is sent or remembered: the report says what would be. `observer` is told
    of progress over all chunks, `on_chunk` of each that is through or had to be left.

    Raises:
        UsageError: the mapping has no events or no cursor, or the window makes no sense.
        StateError: the control store cannot be used.
    """
    _check_usage(mapping, window, options)
    run = open_run(project, target, stop=stop, observer=observer)
    entry = MappingReport(mapping.name, str(mapping.kind), chunks=[])
    job = _Job(run, mapping, window, options, entry, on_chunk or _ignore)
    began = time.monotonic()
    run.observer.started(mapping.name)
    try:
        settle = check_shards if options.dry_run else settle_shards
        settle(run.control, run.paths(mapping).folder, mapping)
        job.look() if options.dry_run else job.walk_recorded()
    except Stopped:
        entry.status = Status.INCOMPLETE
    except ConnectorError as error:
        fail(entry, error)
    finally:
        warnings = tell(project, target, run.control, run.run_id)
        run.control.close()
    entry.seconds = time.monotonic() - began
    run.observer.finished(entry)
    return RunReport("backfill", run.run_id, target.name, [entry], warnings)


def _ignore(_chunk: ChunkReport) -> None: ...


def _check_usage(mapping: Mapping, window: Span, options: BackfillOptions) -> None:
    name = mapping.name
    if mapping.kind is not Kind.EVENTS:
        again = f"`connector sync --select {name} --full-refresh` sends everything again"
        raise UsageError(
            f"{name!r} has no events to backfill",
            hint=again if mapping.kind is Kind.USERS else "a backfill is for events mappings",
        )
    if mapping.cursor is None:
        raise UsageError(
            f"{name!r} has no `cursor:`, so its events have no time to choose them by",
            hint="add the column they came in by; without one every sync reads everything",
        )
    if window.start >= window.end:
        raise UsageError(
            f"the window {window} is empty", hint="`--to` is later than `--from`, and not included"
        )
    if options.chunk < SHORTEST_CHUNK or options.chunk % MILLISECOND:
        raise UsageError("a chunk is a minute at least", hint="`--chunk 1d` is the usual one")
    if (window.end - window.start) / options.chunk > MOST_CHUNKS:
        raise UsageError(f"that is more than {MOST_CHUNKS:,} chunks", hint="take longer chunks")


@dataclass(slots=True)
class _Job:
    """One backfill; what becomes of it goes into `entry`."""

    run: Run
    mapping: Mapping
    window: Span
    options: BackfillOptions
    entry: MappingReport
    on_chunk: Callable[[ChunkReport], None]
    chunks: list[ChunkReport] = field(default_factory=list)

    def walk_recorded(self) -> None:
        """Do it, alone, and keep its report."""
        control, name = self.run.control, backfill_lease(self.mapping.name)
        with ExitStack() as held:
            try:
                held.enter_context(lease(control, name))
            except Locked:
                raise Locked(
                    f"{self.mapping.name!r} is being backfilled by another process",
                    hint="wait for it to end, or stop it: another backfill goes on where it was",
                ) from None
            began = time.monotonic()
            number = control.start_run(self.run.run_id, name, "backfill")
            try:
                self._walk()
            except Stopped:
                self._leave("stopped")
            except ConnectorError as error:
                fail(self.entry, error)
            finally:
                self.entry.seconds = time.monotonic() - began
                record(self.run, number, replace(self.entry, chunks=None))

    def _walk(self) -> None:
        meter = Meter(self.run.observer)
        walker = self._walker(meter)
        self.run.observer.sending(self.mapping.name, sum(chunk.rows for chunk in self.chunks))
        for chunk in self.chunks:
            expected = chunk.rows
            if self.run.stop.requested:
                raise Stopped
            if not expected:
                self._done(walker, chunk)
                continue
            self._one(walker, chunk)
            if chunk.status is not ChunkStatus.DONE:
                return
            meter.before, meter.known = meter.before + expected, 0
        if self.options.resend:
            walker.resent()
        self.entry.too_many_rejects = too_many(self.mapping, self.entry)

    def _walker(self, meter: Meter) -> Walker:
        """Find out what is left to do."""
        run, resend = self.run, self.options.resend
        with bind(run.project, self.mapping) as bound:
            version = bound.compiled.version
            way = RightOfWay(run.control, self.mapping.name)
            walker = Walker(run, self.mapping, version, resend, way, meter)
            since = walker.resent_since(self.window) if resend and not self._dry else None
            done = [] if resend and self._dry else self._completed(version, since)
            left = remaining(self.window, [chunk.window for chunk in done])
            spans = list(cut(left, self.window.start, self.options.chunk))
            counts = count_rows(bound, spans, self.window.start, self.options.chunk)
        self.chunks = [
            ChunkReport(span, rows=rows) for span, rows in zip(spans, counts, strict=True)
        ]
        self.entry.chunks = sorted([*done, *self.chunks], key=lambda chunk: chunk.window)
        return walker

    @property
    def _dry(self) -> bool:
        return self.options.dry_run

    def _completed(self, version: str, since: datetime | None) -> list[ChunkReport]:
        done = ledger.completed(self.run.control, self.mapping.name, version, since=since)
        return [
            ChunkReport(
                Span(chunk.start, chunk.end),
                ChunkStatus.BEFORE,
                rows=chunk.rows,
                acknowledged=chunk.acknowledged,
                rejected=chunk.rejected,
                known=chunk.known,
            )
            for chunk in done
            if chunk.start < self.window.end and chunk.end > self.window.start
        ]

    def _one(self, walker: Walker, chunk: ChunkReport) -> None:
        began = time.monotonic()
        reports: list[MappingReport] = []
        outcome = Outcome.ASIDE
        chunk.status = ChunkStatus.INCOMPLETE
        try:
            while outcome is Outcome.ASIDE:
                reports.append(MappingReport(self.mapping.name, str(self.mapping.kind)))
                outcome = walker.attempt(chunk.window, reports[-1])
        except Stopped:
            outcome = Outcome.INCOMPLETE
        finally:
            chunk.seconds = round(time.monotonic() - began, 3)
            begun = [report for report in reports if report.rows.source]
            if begun:
                sum_up(chunk, self.entry, begun)
            else:
                chunk.status = ChunkStatus.LEFT
            if outcome is not Outcome.DONE:
                self.on_chunk(chunk)
        if outcome is Outcome.DONE:
            self._done(walker, chunk)
        else:
            self._leave(reports[-1].error or "stopped")

    def _done(self, walker: Walker, chunk: ChunkReport) -> None:
        chunk.status = ChunkStatus.DONE
        ledger.record(
            self.run.control,
            self.mapping.name,
            walker.version,
            start=chunk.window.start,
            end=chunk.window.end,
            rows=chunk.rows,
            acknowledged=chunk.acknowledged,
            rejected=chunk.rejected,
            known=chunk.known,
            run_id=self.run.run_id,
        )
        walker.forget()
        self.on_chunk(chunk)

    def _leave(self, why: str) -> None:
        """End before the end: what was not begun is pending, as far as it was counted."""
        entry, event = self.entry, self.entry.changes["event"]
        left = [chunk for chunk in self.chunks if chunk.status is ChunkStatus.LEFT]
        for chunk in left:
            event.planned += chunk.rows
            event.pending += chunk.rows
        entry.status = Status.INCOMPLETE
        unfinished = sum(chunk.status is not ChunkStatus.DONE for chunk in self.chunks)
        of = len(self.chunks)
        entry.error = f"{why}; {unfinished:,} of {of:,} chunks are left"
        entry.hint = "the same command goes on where it was"

    def look(self) -> None:
        """Say what would be sent, chunk by chunk."""
        walker = self._walker(Meter(self.run.observer))
        requests, seconds = 0, 0.0
        for chunk in self.chunks:
            if self.run.stop.requested:
                raise Stopped
            if chunk.rows:
                report = walker.look(chunk.window)
                sum_up(chunk, self.entry, [report])
                if report.forecast is not None:
                    chunk.requests = report.forecast.requests
                    chunk.seconds = report.forecast.seconds
                    requests += chunk.requests
                    seconds += chunk.seconds or 0.0
        limit = self.run.target.rate_limit
        self.entry.forecast = Forecast(requests, seconds if limit else None)


def sum_up(chunk: ChunkReport, entry: MappingReport, attempts: Sequence[MappingReport]) -> None:
    """Count the attempts at one chunk, for the chunk and for the whole.

    What an earlier attempt sent is known to the later, and what the API refused then is refused by
    it beforehand: both are counted where they happened.
    """
    last = attempts[-1]
    outcomes = [report.changes["event"] for report in attempts]
    acknowledged = sum(each.acknowledged for each in outcomes)
    refused = sum(each.rejected for each in outcomes)
    before_last = acknowledged - outcomes[-1].acknowledged
    refused_before = refused - outcomes[-1].rejected

    chunk.rows = last.rows.source
    chunk.planned = outcomes[-1].planned + before_last + refused_before
    chunk.acknowledged = acknowledged
    chunk.rejected = last.rows.rejected + outcomes[-1].rejected
    chunk.known = last.rows.unchanged - before_last
    chunk.requests = sum(report.http.requests for report in attempts)

    rows, event = entry.rows, entry.changes["event"]
    rows.source += chunk.rows
    rows.unchanged += chunk.known
    rows.rejected += last.rows.rejected - refused_before
    rows.suppressed += last.rows.suppressed
    rows.skipped += last.rows.skipped
    event.planned += chunk.planned
    event.acknowledged += acknowledged
    event.rejected += refused
    event.pending += outcomes[-1].pending
    for report in attempts:
        entry.http.requests += report.http.requests
        entry.http.retries += report.http.retries
        entry.http.throttled += report.http.throttled
        entry.http.seconds += report.http.seconds
    for name, count in attempts[0].types.items():
        entry.types[name] = entry.types.get(name, 0) + count
    entry.rejects += last.rejects[: MAX_SAMPLES - len(entry.rejects)]


def count_rows(
    bound: Bound, spans: Sequence[Span], origin: datetime, chunk: timedelta
) -> list[int]:
    """How many rows of the source lie in each span, by reading its cursor alone; none is 0."""
    if not spans:
        return []
    column = bound.mapping.cursor or ""
    relation = bound.relation(Window(column, spans[0].start, spans[-1].end))
    first, step = milliseconds(origin), chunk // MILLISECOND
    cells = {
        "number": list(range(len(spans))),
        "start": [milliseconds(span.start) for span in spans],
        "stop": [milliseconds(span.end) for span in spans],
    }
    with duckdb.connect() as connection:
        connection.execute("SET TimeZone = 'UTC'")
        with bound.source.read(replace(relation, columns=(column,))) as reader:
            connection.register("source", reader)
            connection.register("cells", pa.table(cells))
            # Each span lies within one chunk: whole chunks are matched first, by equality.
            rows = connection.execute(
                f"SELECT c.number, count(*) FROM ({bound.compiled.chain.cursors()}) AS r "  # noqa: S608 - numbers, and the compiler's own SQL
                f"JOIN cells AS c ON (r.cursor - {first}) // {step} = (c.start - {first}) // {step}"
                " AND r.cursor >= c.start AND r.cursor < c.stop GROUP BY c.number"
            ).fetchall()
    found = dict(rows)
    # Of a shard about so many: which rows are its own is known when they are read.
    of = bound.mapping.shard.of if bound.mapping.shard else 1
    return [math.ceil(found.get(number, 0) / of) for number in cells["number"]]

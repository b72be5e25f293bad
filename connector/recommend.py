"""Recommendations: every row of a query becomes a request, and its answer rows of a table.

What a row may be asked, and what was asked and answered so far, goes the same road as events do.
One pass over the source is a round: a run that is cut short, however, leaves it open, and the next
goes on with it. Answers are in the state file the moment they are acknowledged and are written at
the end of the run, in one transaction, under a key of their request: a repeat replaces, so that
every answer is there once.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

import duckdb

from connector.control.lease import lease
from connector.deliver import work_batch, write
from connector.destination.target import Target
from connector.destination.work import Delivery, Operation, Progress, Settlement
from connector.errors import ConnectorError, Locked, SourceError, UsageError
from connector.listeners.tell import tell
from connector.mapping.mapping import Mapping
from connector.mapping.rules import Kind
from connector.prepare import Compared, bind, compare, suppressed
from connector.project import Project
from connector.report import (
    MAX_SAMPLES,
    Http,
    MappingReport,
    Recommendations,
    RejectSample,
    RunReport,
    Status,
)
from connector.run import Observer, Run, fail, open_run, record, too_many
from connector.snapshot import answers
from connector.snapshot.answers import Answered, Requests
from connector.snapshot.changes import Refused
from connector.snapshot.purge import forget_erased, rewrite
from connector.snapshot.rejects import sample_rejects
from connector.snapshot.store import open_store
from connector.stop import Stop
from connector.sync import erase_waiting
from connector.writeback import Destination, destination_of


@dataclass(frozen=True, slots=True)
class RecommendOptions:
    """How a run differs from the usual one.

    `fresh` asks for every row, whatever an earlier run left open; `limit` is the most requests, the
    rest stays pending.
    """

    fresh: bool = False
    limit: int | None = None


def recommend(
    project: Project,
    mapping: Mapping,
    *,
    target: Target,
    options: RecommendOptions = RecommendOptions(),
    stop: Stop | None = None,
    observer: Observer | None = None,
) -> RunReport:
    """Ask for recommendations for every row of a mapping, and write the answers where it says.

    Raises:
        UsageError: the mapping is of another kind.
        ConfigError: it does not say where answers go.
        StateError: the control store cannot be used.
    """
    if mapping.kind is not Kind.RECOMMENDATIONS:
        raise UsageError(
            f"{mapping.name!r} is of kind {mapping.kind}",
            hint="`connector sync` sends users and events",
        )
    destination = destination_of(project, mapping)
    run = open_run(project, target, stop=stop, observer=observer)
    entry = MappingReport(
        mapping.name, str(mapping.kind), recommendations=Recommendations(write_to=str(destination))
    )
    report = RunReport("recommend", run.run_id, target.name, [entry])
    try:
        _recorded(_Job(run, mapping, options, destination, entry))
        run.observer.finished(entry)
        erase_waiting(run, report)
    finally:
        report.warnings += tell(project, target, run.control, run.run_id)
        run.control.close()
    return report


@dataclass(slots=True)
class _Job:
    """One run; what becomes of it goes into `entry`."""

    run: Run
    mapping: Mapping
    options: RecommendOptions
    destination: Destination
    entry: MappingReport

    @property
    def counts(self) -> Recommendations:
        """The part of the report that is about requests."""
        if self.entry.recommendations is None:
            raise TypeError("the report is of another kind")
        return self.entry.recommendations


def _recorded(job: _Job) -> None:
    """Do it, alone, and keep its report."""
    run, entry = job.run, job.entry
    run.observer.started(entry.name)
    began = time.monotonic()
    try:
        with lease(run.control, entry.name):
            number = run.control.start_run(run.run_id, entry.name, "recommend")
            try:
                _ask_and_write(job)
            except ConnectorError as error:
                fail(entry, error)
            except duckdb.InterruptException:
                entry.status, entry.error = Status.INCOMPLETE, "stopped while reading"
            finally:
                entry.seconds = time.monotonic() - began
                record(run, number, entry)
    except Locked as error:
        fail(entry, error)
    entry.seconds = time.monotonic() - began


def _ask_and_write(job: _Job) -> None:
    paths = job.run.paths(job.mapping)
    if paths.file.exists():
        with open_store(paths) as store:
            is_asked = answers.is_asked(store)
        if is_asked or job.options.fresh:
            _write_back(job)
    try:
        _ask(job)
    finally:
        # Whatever ended the asking: what was answered is written. A warehouse may have to be left
        # by its reader before it can be written to, so it is done now and not in between.
        _write_back(job)
    job.entry.too_many_rejects = too_many(job.mapping, job.entry)


def _ask(job: _Job) -> None:
    run, mapping = job.run, job.mapping
    with bind(run.project, mapping) as bound:
        paths = run.paths(mapping)
        with open_store(paths, origin=bound.origin_file) as store:
            job.counts.round = answers.begin(store, run.run_id, fresh=job.options.fresh)
            with run.stop.interrupting(store.connection.interrupt):
                compared = compare(run.project, bound, store, run.control)
            _count(job, compared)
            _send(job, compared)
            violations = [(v.code, v.field, v.message) for v in compared.chain.violations]
            compared.stage.record_rejects(compared.rules, violations)
            job.entry.rejects = [RejectSample(*row) for row in sample_rejects(store, MAX_SAMPLES)]
            if not job.counts.pending:
                answers.asked(store)


def _count(job: _Job, compared: Compared) -> None:
    decided, rows = compared.decided, job.entry.rows
    rows.source = decided.source
    rows.unchanged = decided.unchanged
    rows.rejected = decided.count("rejected")
    rows.suppressed = decided.count("suppressed")
    rows.skipped = decided.count("repeated")
    job.counts.planned = job.counts.pending = decided.count("event")


def _send(job: _Job, compared: Compared) -> None:
    """Ask, and count what became of it.

    Raises:
        DestinationError: the target refuses us, whatever the request.
        StateError: what was answered could not be journalled.
    """
    run, name, counts = job.run, job.mapping.name, job.counts
    if not counts.planned:
        return
    requests = Requests(
        compared.stage.store,
        compared.queries("NULL", keep_payload=False),
        compared.parameters,
        version=compared.rules.version,
        limit=job.options.limit,
    )
    run.observer.sending(name, counts.planned)
    delivery: Delivery | None = None
    try:
        delivery = write(
            (work_batch(change, Operation.RECOMMENDATION) for change in requests.batches()),
            _settling(requests),
            run.target,
            run.control,
            stop=run.stop,
            progress=_telling(run.observer, name),
        )
    finally:
        requests.finish()
        counts.answered = requests.acknowledged["event"]
        counts.rejected = requests.rejected["event"]
        counts.pending = counts.planned - counts.answered - counts.rejected
    seconds = round(delivery.seconds, 3)
    job.entry.http = Http(delivery.requests, delivery.retries, delivery.throttled, seconds)
    if counts.pending:
        job.entry.status = Status.INCOMPLETE
        job.entry.error = delivery.incomplete or "stopped at --limit; the rest is pending"
        job.entry.hint = "the same command goes on where it was"


def _settling(requests: Requests) -> Callable[[Settlement], None]:
    def settle(settlement: Settlement) -> None:
        refused = [
            Refused(item.sequence, item.status, item.code, item.message, item.field)
            for item in settlement.rejected
        ]
        replies = {at: Answered(*reply) for at, reply in settlement.replies.items()}
        requests.answer(settlement.acknowledged, refused, replies)

    return settle


def _telling(observer: Observer, name: str) -> Callable[[Progress], None]:
    return lambda progress: observer.progress(name, progress)


def _write_back(job: _Job) -> None:
    """Write the answers that wait for it, and let go of what no later run needs.

    Raises:
        SourceError: they cannot be written; they are kept for the next run.
        StateError: the state file cannot be used.
    """
    paths = job.run.paths(job.mapping)
    if not paths.file.exists():
        return
    hidden = suppressed(job.run.control)
    with open_store(paths) as store:
        if answers.unwritten(store):
            answers.forget_answers(store, hidden)
            round_ = store.meta("round") or ""
            with answers.reading(store) as rows:
                try:
                    job.counts.written += job.destination.write(rows, round_)
                except SourceError as error:
                    kept = "the answers are kept, and the same command writes them"
                    error.hint = f"{error.hint}; {kept}" if error.hint else f"mend that: {kept}"
                    raise
        if answers.is_asked(store) or answers.unwritten(store):
            answers.written(store)
        due = forget_erased(store, hidden, events=True)
    if due:
        rewrite(paths)

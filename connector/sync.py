"""Walks the road of a row: read, stage, compare, guard, send, acknowledge."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace

import duckdb

from connector.control.erasures import Ledger
from connector.control.lease import lease
from connector.control.runs import forget_idle_before
from connector.deliver import deliver, request_erasures
from connector.destination.target import Target
from connector.destination.work import Delivery
from connector.erasure import NAME as ERASE
from connector.erasure import finish_recorded, purge_others
from connector.errors import (
    ConnectorError,
    DestinationError,
    Locked,
    SourceError,
    StateError,
    UsageError,
)
from connector.follow import Following
from connector.incremental import freshness, remember_read, remember_types, start_over
from connector.listeners.tell import tell
from connector.mapping.mapping import Mapping
from connector.mapping.rules import Kind
from connector.planfile import PlanFile
from connector.prepare import Compared, bind, compare, suppressed, utc_now
from connector.project import Project
from connector.report import (
    MAX_SAMPLES,
    Http,
    MappingReport,
    RejectSample,
    RunReport,
    Status,
)
from connector.rightofway import learn_from_backfill
from connector.run import (
    DEFAULTS,
    Observer,
    Run,
    SyncOptions,
    fail,
    open_run,
    record,
    too_many,
)
from connector.shards import settle_shards
from connector.snapshot import guards
from connector.snapshot.changes import Changes
from connector.snapshot.lags import Lags
from connector.snapshot.purge import forget_erased, rewrite
from connector.snapshot.rejects import sample_rejects
from connector.snapshot.stage import SENT
from connector.snapshot.store import open_store
from connector.stop import Stop

__all__ = ["Observer", "SyncOptions", "sync", "synced"]


def sync(
    project: Project,
    mappings: Sequence[Mapping],
    *,
    target: Target,
    options: SyncOptions = DEFAULTS,
    plan: PlanFile | None = None,
    stop: Stop | None = None,
    observer: Observer | None = None,
) -> RunReport:
    """Bring a target in step with the warehouse, one mapping after the other.

    What goes wrong with one mapping is in its report and does not keep the others from running;
    only a target that refuses us ends the run at once. With a `plan`, whose mappings and options
    these must be, that is done and nothing else, or nothing.

    Raises:
        UsageError: options that contradict each other, or nothing to sync.
        GuardTripped: the plan is of another target or another state.
        StateError: the control store cannot be used.
    """
    _check_usage(options)
    chosen = synced(mappings)
    run = open_run(project, target, options=options, stop=stop, observer=observer)
    report = RunReport("sync", run.run_id, target.name)
    refusal: _Ended | None = None
    try:
        if plan is None:
            erase_waiting(run, report)
        else:
            following = Following(plan, target, run.control)
            following.look(run, chosen)
            run = replace(run, following=following)
        for mapping in chosen:
            if refusal is not None:
                entry = refusal.not_started(mapping)
            else:
                entry, refusal = _sync_recorded(run, mapping)
            report.mappings.append(entry)
            run.observer.finished(entry)
        if refusal is None and (plan is None or not report.exit_code):
            erase_waiting(run, report)
        _purge_others(run, report)
    finally:
        report.warnings += tell(project, target, run.control, run.run_id)
        run.control.close()
    return report


def _purge_others(run: Run, report: RunReport) -> None:
    """Whoever was erased is in no snapshot, though its mapping was not synced now, or before the
    erasure, or did not get that far."""
    erasing = [each for each in report.mappings if each.changes["hard_delete"].acknowledged]
    if not erasing:
        return
    try:
        purge_others(run.project, run.target, run.control)
    except (SourceError, StateError) as error:
        fail(erasing[0], error)


def erase_waiting(run: Run, report: RunReport) -> None:
    """Send erasures that were asked for by hand and could not be sent then."""
    if run.stop.requested or not Ledger(run.control).by_hand():
        return
    entry = finish_recorded(run.project, run.target, run.control, run.run_id, stop=run.stop)
    if entry.status is not Status.LOCKED:
        report.mappings = [known for known in report.mappings if known.name != ERASE]
        report.mappings.append(entry)
        run.observer.finished(entry)


def synced(mappings: Sequence[Mapping]) -> list[Mapping]:
    """Those of the mappings that are synced: users and events.

    Raises:
        UsageError: there is none.
    """
    chosen = [mapping for mapping in mappings if mapping.kind is not Kind.RECOMMENDATIONS]
    if not chosen:
        raise UsageError(
            "only users and events mappings are synced, and none is selected",
            hint="`connector recommend NAME` runs a recommendations mapping",
        )
    return chosen


def _check_usage(options: SyncOptions) -> None:
    if options.rebaseline and (options.full_refresh or options.limit is not None):
        raise UsageError("--rebaseline sends nothing: it cannot go with other options")


_LOST = (
    "the lease of the mapping was lost: the control store was away for too long",
    "the rest is pending; the next sync sends it",
)


@dataclass(frozen=True, slots=True)
class _Ended:
    """Why a run ends at once: the target refuses us, or is away."""

    status: Status
    message: str | None
    hint: str | None

    def not_started(self, mapping: Mapping) -> MappingReport:
        error = f"not started: {self.message}"
        return MappingReport(
            mapping.name, str(mapping.kind), self.status, error=error, hint=self.hint
        )


def _sync_recorded(run: Run, mapping: Mapping) -> tuple[MappingReport, _Ended | None]:
    """Sync one mapping and note the run; says too whether that ends the whole run."""
    report = MappingReport(mapping.name, str(mapping.kind))
    if run.stop.requested:
        report.status, report.error = Status.INCOMPLETE, "stopped before it began"
        return report, None
    run.observer.started(mapping.name)
    began = time.monotonic()
    ended = False
    try:
        settle_shards(run.control, run.paths(mapping).folder, mapping)
        with (
            run.with_own_stop() as own,
            lease(run.control, mapping.name, lost=own.stop.request),
        ):
            number = run.control.start_run(run.run_id, mapping.name, "sync")
            try:
                ended = _sync_reported(own, mapping, report)
                if own.stop.requested > run.stop.requested and report.status is Status.INCOMPLETE:
                    report.error, report.hint = _LOST
            finally:
                report.seconds = time.monotonic() - began
                record(run, number, report)
            if report.status is Status.DONE and not report.planned:
                forget_idle_before(run.control, mapping.name, number)
    except (Locked, UsageError) as error:
        fail(report, error)
    report.seconds = time.monotonic() - began
    if ended or report.outage:
        return report, _Ended(report.status, report.error, report.hint)
    return report, None


def _sync_reported(run: Run, mapping: Mapping, report: MappingReport) -> bool:
    """Sync one mapping, with what goes wrong in its report; says whether the target refused us."""
    try:
        _sync_one(run, mapping, report)
    except ConnectorError as error:
        if run.stop.requested and isinstance(error, SourceError):
            report.status, report.error = Status.INCOMPLETE, "stopped while reading"
        else:
            fail(report, error)
        return isinstance(error, DestinationError)
    except duckdb.InterruptException:
        report.status, report.error = Status.INCOMPLETE, "stopped while reading"
    except BaseException as error:
        report.status, report.error = Status.FAILED, f"{type(error).__name__}, unforeseen"
        raise
    return False


def _sync_one(run: Run, mapping: Mapping, report: MappingReport) -> None:
    paths = run.paths(mapping)
    if run.following is not None:
        run.following.begin(mapping)
    with bind(run.project, mapping) as bound:
        report.fields = {name: str(type_) for name, type_ in bound.compiled.types.items()}
        started = utc_now()
        with open_store(paths, origin=bound.origin_file) as store:
            if mapping.cursor is not None:
                learn_from_backfill(run.control, store)
            with (
                run.stop.interrupting(store.connection.interrupt),
                run.stop.interrupting(bound.source.interrupt),
            ):
                compared = compare(
                    run.project, bound, store, run.control, refresh=run.options.full_refresh
                )
            count(report, compared)
            if run.following is not None:
                run.following.check(bound, compared)
            lags = Lags()
            if run.options.rebaseline:
                _adopt(mapping, compared, report)
            else:
                guard(mapping, compared, run.options)
                request_erasures(
                    run.control, compared.stage, mapping=mapping.name, run_id=run.run_id
                )
                if run.options.full_refresh:
                    start_over(store)
                if report.planned:
                    # Before the first of them can arrive: a process may be killed at any time.
                    remember_types(bound, compared)
                lags = send(run, mapping, compared, report)
            compared.stage.record_rejects(
                compared.rules,
                [(v.code, v.field, v.message) for v in compared.chain.violations],
            )
            remember_read(bound, compared, started)
            report.freshness = freshness(mapping, store, lags)
            report.rejects = [RejectSample(*row) for row in sample_rejects(store, MAX_SAMPLES)]
            erased = suppressed(run.control)
            due = forget_erased(store, erased, events=mapping.kind is Kind.EVENTS)
            compared.engine.give_back(store, erased)
    report.too_many_rejects = too_many(mapping, report)
    if due:
        rewrite(paths)


def count(report: MappingReport, compared: Compared) -> None:
    """Fill in what was read and what is planned."""
    decided = compared.decided
    report.rows.source = decided.source
    report.rows.unchanged = decided.unchanged
    report.rows.rejected = decided.count("rejected")
    report.rows.suppressed = decided.count("suppressed")
    report.rows.skipped = decided.count("skipped") + decided.count("repeated")
    for name, operation in report.changes.items():
        operation.planned = operation.pending = decided.count(name)
        operation.reasons = {
            reason: count
            for (decision, reason), count in sorted(decided.by_reason.items())
            if decision == name
        }
    report.types = compared.types()
    if compared.unaddressable:
        report.warnings.append(
            f"no request can name {len(compared.unaddressable):,} of the uids in the erasure feed: "
            "they were never sent; `connector rejects` shows them"
        )


def _adopt(mapping: Mapping, compared: Compared, report: MappingReport) -> None:
    adopted = compared.stage.adopt(
        {
            name: compared.payloads(f"decision = '{name}'")
            for name in ("upsert", "soft_delete", "event")
        },
        compared.parameters,
        keep_payload=mapping.keep_payload,
    )
    report.adopted = adopted
    for operation in report.changes.values():
        operation.planned = operation.pending = 0
        operation.reasons = {}


def guard(mapping: Mapping, compared: Compared, options: SyncOptions) -> None:
    """Stop a mapping before the first byte when its guards say so.

    Raises:
        GuardTripped: with the numbers and the flag that lets it through.
    """
    limits = mapping.deletes.guards
    before = compared.stage.store.meta("rows")
    sample = [
        key
        for decision in ("hard_delete", "soft_delete")
        for key, _ in compared.stage.sample(decision, 3)
    ]
    guards.check(
        mapping.name,
        compared.decided,
        guards.Limits(
            limits.max_delete_fraction,
            limits.max_deletes,
            limits.max_erasures,
            allowed=options.allow_deletes,
        ),
        complete=compared.rules.complete,
        rows_before=int(before) if before else None,
        sample=sample[:3],
    )


def send(run: Run, mapping: Mapping, compared: Compared, report: MappingReport) -> Lags:
    """Send what was planned and count what became of it; returns how long events took.

    Raises:
        DestinationError: the target refuses us, whatever the row.
        StateError: what was acknowledged could not be journalled.
    """
    name = mapping.name
    if not report.planned:
        return Lags()
    changes = Changes(
        compared.stage.store,
        compared.queries(compared.chain.bare_payload, keep_payload=mapping.keep_payload),
        compared.parameters,
        version=compared.rules.version,
        limit=run.options.limit,
    )
    run.observer.sending(name, report.planned)
    try:
        delivery = deliver(
            changes,
            run.target,
            run.control,
            run.run_id,
            mapping=name,
            stop=run.stop,
            progress=lambda progress: run.observer.progress(name, progress),
            held=run.held,
            ended=lambda delivery: _count_requests(report, delivery),
        )
    finally:
        _count_outcomes(report, changes)
        changes.finish()
    if report.pending:
        report.status = Status.INCOMPLETE
        report.error = delivery.incomplete or "stopped at --limit; the rest is pending"
    return changes.lags


def _count_outcomes(report: MappingReport, changes: Changes) -> None:
    for name in SENT:
        operation = report.changes[name]
        operation.acknowledged = changes.acknowledged[name]
        operation.rejected = changes.rejected[name]
        operation.pending = operation.planned - operation.acknowledged - operation.rejected


def _count_requests(report: MappingReport, delivery: Delivery) -> None:
    seconds = round(delivery.seconds, 3)
    report.http = Http(delivery.requests, delivery.retries, delivery.throttled, seconds)
    report.outage = delivery.outage

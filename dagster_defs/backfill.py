"""Backfills: the events of a mapping by day or hour, beside the asset of its syncs.

An asset is partitioned or it is not, so the partitions are an asset of their own: `sequen/clicks`
is what syncs keep in step, `sequen/clicks/by_day` what backfills sent of each day.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Literal

import dagster as dg
from pydantic import Field

from connector.backfill import BackfillOptions
from connector.errors import ConnectorError, UsageError
from connector.mapping.mapping import Mapping
from connector.mapping.rules import Kind
from connector.report import ChunkReport, RunReport
from connector.windows import Span, parse_moment
from dagster_defs.metadata import chunk_table, plan_metadata, run_metadata
from dagster_defs.outcome import Retries, raise_for_error, raise_unless_done
from dagster_defs.partitions import Partitions, span_of, spans_of, within
from dagster_defs.project import SyncProject
from dagster_defs.sync import RunLog

LENGTHS = {"day": timedelta(days=1), "hour": timedelta(hours=1)}


@dataclass(frozen=True)
class Backfills(dg.Resolvable):
    """How events can be sent again or afterwards, by the UTC day or hour of their cursor."""

    enabled: bool = True
    by: Literal["day", "hour"] = "day"
    start: str = "2024-01-01"
    """The first partition, `YYYY-MM-DD`. Days and hours that have not ended are left to syncs."""

    @property
    def chunk(self) -> timedelta:
        """The length of a partition."""
        return LENGTHS[self.by]

    def partitions(self) -> dg.TimeWindowPartitionsDefinition:
        """Every day or hour since the start that has ended."""
        if self.by == "hour":
            return dg.HourlyPartitionsDefinition(start_date=f"{self.start}-00:00")
        return dg.DailyPartitionsDefinition(start_date=self.start)


class BackfillConfig(dg.Config):
    """How a backfill of partitions differs from the usual one."""

    resend: bool = Field(default=False, description="Send what is known as sent again, too.")


class BackfillWindowConfig(dg.Config):
    """A backfill of any window of time, partitions or not."""

    mapping: str = Field(description="The name of an events mapping with a cursor.")
    start: str = Field(description="The first time: 2026-03-01 or 2026-03-01T12:00; UTC.")
    end: str = Field(description="The time after the last.")
    chunk_hours: float | None = Field(
        default=None,
        gt=0,
        description="What is done, and remembered as done, at once; left out: a partition.",
    )
    resend: bool = Field(default=False, description="Send what is known as sent again, too.")
    dry_run: bool = Field(default=False, description="Count rows, requests and time; send nothing.")


def can_be_backfilled(mapping: Mapping) -> bool:
    """Whether the events of a mapping can be told apart by time."""
    return mapping.kind is Kind.EVENTS and mapping.cursor is not None


def partitioned_key(key: dg.AssetKey, backfills: Backfills) -> dg.AssetKey:
    """The key of the partitioned asset beside the asset of a mapping."""
    return dg.AssetKey([*key.path, f"by_{backfills.by}"])


def backfill_spec(spec: dg.AssetSpec, mapping: Mapping, backfills: Backfills) -> dg.AssetSpec:
    """The partitioned asset beside the asset of a mapping; it runs when it is asked to."""
    return spec.replace_attributes(
        key=partitioned_key(spec.key, backfills),
        description=f"Events of {mapping.name!r} by the {backfills.by} of `{mapping.cursor}`, as "
        "backfills sent them.",
        partitions_def=backfills.partitions(),
        # In the same group a table `clicks` that nothing declares would be taken for
        # `sequen/clicks`: Dagster looks for assets of the same name there.
        group_name=f"{spec.group_name or 'default'}_backfills",
        automation_condition=None,
        # Days are noted one by one, as they are done: none is left for the end of the run.
        skippable=True,
    )


def run_backfill(
    sync: SyncProject,
    context: dg.AssetExecutionContext,
    mapping: Mapping,
    backfills: Backfills,
    config: BackfillConfig,
    retries: Retries,
) -> None:
    """Send the events of the run's partitions, and note each partition when it is through.

    Raises:
        Failure: trying again would not help.
        RetryRequested: the API or the source is out, or another process backfills the mapping.
    """
    spans = spans_of(backfills.partitions(), context.partition_keys)
    window = span_of(context.partition_time_window)
    options = BackfillOptions(chunk=backfills.chunk, resend=config.resend)
    noted = Partitions(context.log_event, context.asset_key, spans)
    send_window(sync, context, mapping, window, options, noted, retries, asset=context.asset_key)


def send_window(
    sync: SyncProject,
    context: dg.AssetExecutionContext | dg.OpExecutionContext,
    mapping: Mapping,
    window: Span,
    options: BackfillOptions,
    noted: Partitions,
    retries: Retries,
    *,
    asset: dg.AssetKey,
) -> None:
    """Backfill a window; how it went is an observation of `asset`. Errors as for `run_backfill`."""
    watcher = RunLog()

    def told(run: RunReport) -> dict[str, Any]:
        report = run.of(mapping.name)
        if options.dry_run:
            metadata = plan_metadata(report)
        else:
            metadata = run_metadata(report, watcher.pace(report.name), run.warnings)
        return {**metadata, "chunks": chunk_table(report)}

    def note(run: RunReport) -> None:
        noted.finish(run.of(mapping.name))
        context.log_event(dg.AssetObservation(asset, metadata=told(run)))

    def through(chunk: ChunkReport) -> None:
        watcher.lines.put(lambda: noted.add(chunk))

    try:
        run = sync.backfill(
            mapping,
            window,
            options,
            context.log,
            watcher=watcher,
            cancelled=note,
            on_chunk=through,
        )
    except ConnectorError as error:
        raise_for_error(error, retries=retries, attempt=context.retry_number)
    note(run)
    report = run.of(mapping.name)
    raise_unless_done(report, retries=retries, attempt=context.retry_number, metadata=told(run))


def build_backfill_job(
    sync: SyncProject,
    keys: dict[str, dg.AssetKey],
    backfills_of: Callable[[Mapping], Backfills],
    *,
    prefix: str,
    pool: str,
    retries: Retries,
) -> dg.JobDefinition | None:
    """The job that sends any window of events; None where no mapping has such events."""
    if not any(can_be_backfilled(each) for each in sync.mappings):
        return None

    @dg.op(name=f"{prefix}_backfill_op", pool=pool)
    def backfill_op(context: dg.OpExecutionContext, config: BackfillWindowConfig) -> None:
        try:
            mapping = _named(sync, config.mapping)
            window = Span(parse_moment(config.start), parse_moment(config.end))
        except ConnectorError as error:
            raise dg.Failure(str(error), allow_retries=False) from None
        backfills, asset = backfills_of(mapping), keys[mapping.name]
        chunk = timedelta(hours=config.chunk_hours) if config.chunk_hours else backfills.chunk
        options = BackfillOptions(chunk, resend=config.resend, dry_run=config.dry_run)
        partitioned = backfills.enabled and not config.dry_run
        spans = within(backfills.partitions(), window) if partitioned else {}
        noted = Partitions(context.log_event, partitioned_key(asset, backfills), spans)
        send_window(sync, context, mapping, window, options, noted, retries, asset=asset)

    @dg.job(name=f"{prefix}_backfill", description="Send the events of a window of time.")
    def job() -> None:
        backfill_op()

    return job


def _named(sync: SyncProject, name: str) -> Mapping:
    for mapping in sync.choose([name]):
        if mapping.name == name and can_be_backfilled(mapping):
            return mapping
    raise UsageError(f"{name!r} names no events mapping with a `cursor:`")

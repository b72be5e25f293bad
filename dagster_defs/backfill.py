"""Backfills: the events of a mapping by day or hour, beside the asset of its syncs.

An asset is partitioned or it is not, so the partitions are an asset of their own: `sequen/clicks`
is what syncs keep in step, `sequen/clicks/by_day` what backfills sent of each day.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Literal

import dagster as dg

from connector.backfill import BackfillOptions
from connector.errors import ConnectorError
from connector.mapping.mapping import Mapping
from connector.mapping.rules import Kind
from connector.report import ChunkReport, ChunkStatus, MappingReport
from connector.windows import Span
from dagster_defs.metadata import run_metadata
from dagster_defs.outcome import Retries, raise_for_error, raise_unless_done
from dagster_defs.project import SyncProject
from dagster_defs.sync import RunLog

LENGTHS = {"day": timedelta(days=1), "hour": timedelta(hours=1)}

_THROUGH = {ChunkStatus.BEFORE, ChunkStatus.DONE}


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
    """How a backfill differs from the usual one."""

    resend: bool = False
    """Send what is known as sent again, too."""


def can_be_backfilled(mapping: Mapping) -> bool:
    """Whether the events of a mapping can be told apart by time."""
    return mapping.kind is Kind.EVENTS and mapping.cursor is not None


def backfill_spec(spec: dg.AssetSpec, mapping: Mapping, backfills: Backfills) -> dg.AssetSpec:
    """The partitioned asset beside the asset of a mapping; it runs when it is asked to."""
    return spec.replace_attributes(
        key=dg.AssetKey([*spec.key.path, f"by_{backfills.by}"]),
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
    days = _Partitions(context, mapping)
    watcher = RunLog()

    def note(chunk: ChunkReport) -> None:
        watcher.lines.put(lambda: days.add(chunk))

    def cancelled(entries: Sequence[MappingReport]) -> None:
        days.finish(entries[0])

    try:
        run = sync.backfill(
            mapping,
            days.window,
            BackfillOptions(chunk=backfills.chunk, resend=config.resend),
            context.log,
            watcher=watcher,
            cancelled=cancelled,
            on_chunk=note,
        )
    except ConnectorError as error:
        raise_for_error(error, retries=retries, attempt=context.retry_number)
    report = run.mappings[0]
    days.finish(report)
    metadata = run_metadata(report, watcher.rates.get(report.name, []))
    raise_unless_done(report, retries=retries, attempt=context.retry_number, metadata=metadata)


class _Partitions:
    """The partitions of a run, and which of them have been noted as materialized."""

    def __init__(self, context: dg.AssetExecutionContext, mapping: Mapping) -> None:
        self._context = context
        self._mapping = mapping
        definition = context.assets_def.partitions_def
        assert isinstance(definition, dg.TimeWindowPartitionsDefinition)  # noqa: S101 - `backfill_spec` says so
        self._spans = {
            key: _span(definition.time_window_for_partition_key(key))
            for key in context.partition_keys
        }
        self.window = _span(context.partition_time_window)

    def add(self, chunk: ChunkReport) -> None:
        """A chunk is through, or had to be left: a partition that is all of it is done."""
        for key, span in list(self._spans.items()):
            if span == chunk.window and chunk.status in _THROUGH:
                self._note(key, [chunk])

    def finish(self, report: MappingReport) -> None:
        """Note those that are done, by this run or an earlier one, and not noted yet."""
        chunks = report.chunks or []
        for key, span in list(self._spans.items()):
            mine = [
                each
                for each in chunks
                if each.window.start < span.end and each.window.end > span.start
            ]
            if _covers(mine, span) and all(each.status in _THROUGH for each in mine):
                self._note(key, mine)

    def _note(self, key: str, chunks: Sequence[ChunkReport]) -> None:
        span = self._spans.pop(key)
        metadata = partition_metadata(span, chunks)
        self._context.log_event(
            dg.AssetMaterialization(self._context.asset_key, partition=key, metadata=metadata)
        )


def partition_metadata(span: Span, chunks: Sequence[ChunkReport]) -> dict[str, Any]:
    """What was sent of one partition. Earlier chunks that reach beyond it do not say how many of
    their rows are of this partition, so there are no counts then."""
    before = all(each.status is ChunkStatus.BEFORE for each in chunks)
    metadata: dict[str, Any] = {"status": "done before" if before else "done"}
    if any(each.window.start < span.start or each.window.end > span.end for each in chunks):
        return metadata
    acknowledged = sum(each.acknowledged for each in chunks)
    known = sum(each.known for each in chunks)
    return {
        **metadata,
        "rows_read": sum(each.rows for each in chunks),
        "acknowledged": acknowledged,
        "rows_unchanged": known,
        "rejected": sum(each.rejected for each in chunks),
        "requests": sum(each.requests for each in chunks),
        "seconds": round(sum(each.seconds or 0.0 for each in chunks), 3),
        "dagster/partition_row_count": acknowledged + known,
    }


def _covers(chunks: Sequence[ChunkReport], span: Span) -> bool:
    reached = span.start
    for each in sorted(chunks, key=lambda each: each.window):
        if each.window.start > reached:
            return False
        reached = max(reached, each.window.end)
    return reached >= span.end


def _span(window: dg.TimeWindow) -> Span:
    return Span(_utc(window.start), _utc(window.end))


def _utc(moment: datetime) -> datetime:
    return moment.astimezone(UTC).replace(tzinfo=None)

"""Partitions of a backfill: which windows of time they are, and which of them are done."""

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import dagster as dg

from connector.report import ChunkReport, ChunkStatus, MappingReport
from connector.windows import Span

_THROUGH = {ChunkStatus.BEFORE, ChunkStatus.DONE}

LogEvent = Callable[[dg.AssetMaterialization], None]


class Partitions:
    """The partitions of a run, and which of them have been noted as materialized."""

    def __init__(self, log_event: LogEvent, asset: dg.AssetKey, spans: Mapping[str, Span]) -> None:
        self._log_event = log_event
        self._asset = asset
        self._spans = dict(spans)

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
        self._log_event(dg.AssetMaterialization(self._asset, partition=key, metadata=metadata))


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


def spans_of(definition: dg.TimeWindowPartitionsDefinition, keys: Sequence[str]) -> dict[str, Span]:
    """The windows of partitions, by their keys; naive UTC."""
    return {key: span_of(definition.time_window_for_partition_key(key)) for key in keys}


def within(definition: dg.TimeWindowPartitionsDefinition, span: Span) -> dict[str, Span]:
    """Those partitions that are in a window of time as a whole."""
    window = dg.TimeWindow(span.start.replace(tzinfo=UTC), span.end.replace(tzinfo=UTC))
    found = spans_of(definition, definition.get_partition_keys_in_time_window(window))
    return {
        key: each for key, each in found.items() if span.start <= each.start <= each.end <= span.end
    }


def span_of(window: dg.TimeWindow) -> Span:
    """A window of Dagster's in naive UTC."""
    return Span(_utc(window.start), _utc(window.end))


def _utc(moment: datetime) -> datetime:
    return moment.astimezone(UTC).replace(tzinfo=None)

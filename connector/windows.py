"""Spans of time, and how a backfill is cut into them. All times are naive UTC."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from connector.errors import UsageError

EPOCH = datetime(1970, 1, 1)
MILLISECOND = timedelta(milliseconds=1)
SHORTEST_CHUNK = timedelta(minutes=1)
MOST_CHUNKS = 20_000


@dataclass(frozen=True, slots=True, order=True)
class Span:
    """The times from `start` up to and without `end`."""

    start: datetime
    end: datetime

    def __str__(self) -> str:
        return f"{stamp(self.start)} to {stamp(self.end)}"


def stamp(moment: datetime) -> str:
    """A time as JSON and people read it: `2026-03-01T12:00:00Z`, milliseconds where there are."""
    precision = "milliseconds" if moment.microsecond else "seconds"
    return f"{moment.isoformat(timespec=precision)}Z"


def milliseconds(moment: datetime) -> int:
    """A time as the road counts it: milliseconds since 1970, rounded down."""
    return (moment - EPOCH) // MILLISECOND


def moment_of(count: int) -> datetime:
    """The reverse of `milliseconds`."""
    return EPOCH + count * MILLISECOND


def parse_moment(text: str) -> datetime:
    """`2026-03-01`, `2026-03-01T12:00` or with a zone; without one it is UTC.

    Raises:
        UsageError: it is none of these.
    """
    try:
        moment = datetime.fromisoformat(text.strip())
        if moment.tzinfo is not None:
            moment = moment.astimezone(UTC).replace(tzinfo=None)
    except (ValueError, OverflowError):
        raise UsageError(
            f"{text!r} is no date or time", hint="write 2026-03-01 or 2026-03-01T12:00:00Z"
        ) from None
    return moment_of(milliseconds(moment))


def remaining(span: Span, done: Iterable[Span]) -> list[Span]:
    """What is left of a span without those that are done, in order."""
    left: list[Span] = []
    start = span.start
    for each in sorted(done):
        if each.end <= start:
            continue
        if each.start >= span.end:
            break
        if each.start > start:
            left.append(Span(start, each.start))
        start = max(start, each.end)
    if start < span.end:
        left.append(Span(start, span.end))
    return left


def cut(spans: Iterable[Span], origin: datetime, chunk: timedelta) -> Iterator[Span]:
    """Spans cut wherever a whole number of chunks has passed since `origin`."""
    for span in spans:
        start = span.start
        while start < span.end:
            end = origin + ((start - origin) // chunk + 1) * chunk
            yield Span(start, min(end, span.end))
            start = end

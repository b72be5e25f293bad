"""Spans of time, and how they are cut."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connector.errors import UsageError
from connector.windows import EPOCH, Span, cut, milliseconds, moment_of, parse_moment, remaining

HOUR = timedelta(hours=1)


def hours(first: int, last: int) -> Span:
    return Span(EPOCH + first * HOUR, EPOCH + last * HOUR)


spans = st.tuples(st.integers(0, 200), st.integers(1, 50)).map(
    lambda pair: hours(pair[0], pair[0] + pair[1])
)


def inside(span: Span) -> set[datetime]:
    """Every hour of a span."""
    return {span.start + number * HOUR for number in range((span.end - span.start) // HOUR)}


@given(span=spans, done=st.lists(spans, max_size=8))
def test_what_remains_is_what_is_not_done(span: Span, done: list[Span]) -> None:
    left = remaining(span, done)
    covered = set().union(*map(inside, done)) if done else set()
    assert [hour for each in left for hour in sorted(inside(each))] == sorted(
        inside(span) - covered
    )
    assert all(each.start < each.end for each in left)


@given(left=st.lists(spans, max_size=4), origin=st.integers(-30, 30), chunk=st.integers(1, 40))
def test_cuts_cover_everything_once_and_lie_within_one_chunk(
    left: list[Span], origin: int, chunk: int
) -> None:
    start = EPOCH + origin * HOUR
    pieces = list(cut(left, start, chunk * HOUR))
    assert sum(len(inside(piece)) for piece in pieces) == sum(len(inside(each)) for each in left)
    for piece in pieces:
        cells = {(hour - start) // (chunk * HOUR) for hour in inside(piece)}
        assert len(cells) == 1


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("2026-03-01", datetime(2026, 3, 1)),
        ("2026-03-01T12:30", datetime(2026, 3, 1, 12, 30)),
        ("2026-03-01 12:30:15.5", datetime(2026, 3, 1, 12, 30, 15, 500_000)),
        ("2026-03-01T12:00:00Z", datetime(2026, 3, 1, 12)),
        ("2026-03-01T12:00:00+02:00", datetime(2026, 3, 1, 10)),
    ],
)
def test_times_are_utc_unless_they_name_a_zone(text: str, moment: datetime) -> None:
    assert parse_moment(text) == moment


@pytest.mark.parametrize("text", ["", "yesterday", "2026-13-01", "1.3.2026", "0001-01-01T00+23:59"])
def test_what_is_no_time_is_refused(text: str) -> None:
    with pytest.raises(UsageError):
        parse_moment(text)


@given(st.datetimes(min_value=datetime(1900, 1, 1), max_value=datetime(2200, 1, 1)))
def test_milliseconds_round_down_and_come_back(moment: datetime) -> None:
    back = moment_of(milliseconds(moment))
    assert timedelta(0) <= moment - back < timedelta(milliseconds=1)
    assert milliseconds(back) == milliseconds(moment)
    assert milliseconds(datetime(1970, 1, 1)) == 0

"""Lags are summed up in little memory, and close to exact."""

from __future__ import annotations

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from connector.snapshot.lags import Lags


@given(st.lists(st.integers(0, 10**11), min_size=1, max_size=200))
def test_quantiles_are_close_to_the_exact_ones(seconds: list[int]) -> None:
    lags, now = Lags(), 10**12
    for part in (seconds[::2], seconds[1::2]):
        lags.add(pa.array([now - lag for lag in part], pa.int64()), now)
    ordered = sorted(seconds)
    for share in (0.5, 0.95):
        exact = ordered[max(0, -(-int(share * 100) * len(ordered) // 100) - 1)]
        assert lags.quantile(share) == pytest.approx(exact, rel=0.03, abs=1)
    assert lags.max == ordered[-1]
    assert lags.rows == len(seconds)


def test_events_without_a_cursor_say_nothing_and_those_of_the_future_are_not_late() -> None:
    lags = Lags()
    lags.add(pa.array([None, None], pa.int64()), 1000)
    assert lags.rows == 0
    assert lags.quantile(0.5) == 0
    lags.add(pa.array([None, 5000], pa.int64()), 1000)
    assert (lags.rows, lags.max, lags.quantile(0.5)) == (1, 0, 0)

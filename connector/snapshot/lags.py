"""How long events take from their cursor to their acknowledgement, summed up in little memory."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from math import exp

import pyarrow as pa

_STEP = 0.02
"""Width of a bucket, as a share of the lag: what a quantile is exact to."""


class Lags:
    """Counts lags in buckets that grow with them. Lags are in milliseconds; a cursor in the future
    counts as none."""

    def __init__(self) -> None:
        self._buckets: Counter[int] = Counter()
        self.max = 0

    def add(self, cursors: pa.Array, now: int) -> None:
        """Events with these cursors were acknowledged now; nulls say nothing."""
        if cursors.null_count == len(cursors):
            return
        import pyarrow.compute as pc  # takes long, and only those with a cursor need it

        known = pc.drop_null(cursors)
        lags = pc.max_element_wise(pc.subtract(now, known), 0)
        self.max = max(self.max, pc.max(lags).as_py())
        buckets = pc.floor(pc.divide(pc.ln(pc.cast(pc.add(lags, 1), pa.float64())), _STEP))
        for each in pc.value_counts(buckets).to_pylist():
            self._buckets[int(each["values"])] += each["counts"]

    @property
    def rows(self) -> int:
        """How many were added."""
        return self._buckets.total()

    def quantile(self, share: float) -> float:
        """The lag that this share of the events did not exceed, within 2 %; 0 for none."""
        wanted = share * self.rows
        for bucket, reached in self._running():
            if reached >= wanted:
                return min(exp((bucket + 0.5) * _STEP) - 1, self.max)
        return 0.0

    def _running(self) -> Iterator[tuple[int, int]]:
        reached = 0
        for bucket, count in sorted(self._buckets.items()):
            reached += count
            yield bucket, reached

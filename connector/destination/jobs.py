"""Rows on their way: one job is one request, and what is left to try if it is refused.

Looking for a culprit among n events: the prefix known to hold the first one is halved until it
stands alone, one request a step; what lies behind it then goes as one request. One culprit costs
log2(n) + 2 requests. If that rest is refused as well, it is bisected plainly, which costs at most
two requests a row however many are bad.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import replace

from connector.destination import requests
from connector.destination.outcomes import Refusal
from connector.destination.requests import Request
from connector.destination.work import Operation, WorkBatch

MOST_NAMED = 20
"""Culprits left out at the API's word before falling back to searching."""


class Limits:
    """The largest batch worth trying; learned from refusals for being too large."""

    def __init__(self, events: int, size: int) -> None:
        self.events = events
        self.bytes = size
        self._accepted_events = 1
        self._accepted_bytes = 0

    def accepted(self, events: int, size: int) -> None:
        """A batch of this size went through."""
        if events > self._accepted_events:
            self._accepted_events = events
        if size > self._accepted_bytes:
            self._accepted_bytes = size

    def exceeded_by(self, job: Job) -> bool:
        """Whether a job made earlier is larger than what has been learned since."""
        return job.rows > 1 and (job.rows > self.events or job.size > self.bytes)

    def no_culprit(self) -> None:
        """A batch was refused, but each of its parts accepted: it must have been its size."""
        self.events = min(self.events, self._accepted_events)

    def too_large(self, events: int, size: int) -> None:
        """A batch of this size was refused for it: by count, by bytes, or we cannot tell."""
        if events > self._accepted_events:
            self.events = min(self.events, max(events // 2, self._accepted_events))
        if size > self._accepted_bytes:
            self.bytes = min(self.bytes, max(size // 2, self._accepted_bytes))


class Job:
    """Rows `start` to `stop` of a batch, as one request.

    `suspects` is where the search for a culprit ends (rows up to there hold one), `end` where the
    refused batch ended; both equal `stop` when nothing is being searched. `found` marks the row
    that must be the culprit, `skipped` are rows left out because the API named them.
    """

    __slots__ = (
        "batch",  "end", "failures","found", "key", "plain", "skipped",
        "start", "stop", "suspects", "tries", "witness",
    )  # fmt: skip

    def __init__(self, batch: WorkBatch, start: int, stop: int, key: bytes | None = None) -> None:
        self.batch = batch
        self.start = start
        self.stop = stop
        self.suspects = stop
        self.end = stop
        self.key = key
        self.plain = False
        self.found = False
        self.skipped: dict[int, Refusal] = {}
        self.tries = 0
        self.failures = 0
        self.witness = -1

    @property
    def rows(self) -> int:
        """How many rows the request carries."""
        return self.stop - self.start - len(self.skipped)

    def request(self) -> Request:
        """The request, built anew each time: a waiting job holds no bytes of its own."""
        batch = self.batch
        if batch.operation is Operation.HARD_DELETE:
            return requests.erase(batch.keys.text(self.start))
        if batch.operation is Operation.EVENT:
            pieces = list(self._pieces())
            return requests.events(pieces[0] if len(pieces) == 1 else b",".join(pieces))
        offsets = batch.payloads.offsets
        payload = batch.payloads.data[offsets[self.start] : offsets[self.start + 1] - 1]
        if batch.operation is Operation.RECOMMENDATION:
            return requests.recommend(bytes(payload))
        return requests.user(bytes(payload))

    def _pieces(self) -> Iterator[memoryview]:
        data, offsets = self.batch.payloads.data, self.batch.payloads.offsets
        for run in self.runs():
            yield data[offsets[run.start] : offsets[run.stop] - 1]

    def runs(self) -> Iterator[range]:
        """The rows that the request carries, where none was left out as one run."""
        start = self.start
        for row in (*sorted(self.skipped), self.stop):
            if row > start:
                yield range(start, row)
            start = row + 1

    @property
    def size(self) -> int:
        """Bytes of payload."""
        offsets = self.batch.payloads.offsets
        return offsets[self.stop] - offsets[self.start]

    def refused(self, words: Refusal) -> list[Job]:
        """What to try after several rows were refused together."""
        if self.plain:
            return self.split()
        if self.suspects == self.end == self.stop:
            believed = self._without_named(words)
            if believed is not None:
                return [believed]
        return [self._search(self.start, self.stop)]

    def split(self) -> list[Job]:
        """Two halves, to be split again if refused, and whatever waited behind them."""
        middle = (self.start + self.stop) // 2
        halves = [Job(self.batch, self.start, middle), Job(self.batch, middle, self.stop)]
        for half in halves:
            half.plain = True
        return halves + self._rest()

    def singles(self) -> list[Job]:
        """One job a row: cheaper than splitting where nearly every row is bad."""
        rows = range(self.start, self.stop)
        return [Job(self.batch, row, row + 1) for row in rows] + self._rest()

    def after_accepted(self) -> list[Job]:
        """What follows once this request was accepted."""
        if self.suspects > self.stop:
            return [self._search(self.stop, self.suspects)]
        if self.proven:
            return self._rest()
        return self._left_out() + self._rest()

    @property
    def proven(self) -> dict[int, Refusal]:
        """Once this request was accepted: the row that must have been the culprit.

        Refused with it, accepted without it. Of several rows left out, any may be innocent.
        """
        return self.skipped if len(self.skipped) == 1 else {}

    def after_rejected(self) -> list[Job]:
        """What follows once the single row of this request was rejected.

        Rows left out on the API's word are tried after all: it had not named the right ones.
        """
        return self._left_out() + self._rest()

    def _left_out(self) -> list[Job]:
        return [Job(self.batch, row, row + 1) for row in self.skipped]

    @property
    def first_row(self) -> int:
        """The first row that the request carries."""
        return next(row for row in range(self.start, self.stop) if row not in self.skipped)

    def _without_named(self, words: Refusal) -> Job | None:
        """The same rows without those the API named; None where it named none that help."""
        rows = [row for row in range(self.start, self.stop) if row not in self.skipped]
        named = {rows[i]: field for i, field in words.named if i < len(rows)}
        if not named or len(self.skipped) + len(named) > MOST_NAMED or len(named) == len(rows):
            return None
        job = Job(self.batch, self.start, self.stop)
        job.skipped = dict(self.skipped)
        for row, field in named.items():
            job.skipped[row] = replace(words, field=field or words.field)
        return job

    def _search(self, start: int, suspects: int) -> Job:
        """Try the first half of rows that hold a culprit, or the culprit itself."""
        stop = suspects if suspects - start == 1 else (start + suspects) // 2
        job = Job(self.batch, start, stop)
        job.suspects = suspects
        job.end = max(self.end, suspects)
        job.found = job.stop == suspects
        return job

    def _rest(self) -> list[Job]:
        if self.end == self.stop:
            return []
        job = Job(self.batch, self.stop, self.end)
        job.plain = True
        return [job]


def cut(batch: WorkBatch, start: int, limits: Limits) -> Job:
    """The next job of a batch of events from row `start`: as large as allowed, one row at least."""
    offsets = batch.payloads.offsets
    most = min(start + limits.events, len(batch))
    stop = bisect_right(offsets, offsets[start] + limits.bytes, start + 1, most + 1) - 1
    return Job(batch, start, max(stop, start + 1))

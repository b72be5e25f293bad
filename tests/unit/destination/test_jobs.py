"""Searching for culprits, against an API that is a function."""

from __future__ import annotations

import json
from collections import deque

from hypothesis import given
from hypothesis import strategies as st

from connector.destination.jobs import Job, Limits, cut
from connector.destination.outcomes import Refusal
from tests.support.work import events


def search(count: int, poison: set[int], naming: int | None) -> tuple[set[int], set[int], int]:
    """Deliver one batch as the writer would; what was accepted, rejected, and the requests."""
    (batch,) = events(count, count)
    todo, accepted, rejected, sent = deque([Job(batch, 0, count)]), set(), set(), 0
    while todo:
        job = todo.popleft()
        body = job.request().body
        assert body is not None
        rows = [int(event["id"][1:]) for event in json.loads(body)["events"]]
        sent += 1
        assert len(rows) == job.rows
        assert not set(rows) & (accepted | rejected)
        bad = [place for place, row in enumerate(rows) if row in poison]
        if not bad:
            accepted.update(rows)
            rejected.update(job.proven)
            todo.extendleft(reversed(job.after_accepted()))
        elif job.rows == 1:
            assert rows == [job.first_row]
            rejected.update(rows)
            todo.extendleft(reversed(job.after_rejected()))
        else:
            named = () if naming is None else ((max(0, bad[0] + naming), None),)
            words = Refusal(422, "bad", "bad", None, named)
            todo.extendleft(reversed(job.refused(words)))
    return accepted, rejected, sent


@given(st.data(), st.integers(1, 300), st.sampled_from([None, 0, 1, -1, 999]))
def test_every_row_is_accepted_or_rejected_once_and_rightly(
    data: st.DataObject, count: int, naming: int | None
) -> None:
    poison = data.draw(st.sets(st.integers(0, count - 1)))
    accepted, rejected, sent = search(count, poison, naming)
    assert rejected == poison
    assert accepted == set(range(count)) - poison
    assert sent <= 2 * count + 40


@given(st.integers(2, 10_000).flatmap(lambda n: st.tuples(st.just(n), st.integers(0, n - 1))))
def test_one_culprit_costs_the_logarithm(case: tuple[int, int]) -> None:
    count, culprit = case
    _, rejected, sent = search(count, {culprit}, None)
    assert rejected == {culprit}
    assert sent - 1 <= (count - 1).bit_length() + 2


def test_a_named_culprit_costs_one_request() -> None:
    assert search(1000, {567}, 0)[2] == 2


@given(st.integers(1, 50), st.integers(10, 500))
def test_batches_are_cut_within_both_limits(most: int, size: int) -> None:
    (batch,) = events(200, 200)
    limits, row = Limits(most, size), 0
    while row < len(batch):
        job = cut(batch, row, limits)
        assert job.start == row
        assert 1 <= job.rows <= most
        assert job.size <= size or job.rows == 1
        row = job.stop


def test_a_limit_never_falls_below_what_was_accepted() -> None:
    limits = Limits(500, 100_000)
    limits.accepted(300, 30_000)
    limits.too_large(500, 50_000)
    assert limits.events == 300
    limits.too_large(200, 90_000)
    assert limits.bytes == 30_000
    assert limits.events == 300

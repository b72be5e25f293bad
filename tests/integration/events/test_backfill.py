"""Backfills: everything of a window arrives, once, whatever happens in between."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import Any

import duckdb
import pytest

from connector.backfill import BackfillOptions, backfill
from connector.control.lease import lease
from connector.control.store import ControlStore
from connector.errors import UsageError
from connector.report import ChunkReport, ChunkStatus, MappingReport, RunReport
from connector.rightofway import backfill_lease
from connector.snapshot.rejects import list_rejects
from connector.snapshot.store import StatePaths, open_store
from connector.stop import Stop
from connector.windows import Span
from tests.integration.events.conftest import TAPS, Taps

MARCH = datetime(2026, 3, 1)
DAY = timedelta(days=1)
BAD = {"resource": "events", "field": "what", "equals": "bad", "status": 422}


def days(first: int, last: int) -> Span:
    """Days of March 2026, the last not included."""
    return Span(MARCH + (first - 1) * DAY, MARCH + (last - 1) * DAY)


def fill(taps: Taps, count: int = 240, *, days: int = 10) -> None:
    """Events e0, e1, … spread evenly over the first days of March 2026."""
    step = days * 86_400 // count
    taps.put(*((f"e{i:04}", "x", MARCH + timedelta(seconds=i * step)) for i in range(count)))


def run(
    taps: Taps,
    window: Span,
    *,
    chunk: timedelta = DAY,
    stop: Stop | None = None,
    on_chunk: Callable[[ChunkReport], None] | None = None,
    **options: Any,
) -> RunReport:
    project = taps.project()
    return backfill(
        project,
        project.mapping("taps"),
        window,
        target=project.target(),
        options=BackfillOptions(chunk=chunk, **options),
        stop=stop,
        on_chunk=on_chunk,
    )


def only(report: RunReport) -> MappingReport:
    return report.mappings[0]


def sent(report: RunReport) -> int:
    assert report.exit_code == 0, only(report).error
    return only(report).changes["event"].acknowledged


@contextmanager
def control_of(taps: Taps) -> Iterator[ControlStore]:
    store = ControlStore(taps.state, "far")
    try:
        yield store
    finally:
        store.close()


def test_the_events_of_a_window_arrive_and_no_others(taps: Taps) -> None:
    fill(taps)
    report = run(taps, days(2, 5))
    assert sent(report) == 72
    assert taps.far_ids() == {f"e{i:04}" for i in range(24, 96)}
    assert [chunk.rows for chunk in only(report).chunks or []] == [24, 24, 24]
    assert only(report).types == {"tap": 72}
    assert 0 < only(report).http.seconds <= only(report).seconds


def test_chunks_that_are_done_are_not_done_again(taps: Taps) -> None:
    fill(taps)
    run(taps, days(2, 5))
    report = run(taps, days(1, 7), chunk=timedelta(hours=7))
    assert sent(report) == 24 + 48
    chunks = only(report).chunks or []
    assert [chunk.status for chunk in chunks].count(ChunkStatus.BEFORE) == 3
    assert taps.repeats() == 0
    assert len(taps.far_ids()) == 144


def test_resend_sends_a_window_again_and_another_resend_once_more(taps: Taps) -> None:
    fill(taps)
    run(taps, days(2, 5))
    assert sent(run(taps, days(2, 4), resend=True)) == 48
    assert sent(run(taps, days(2, 4), resend=True)) == 48
    assert sent(run(taps, days(2, 4))) == 0
    assert taps.repeats() == 96


def test_a_changed_mapping_makes_done_chunks_be_done_again(taps: Taps) -> None:
    fill(taps)
    run(taps, days(2, 5))
    taps.lookback("1h", **{"what: what": "what: upper(what)"})
    assert sent(run(taps, days(2, 5))) == 72


def test_what_a_sync_sent_within_its_lookback_is_not_sent_again(taps: Taps) -> None:
    taps.lookback("2 days")
    fill(taps, days=4)
    taps.run()
    assert sent(run(taps, days(1, 5))) == 119
    assert taps.repeats() == 119
    report = run(taps, Span(MARCH + 3 * DAY, MARCH + 5 * DAY), chunk=2 * DAY, resend=False)
    assert sent(report) == 0


def test_what_a_backfill_sent_is_known_to_a_first_sync(taps: Taps) -> None:
    fill(taps)
    run(taps, days(3, 6))
    assert taps.sent() == 240 - 72
    assert taps.repeats() == 0


def test_what_a_backfill_sent_within_the_lookback_is_known_to_the_next_sync(taps: Taps) -> None:
    taps.lookback("5 days")
    fill(taps)
    taps.run()
    taps.put(*((f"late{i}", "x", MARCH + 6 * DAY) for i in range(5)))
    assert sent(run(taps, days(7, 8))) == 5
    assert taps.sent() == 0
    assert taps.repeats() == 0


def test_late_rows_from_before_the_lookback_come_by_a_backfill_of_their_days(taps: Taps) -> None:
    fill(taps)
    taps.run()
    taps.put(("late", "x", MARCH + 1.5 * DAY))
    assert taps.sent() == 0
    assert sent(run(taps, days(2, 3))) == 25
    assert "late" in taps.far_ids()


def test_a_backfill_that_was_stopped_goes_on_where_it_was(taps: Taps) -> None:
    fill(taps)
    stop, seen = Stop(), []

    def after_three(chunk: ChunkReport) -> None:
        seen.append(chunk)
        if len(seen) == 3:
            stop.request()

    report = run(taps, days(1, 11), stop=stop, on_chunk=after_three)
    assert report.exit_code == 4
    entry = only(report)
    assert entry.changes["event"].pending == 7 * 24
    assert "7 of 10 chunks" in str(entry.error)
    assert sent(run(taps, days(1, 11))) == 7 * 24
    assert taps.repeats() == 0


def test_a_resend_that_was_stopped_goes_on_where_it_was(taps: Taps) -> None:
    fill(taps)
    run(taps, days(1, 11))
    stop = Stop()
    report = run(taps, days(1, 11), stop=stop, on_chunk=lambda _: stop.request(), resend=True)
    assert only(report).changes["event"].acknowledged == 24
    assert sent(run(taps, days(1, 11), resend=True)) == 9 * 24
    assert taps.repeats() == 240


def test_an_api_that_is_down_leaves_the_rest_to_the_next_run(taps: Taps) -> None:
    fill(taps)
    taps.configure("timeout: 1, give_up_after: 1")
    taps.far.set_faults({"e503": 1.0})
    report = run(taps, days(1, 4))
    assert report.exit_code == 4
    assert only(report).changes["event"].pending == 72
    taps.far.set_faults({})
    assert sent(run(taps, days(1, 4))) == 72


def test_a_key_that_is_refused_ends_it_at_once(taps: Taps) -> None:
    fill(taps)
    file = taps.folder / "mappings" / "project.yaml"
    file.write_text(file.read_text().replace("api_key: sandbox", "api_key: wrong"))
    report = run(taps, days(1, 4))
    assert report.exit_code == 1
    assert only(report).status == "failed"


def test_refused_rows_are_listed_with_those_of_the_mapping_and_can_be_retried(taps: Taps) -> None:
    fill(taps)
    taps.far.set_poison([BAD])
    taps.tap("bad bad 10:00")
    taps.write("insert into taps values ('nobody', null, 'x', '2026-03-01 11:00')")
    taps.put(("now", "x", MARCH + 11 * DAY))
    report = run(taps, days(1, 11))
    entry = only(report)
    assert entry.changes["event"].rejected == 1
    assert entry.rows.rejected == 1
    assert {sample.key for sample in entry.rejects} == {"bad", "nobody"}
    with open_store(StatePaths(taps.state, "taps")) as store:
        assert {row["key"] for row in list_rejects(store)} == {"bad", "nobody"}
    taps.run()
    taps.far.set_poison([])
    from connector.rejects import ask_again

    project = taps.project()
    ask_again(project, project.select(), target="far")
    assert taps.sent() == 1
    assert "bad" in taps.far_ids()
    assert taps.repeats() == 0


def test_erased_users_are_left_out(taps: Taps) -> None:
    fill(taps)
    taps.write("update taps set who = 'gone' where id < 'e0010'")
    taps.erase("gone")
    report = run(taps, days(1, 3))
    assert sent(report) == 38
    assert only(report).rows.suppressed == 10


def test_a_dry_run_counts_and_changes_nothing(taps: Taps) -> None:
    fill(taps)
    taps.configure("events_per_request: 10, rate_limit: {requests_per_second: 2}")
    report = run(taps, days(1, 4), dry_run=True)
    entry = only(report)
    assert entry.changes["event"].planned == 72
    assert entry.forecast is not None
    assert entry.forecast.requests == 9
    assert entry.forecast.seconds == pytest.approx(4.5)
    assert [chunk.seconds for chunk in entry.chunks or []] == [1.5, 1.5, 1.5]
    assert taps.far.counts()["events"] == 0
    assert not (taps.state / "taps.duckdb").exists()
    document = report.to_json()
    assert document["command"] == "backfill"
    assert document["mappings"][0]["chunks"][0]["from"] == "2026-03-01T00:00:00Z"
    json.dumps(document)


def test_state_of_a_window_is_gone_when_it_is_done(taps: Taps) -> None:
    fill(taps)
    run(taps, days(1, 11))
    assert [path.name for path in (taps.state / "backfill").rglob("*") if path.is_file()] == []


def test_state_stays_within_the_lookback(taps: Taps) -> None:
    fill(taps)
    taps.run()
    run(taps, days(1, 10))
    with duckdb.connect(str(taps.state / "taps.duckdb"), read_only=True) as connection:
        assert connection.execute("select count(*) from snapshot").fetchone() == (2,)


@pytest.mark.parametrize(
    ("mapping", "said"),
    [
        (TAPS.format(lookback="1h").replace("cursor: seen\nlookback: 1h\n", ""), "cursor"),
        ("kind: users\nsource: warehouse\ntable: taps\nfields: {uid: who}\n", "full-refresh"),
    ],
)
def test_what_has_no_window_says_what_to_do(
    road_with: Callable[..., Taps], mapping: str, said: str
) -> None:
    taps = road_with(
        "create table taps (id varchar, who varchar, what varchar, seen timestamp)", mapping
    )
    with pytest.raises(UsageError) as raised:
        run(taps, days(1, 2))
    assert said in f"{raised.value} {raised.value.hint}"


@pytest.mark.parametrize(
    ("window", "chunk"),
    [
        (Span(MARCH, MARCH), DAY),
        (Span(MARCH + DAY, MARCH), DAY),
        (days(1, 2), timedelta(seconds=1)),
        (Span(MARCH, MARCH + 1000 * DAY), timedelta(minutes=1)),
    ],
)
def test_windows_and_chunks_that_make_no_sense_are_refused(
    taps: Taps, window: Span, chunk: timedelta
) -> None:
    with pytest.raises(UsageError):
        run(taps, window, chunk=chunk)


def test_a_second_backfill_of_the_same_mapping_is_refused(taps: Taps) -> None:
    fill(taps)
    with control_of(taps) as control, lease(control, backfill_lease("taps")):
        assert run(taps, days(1, 2)).exit_code == 6


# Beside a schedule


def in_background(work: Callable[[], Any]) -> Callable[[], Any]:
    """Start it; what is returned waits for it and gives its result."""
    results: list[Any] = []
    thread = threading.Thread(target=lambda: results.append(work()), daemon=True)
    thread.start()

    def wait() -> Any:
        thread.join(60)
        assert results, "it does not end"
        return results[0]

    return wait


def until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < deadline, "it does not happen"
        time.sleep(0.02)


def test_while_another_mapping_is_synced_nothing_is_sent(taps: Taps) -> None:
    fill(taps)
    taps.configure("events_per_request: 1, rate_limit: {requests_per_second: 40}")
    wait = in_background(lambda: run(taps, days(1, 5)))
    until(lambda: taps.far.counts()["events"] > 5)

    def at_rest() -> bool:
        before = taps.far.counts()["events"]
        time.sleep(0.8)
        return bool(taps.far.counts()["events"] == before)

    with control_of(taps) as control, lease(control, "another"):
        until(at_rest)
        assert at_rest()
    assert sent(wait()) == 96
    assert taps.repeats() == 0


def test_a_sync_of_the_same_mapping_is_never_kept_out_and_nothing_is_sent_twice(
    taps: Taps,
) -> None:
    taps.lookback("20 days")
    fill(taps)
    taps.configure("events_per_request: 1, rate_limit: {requests_per_second: 100}")
    wait = in_background(lambda: run(taps, days(1, 11), chunk=2 * DAY))
    for _ in range(4):
        time.sleep(0.5)
        report = taps.sync()
        assert report.exit_code == 0, only(report).error
    assert wait().exit_code == 0
    taps.run()
    assert len(taps.far_ids()) == 240
    assert taps.repeats() == 0


def test_whoever_is_erased_meanwhile_is_sent_no_more(taps: Taps) -> None:
    fill(taps)
    taps.write("update taps set who = 'gone' where id > 'e0050'")
    taps.configure("events_per_request: 1, rate_limit: {requests_per_second: 40}")
    wait = in_background(lambda: run(taps, days(1, 6), chunk=5 * DAY))
    until(lambda: taps.far.counts()["events"] > 5)
    report, _ = taps.erase("gone")
    assert report.exit_code == 0, only(report).error
    assert wait().exit_code == 0
    assert {event["uid"] for event in taps.far.events()} == {"u"}
    assert len(taps.far_ids()) == 51

"""Incremental reads: every event of the source arrives, each once, and state stays small."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest

from connector.stop import Stop
from tests.integration.events.conftest import SCHEMA, TAPS, Taps
from tests.support.road import entry


def test_a_second_sync_sends_only_what_is_new(taps: Taps) -> None:
    taps.tap("a x 10:00", "b x 11:00")
    assert taps.sent() == 2
    assert taps.sent() == 0
    taps.tap("c x 11:30")
    assert taps.sent() == 1
    assert taps.far_ids() == {"a", "b", "c"}
    assert taps.repeats() == 0


def test_late_rows_within_the_lookback_are_found_and_sent_once(taps: Taps) -> None:
    taps.tap("a x 10:00", "b x 12:00")
    taps.run()
    taps.tap("late x 11:00:00", "too_late x 10:59:59")
    assert taps.sent() == 1
    assert taps.sent() == 0
    assert taps.far_ids() == {"a", "b", "late"}


def test_rows_of_one_timestamp_at_the_edge_are_neither_lost_nor_repeated(taps: Taps) -> None:
    taps.lookback("0s")
    taps.tap("a x 12:00", "b x 12:00")
    assert taps.sent() == 2
    taps.tap("c x 12:00")
    assert taps.sent() == 1
    assert taps.sent() == 0
    assert taps.far_ids() == {"a", "b", "c"}
    assert taps.repeats() == 0


@pytest.mark.parametrize("edge", ["11:00:00.000400", "11:00:00.000600", "11:00:00.999999"])
def test_microseconds_at_the_edge_lose_nothing(taps: Taps, edge: str) -> None:
    taps.lookback("0s")
    taps.tap(f"a x {edge}")
    taps.run()
    taps.tap(f"b x {edge}", f"c x {edge[:-1]}9")
    assert taps.sent() == 2
    assert taps.sent() == 0
    assert taps.repeats() == 0


def test_copies_of_a_row_are_one_event(taps: Taps) -> None:
    taps.tap("a x 10:00", "a x 10:00", "b x 10:00")
    report = taps.run()
    assert report.changes["event"].acknowledged == 2
    assert report.rows.skipped == 1
    taps.tap("a x 10:00", "b x 10:00", "b x 10:00")
    assert taps.sent() == 0


def test_rows_of_one_id_that_differ_are_refused_together(taps: Taps) -> None:
    taps.tap(*(f"n{i} x 10:00" for i in range(300)), "a x 10:00", "a y 10:00")
    report = taps.run()
    assert report.rows.rejected == 2
    assert {sample.code for sample in report.rejects} == {"duplicate_key"}
    assert "a" not in taps.far_ids()


def test_a_row_that_changed_within_the_lookback_is_sent_again(taps: Taps) -> None:
    taps.tap("a x 10:00", "b x 10:30")
    taps.run()
    taps.write("update taps set what = 'y' where id = 'a'")
    assert taps.run().changes["event"].reasons == {"changed": 1}
    assert taps.sent() == 0


def test_the_future_is_sent_once_and_does_not_hide_the_present(taps: Taps) -> None:
    taps.tap("a x 10:00")
    taps.put(("future", "x", "2999-01-01"))
    assert taps.sent() == 2
    taps.tap("b x 10:30")
    assert taps.sent() == 1
    assert taps.sent() == 0
    assert taps.far_ids() == {"a", "b", "future"}
    assert taps.repeats() == 0


def test_a_future_row_that_is_pending_does_not_move_the_watermark_past_the_present(
    taps: Taps,
) -> None:
    taps.put(("f1", "x", "2999-01-01"), ("f2", "x", "2999-01-02"))
    assert taps.sync(limit=1).exit_code == 4
    taps.tap("a x 10:00")
    assert taps.sent() == 2
    assert taps.far_ids() == {"a", "f1", "f2"}
    assert taps.repeats() == 0


def test_rows_without_a_cursor_are_found_whenever_they_come_and_sent_once(taps: Taps) -> None:
    taps.write("alter table taps add column t timestamp default '2026-03-01'")
    taps.lookback("1h", **{"original_timestamp: seen": "original_timestamp: t"})
    taps.put(("n", "x", None), ("a", "x", "2026-03-01"))
    assert taps.sent() == 2
    taps.put(("m", "x", None))
    assert taps.sent() == 1
    assert taps.sent() == 0
    taps.write("update taps set seen = '2026-03-02' where id = 'n'")
    assert taps.sent() == 0
    taps.write("delete from taps where id = 'm'")
    taps.run()
    assert taps.known() == {"n"}
    assert taps.repeats() == 0


def test_a_touched_row_whose_event_is_the_same_is_not_sent_again(taps: Taps) -> None:
    taps.write("alter table taps add column touched timestamp default '2026-03-01 10:00'")
    taps.lookback("1h", **{"cursor: seen": "cursor: touched"})
    taps.tap("a x 09:00", "b x 09:00")
    assert taps.sent() == 2
    for _ in range(5):
        taps.write("update taps set touched = touched + interval 1 hour where id = 'a'")
        assert taps.sent() == 0
    assert taps.known() == {"a"}


def test_state_holds_the_lookback_and_no_more(taps: Taps) -> None:
    for hour in range(10, 20):
        taps.tap(f"e{hour} x {hour}:00")
        taps.run()
    assert taps.known() == {"e18", "e19"}


def test_a_longer_lookback_sends_nothing_again(taps: Taps) -> None:
    for hour in range(10, 16):
        taps.tap(f"e{hour} x {hour}:00")
        taps.run()
    taps.lookback("5h")
    assert taps.sent() == 0
    taps.tap("late x 14:30", "e20 x 20:00")
    assert taps.sent() == 2
    assert taps.sent() == 0
    taps.tap("later x 15:30")
    assert taps.sent() == 1
    assert taps.repeats() == 0


def test_another_cursor_reads_everything_and_a_rebaseline_adopts_it(taps: Taps) -> None:
    taps.write("alter table taps add column loaded timestamp default '2026-03-05'")
    taps.tap("a x 10:00", "b x 19:00")
    taps.run()
    taps.lookback("1h", **{"cursor: seen": "cursor: loaded"})
    assert taps.plan().mappings[0].changes["event"].planned == 1
    assert taps.run(rebaseline=True).adopted == 1
    assert taps.sent() == 0
    taps.tap("c x 08:00")
    assert taps.sent() == 1
    assert taps.repeats() == 0


def test_a_changed_mapping_sends_the_lookback_again_unless_rebaselined(taps: Taps) -> None:
    taps.tap("old x 08:00", "a x 10:00", "b x 11:00")
    taps.run()
    taps.tap("c x 11:10")
    taps.run()
    taps.lookback("1h", **{"what: what": "what: upper(what)"})
    plan = taps.plan().mappings[0].changes["event"]
    assert plan.reasons == {"changed": 2}
    assert taps.run(rebaseline=True).adopted == 2
    assert taps.sent() == 0


def test_the_watermark_waits_for_rows_that_are_pending(taps: Taps) -> None:
    taps.lookback("0s")
    taps.tap(*(f"e{i:02} x 10:{i:02}" for i in range(50)))
    assert taps.sync(limit=20).exit_code == 4
    taps.tap("new x 11:00")
    assert taps.sync(limit=20).exit_code == 4
    assert taps.sent() == 11
    assert len(taps.far_ids()) == 51
    assert taps.repeats() == 0
    assert taps.known() == {"new"}


def test_events_from_before_1970_wait_like_others(taps: Taps) -> None:
    taps.lookback("0s")
    taps.write(
        "insert into taps select 'e' || i, 'u', 'x', timestamp '1950-01-01' + interval (i) day "
        "from range(5) t(i)"
    )
    assert taps.sync(limit=2).exit_code == 4
    assert taps.sent() == 3
    assert taps.repeats() == 0


def test_what_a_stop_in_the_middle_left_comes_with_the_next_sync(taps: Taps) -> None:
    taps.configure("events_per_request: 1, max_in_flight: 1")
    taps.tap(*(f"e{i:02} x 10:{i:02}" for i in range(40)))
    stop = Stop()
    taps.far.set_quota(requests_per_second=20, burst=5)

    class StopSoon:
        def started(self, name: str) -> None: ...
        def sending(self, name: str, rows: int) -> None: ...
        def progress(self, name: str, progress: object) -> None:
            stop.request()

        def finished(self, report: object) -> None: ...

    from connector.sync import sync

    project = taps.project()
    report = sync(
        project, project.select(), target=project.target(), stop=stop, observer=StopSoon()
    )
    assert report.exit_code == 4
    taps.far.set_quota()
    taps.tap("late x 10:00", "new x 12:00")
    taps.run()
    assert len(taps.far_ids()) == 42
    assert taps.repeats() == 0


def test_a_full_refresh_sends_everything_again(taps: Taps) -> None:
    for hour in range(10, 16):
        taps.tap(f"e{hour} x {hour}:00")
        taps.run()
    assert taps.sent(full_refresh=True) == 6
    assert taps.repeats() == 6
    assert taps.sent() == 0
    assert taps.known() == {"e14", "e15"}


def test_a_full_refresh_that_was_cut_short_is_finished_by_the_next_sync(taps: Taps) -> None:
    for hour in range(10, 16):
        taps.tap(f"e{hour} x {hour}:00")
        taps.run()
    taps.far.reset()
    assert taps.sync(full_refresh=True, limit=2).exit_code == 4
    taps.run()
    taps.run()
    # What the snapshot knew as sent before the refresh waits for another one.
    assert taps.far_ids() >= {"e10", "e11", "e12", "e13"}


@pytest.mark.parametrize(
    ("kind", "timezone"),
    [
        ("date", "UTC"),
        ("date", "America/New_York"),
        ("timestamp", "America/New_York"),
        ("timestamptz", "America/New_York"),
        ("timestamp", "Asia/Kolkata"),
        ("timestamp_ns", "UTC"),
    ],
)
def test_cursors_of_every_type_and_zone(
    road_with: Callable[..., Taps], kind: str, timezone: str
) -> None:
    """Across the change of clocks of 2 November 2025, an hour at a time."""
    taps = road_with(
        f"create table taps (id varchar, who varchar, what varchar, seen {kind})",
        TAPS.format(lookback="90 minutes"),
    )
    file = taps.folder / "mappings" / "project.yaml"
    file.write_text(
        file.read_text().replace("warehouse.duckdb}", f"warehouse.duckdb, timezone: {timezone}}}")
    )
    start, expected = datetime(2025, 11, 1, 22), set()
    for hour in range(12):
        at = start + timedelta(hours=hour)
        late = at - timedelta(minutes=30)
        taps.put((f"e{hour}", "x", at), (f"l{hour}", "x", late))
        expected |= {f"e{hour}", f"l{hour}"}
        taps.run()
        assert taps.far_ids() == expected
    assert taps.sent() == 0
    assert taps.repeats() == 0


def test_a_cursor_of_text_is_refused_before_anything_is_sent(
    road_with: Callable[..., Taps],
) -> None:
    taps = road_with(
        "create table taps (id varchar, who varchar, what varchar, seen varchar)",
        TAPS.format(lookback="1h"),
    )
    taps.put(("a", "x", "2026-03-01"))
    report = taps.sync()
    assert report.exit_code == 1
    assert "cursor" in str(entry(report, "taps").error)
    assert taps.far_ids() == set()


def test_a_cursor_is_found_whatever_its_case(taps: Taps) -> None:
    taps.lookback("1h", **{"cursor: seen": "cursor: SEEN"})
    taps.tap("a x 10:00")
    taps.run()
    taps.tap("b x 10:30")
    assert taps.sent() == 1


def test_without_a_cursor_all_is_read_and_what_was_sent_is_known_by_its_id(
    road_with: Callable[..., Taps],
) -> None:
    mapping = TAPS.format(lookback="1h").replace("cursor: seen\nlookback: 1h\n", "")
    taps = road_with(SCHEMA, mapping)
    taps.tap(*(f"e{i:02} x 10:{i:02}" for i in range(20)))
    assert taps.sent() == 20
    taps.tap("ancient x 00:00", "new x 20:00")
    taps.write("update taps set what = 'y' where id = 'e00'")
    report = taps.run()
    assert report.changes["event"].reasons == {"changed": 1, "new": 2}
    taps.write("delete from taps where id < 'e05'")
    assert taps.sent() == 0
    assert len(taps.known()) == 16
    assert len(taps.far_ids()) == 22


def test_freshness_is_the_time_from_the_cursor_to_the_acknowledgement(taps: Taps) -> None:
    now = datetime.now(UTC).replace(tzinfo=None)
    for number, minutes in enumerate([60, 60, 60, 600]):
        at = now - timedelta(minutes=minutes)
        taps.put((f"e{number}", "x", at))
    freshness = taps.run().to_json()["freshness"]
    lag = freshness["lag_seconds"]
    assert lag["rows"] == 4
    assert lag["p50"] == pytest.approx(3600, rel=0.05)
    assert lag["max"] == pytest.approx(36000, rel=0.01)
    assert freshness["behind_seconds"] == pytest.approx(3600, rel=0.05)
    again = taps.run().to_json()["freshness"]
    assert again["lag_seconds"] is None
    assert again["watermark"] == freshness["watermark"]


def test_a_field_that_reads_the_clock_keeps_no_watermark_back(taps: Taps) -> None:
    taps.lookback("1h", **{"what: what": "what: what || now()"})
    taps.tap("a x 10:00", "b x 11:30", "c x 12:00")
    taps.run()
    assert taps.sent() == 2  # those of the lookback: what they say has changed

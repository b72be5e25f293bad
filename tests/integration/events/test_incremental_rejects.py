"""Rejected rows of incremental reads hold nothing up, and are tried again wherever they lie."""

from __future__ import annotations

from connector.snapshot.rejects import ask_again
from connector.snapshot.store import StatePaths, open_store
from tests.integration.events.conftest import Taps

BAD = {"resource": "events", "field": "what", "equals": "bad", "status": 422}


def test_a_rejected_row_does_not_hold_the_watermark(taps: Taps) -> None:
    taps.lookback("0s")
    taps.far.set_poison([BAD])
    taps.tap("bad bad 09:00", *(f"e{i:02} x 10:{i:02}" for i in range(50)))
    assert taps.sync().exit_code == 3
    assert taps.known() == {"e49"}
    assert taps.sent() == 0


def test_a_retry_goes_back_for_refused_rows_and_sends_nothing_else_again(taps: Taps) -> None:
    taps.lookback("0s")
    taps.far.set_poison([BAD])
    taps.tap("bad bad 09:00", *(f"e{i:02} x 09:00" for i in range(30)), "b x 12:00")
    taps.sync()
    taps.far.set_poison([])
    assert taps.sent() == 0
    with open_store(StatePaths(taps.state, "taps")) as store:
        assert ask_again(store) == 1
    assert taps.sent() == 1
    assert taps.sent() == 0
    assert taps.repeats() == 0
    assert "bad" in taps.far_ids()


def test_a_mended_mapping_tries_refused_rows_again_wherever_they_lie(taps: Taps) -> None:
    taps.lookback("0s", **{"what: what": "what: {expr: what, type: number}"})
    taps.tap("bad x 09:00", *(f"e{i:02} 1 09:00" for i in range(200)), "b 2 12:00")
    report = taps.run()
    assert report.rows.rejected == 1
    mended = 'what: {expr: "try_cast(what as double)", type: number}'
    taps.lookback("0s", **{"what: what": mended})
    assert taps.sent() == 1
    assert taps.sent() == 0
    assert "bad" in taps.far_ids()
    assert taps.repeats() == 0


def test_a_refused_row_that_is_gone_is_forgotten_when_it_is_tried_again(taps: Taps) -> None:
    taps.lookback("0s")
    taps.far.set_poison([BAD])
    taps.tap("bad bad 09:00", "b x 12:00")
    taps.sync()
    taps.write("delete from taps where id = 'bad'")
    with open_store(StatePaths(taps.state, "taps")) as store:
        ask_again(store)
    taps.run()
    with open_store(StatePaths(taps.state, "taps")) as store:
        assert store.fetch("select count(*) from state.rejects") == [(0,)]


def test_rejects_from_before_the_window_stay_listed(taps: Taps) -> None:
    taps.lookback("0s")
    taps.write("insert into taps values ('nobody', null, 'x', '2026-03-01 09:00')")
    taps.tap(*(f"e{i} x 12:00" for i in range(200)))
    taps.run()
    taps.tap("b x 13:00")
    report = taps.run()
    assert [sample.key for sample in report.rejects] == ["nobody"]

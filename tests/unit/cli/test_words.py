"""Numbers, tables and text for people."""

from datetime import UTC, datetime, timedelta

import pytest

from connector.cli.words import ago, counted, duration, fit, moment, one_line, table, tint


def test_a_table_aligns_names_to_the_left_and_numbers_to_the_right() -> None:
    lines = table(["mapping", "read"], [["users", 1234], ["a", None]])
    assert lines == ["mapping   read", "users    1,234", "a            -"]


def test_escape_sequences_in_keys_do_not_reach_the_terminal() -> None:
    assert fit("a\x1b[2Jb\nc") == "a\\x1b[2Jb\nc"
    assert one_line("u\n\t1 \ud800") == "u\\n\\t1 \\ud800"
    assert fit("Évora 京都 🎁") == "Évora 京都 🎁"


def test_long_values_are_cut() -> None:
    assert one_line("x" * 500, 10) == "xxxxxxxxx…"


def test_one_is_told_from_many() -> None:
    assert (counted(1, "row"), counted(2000, "row")) == ("1 row", "2,000 rows")
    assert counted(2, "row was", "rows were") == "2 rows were"


@pytest.mark.parametrize(
    ("seconds", "said"),
    [(0.44, "0.4 s"), (12.3, "12 s"), (200, "3 min"), (7500, "2 h 5 min")],
)
def test_durations_are_as_exact_as_people_care(seconds: float, said: str) -> None:
    assert duration(seconds) == said


def test_times_are_utc_and_say_so() -> None:
    assert moment(datetime(2026, 3, 1, 12)) == "2026-03-01T12:00:00Z"


def test_how_long_ago_is_counted_from_now() -> None:
    now = datetime.now(UTC).replace(tzinfo=None)
    assert ago(now) == "just now"
    assert ago(now - timedelta(minutes=5)) == "5 min ago"
    assert ago(now - timedelta(days=3, hours=1)) == "3 days ago"


def test_no_color_is_obeyed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NO_COLOR", raising=False)
    assert tint("done", "green") == "\x1b[32mdone\x1b[0m"
    monkeypatch.setenv("NO_COLOR", "1")
    assert tint("done", "green") == "done"

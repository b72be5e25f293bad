"""What is said while a run goes on."""

import json

import pytest

from connector.cli.log import Log
from connector.cli.progress import Lines
from connector.destination.work import Progress
from connector.report import MappingReport

HALF = Progress(settled=500, rate=100.0, in_flight=8, throttled=True)


def test_a_line_says_rows_rate_time_left_and_throttling(
    capsys: pytest.CaptureFixture[str],
) -> None:
    lines = Lines(Log(), every=0, verbose=False)
    lines.started("users")
    lines.sending("users", 1000)
    lines.progress("users", HALF)
    lines.finished(MappingReport("users", "users"))
    out, err = capsys.readouterr()
    assert out == ""
    assert err == "users: 500 of 1,000 rows, 100 a second, 5.0 s left, throttled\n"


def test_lines_are_not_more_frequent_than_asked(capsys: pytest.CaptureFixture[str]) -> None:
    lines = Lines(Log(), every=3600, verbose=False)
    lines.started("users")
    lines.sending("users", 1000)
    for _ in range(100):
        lines.progress("users", HALF)
    assert capsys.readouterr().err == ""


def test_as_json_each_line_is_an_object_with_numbers(capsys: pytest.CaptureFixture[str]) -> None:
    lines = Lines(Log(as_json=True), every=0, verbose=True)
    lines.started("users")
    lines.sending("users", 1000)
    lines.progress("users", HALF)
    lines.finished(MappingReport("users", "users"))
    said = [json.loads(line) for line in capsys.readouterr().err.splitlines()]
    assert [each["event"] for each in said] == ["started", "sending", "progress", "finished"]
    assert {"rows": 500, "of": 1000, "rate": 100.0, "throttled": True}.items() <= said[2].items()
    assert said[3]["status"] == "done"


def test_quiet_says_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    lines = Lines(Log(quiet=True), every=0, verbose=True)
    lines.started("users")
    lines.sending("users", 1000)
    lines.progress("users", HALF)
    assert capsys.readouterr().err == ""

"""`sync --watch`: rounds until stopped, whatever may pass."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from datetime import timedelta

from connector.control.store import ControlStore
from connector.control.tables import runs
from connector.report import RunReport
from connector.stop import Stop
from connector.watch import watch
from tests.integration.events.conftest import Taps

SOON = timedelta(milliseconds=10)


def rounds(taps: Taps, *between: Callable[[], object], every: timedelta = SOON) -> list[RunReport]:
    """Watch, do one thing after each round, and stop after the round behind the last."""
    stop, seen, project = Stop(), [], taps.project()

    def on_round(report: RunReport) -> None:
        seen.append(report)
        if len(seen) > len(between):
            stop.request()
        else:
            between[len(seen) - 1]()

    watch(
        project,
        project.select(),
        target=project.target(),
        every=every,
        stop=stop,
        on_round=on_round,
        on_trouble=lambda error: None,
    )
    return seen


def sent(report: RunReport) -> int:
    return report.mappings[0].changes["event"].acknowledged


def test_each_round_sends_what_is_new(taps: Taps) -> None:
    taps.tap("a x 10:00")
    seen = rounds(taps, lambda: taps.tap("b x 10:01", "c x 10:02"), lambda: None)
    assert [sent(report) for report in seen] == [1, 2, 0]
    assert taps.repeats() == 0


def test_a_source_that_is_away_for_a_while_does_not_end_it(taps: Taps) -> None:
    taps.tap("a x 10:00")
    away = taps.warehouse.with_suffix(".away")
    seen = rounds(taps, lambda: taps.warehouse.rename(away), lambda: away.rename(taps.warehouse))
    assert [report.exit_code for report in seen] == [0, 1, 0]


def test_an_api_that_is_down_for_a_while_does_not_end_it(taps: Taps) -> None:
    taps.configure("timeout: 1, give_up_after: 1")
    taps.tap("a x 10:00")
    taps.far.set_faults({"e503": 1.0})
    seen = rounds(taps, lambda: taps.far.set_faults({}))
    assert [report.exit_code for report in seen] == [4, 0]
    assert taps.far_ids() == {"a"}


def test_a_key_that_is_refused_ends_it(taps: Taps) -> None:
    file = taps.folder / "mappings" / "project.yaml"
    file.write_text(file.read_text().replace("api_key: sandbox", "api_key: wrong"))
    taps.tap("a x 10:00")
    seen = rounds(taps, lambda: None, lambda: None)
    assert [report.exit_code for report in seen] == [1]


def test_rounds_with_nothing_to_do_are_remembered_once(taps: Taps) -> None:
    taps.tap("a x 10:00")
    rounds(taps, *[lambda: None] * 4)
    store = ControlStore(taps.state, "far")
    with store.begin() as connection:
        assert len(connection.execute(runs.select()).all()) == 2
    assert store.last_success()["taps"]
    store.close()


def test_the_command_says_one_line_a_round_and_ends_well_when_interrupted(taps: Taps) -> None:
    taps.tap("a x 10:00")
    command = [sys.executable, "-m", "connector.cli", "--project", "mappings"]
    with subprocess.Popen(
        [*command, "sync", "--watch", "1s", "--json"],
        cwd=taps.folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONUNBUFFERED": "1"},
    ) as process:
        assert process.stdout is not None
        first, second = (json.loads(process.stdout.readline()) for _ in range(2))
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=60)
    assert first["mappings"][0]["changes"]["event"]["acknowledged"] == 1
    assert second["mappings"][0]["changes"]["event"]["acknowledged"] == 0
    assert process.returncode in (0, 4)

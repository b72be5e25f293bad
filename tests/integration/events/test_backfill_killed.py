"""A backfill that is killed goes on where it was: everything arrives, next to nothing twice."""

from __future__ import annotations

import random
import subprocess
import sys
import time
from itertools import pairwise
from pathlib import Path

import duckdb
import pytest

from connector.sandbox import Handle, Settings, spawn
from tests.integration.events.conftest import TAPS, Taps

KILLS = 5
WINDOW = ["--from", "2026-01-01", "--to", "2026-03-02"]


def start(taps: Taps, *options: str) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "connector.cli", "--project", "mappings", "-q"]
    return subprocess.Popen([*command, "backfill", "taps", *WINDOW, *options], cwd=taps.folder)


def kill_at(taps: Taps, far: Handle, events: int, *options: str) -> None:
    """Run it, and kill it once the far side has so many events."""
    with start(taps, *options) as process:
        while far.counts()["events"] < events and process.poll() is None:
            time.sleep(0.005)
        process.kill()


@pytest.mark.parametrize(
    ("count", "settings"),
    [
        (6_000, "events_per_request: 10, max_in_flight: 4, rate_limit: {requests_per_second: 200}"),
        pytest.param(2_000_000, "", marks=[pytest.mark.chaos, pytest.mark.timeout(3600)]),
    ],
)
def test_sixty_days_killed_five_times_arrive_once(
    tmp_path: Path, count: int, settings: str
) -> None:
    with spawn(Settings(database=tmp_path / "far.db")) as far:
        taps = Taps(
            tmp_path,
            far,
            mappings={"taps": TAPS.format(lookback="3 days")},
            target=settings,
            schema="create table taps (id varchar, who varchar, what varchar, seen timestamp)",
        )
        step = 60 * 86_400_000_000 // count
        with duckdb.connect(str(taps.warehouse)) as warehouse:
            warehouse.execute(
                "insert into taps select 'e' || i, 'u', 'x', "
                "timestamp '2026-01-01' + to_microseconds(i * $step) from range($count) t(i)",
                {"step": step, "count": count},
            )
        dice, repeats = random.Random(count), []  # noqa: S311 - repeatable
        for events in sorted(dice.sample(range(count // 50, count - count // 50), KILLS)):
            kill_at(taps, far, events, "--chunk", "5d")
            repeats.append(far.counts()["repeats"])
        with start(taps, "--chunk", "5d") as process:
            assert process.wait(600) == 0
        counts = far.counts()
        assert counts["events"] == count
        # What is repeated was sent since the last flush, which is not all of a chunk.
        assert counts["repeats"] < KILLS * count / 12
        repeats.append(counts["repeats"])
        (tmp_path / "repeats.txt").write_text(str(repeats))
        per_kill = [after - before for before, after in pairwise(repeats)]
        assert max(per_kill) < count / 12
        with start(taps) as process:
            assert process.wait(60) == 0
        assert far.counts()["events"] == count
        assert far.counts()["repeats"] == counts["repeats"]

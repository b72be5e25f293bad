"""`connector backfill`, as people and scripts call it."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from datetime import datetime, timedelta

import pytest

from tests.integration.events.conftest import Taps


def command(taps: Taps, *arguments: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "connector.cli", "--project", "mappings", "backfill", *arguments],
        cwd=taps.folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def run(taps: Taps, *arguments: str) -> tuple[int, str, str]:
    with command(taps, *arguments) as process:
        out, err = process.communicate(timeout=120)
    return process.returncode, out, err


@pytest.fixture
def filled(taps: Taps) -> Taps:
    start = datetime(2026, 3, 1)
    taps.put(*((f"e{i:03}", "x", start + timedelta(hours=i)) for i in range(96)))
    return taps


def test_a_dry_run_is_a_table_and_a_document(filled: Taps) -> None:
    window = ["taps", "--from", "2026-03-01", "--to", "2026-03-03", "--chunk", "12h", "--dry-run"]
    code, out, _ = run(filled, *window)
    assert code == 0
    lines = out.splitlines()
    assert lines[0].split() == [
        "from", "to", "status", "rows", "to", "send", "rejected", "requests", "time",
    ]  # fmt: skip
    assert len(lines) == 7
    assert lines[-1].startswith("48 events of 48 rows to send in 4 requests")
    code, out, _ = run(filled, *window, "--json")
    document = json.loads(out)
    assert (document["command"], document["dry_run"], document["exit_code"]) == (
        "backfill",
        True,
        0,
    )
    (entry,) = document["mappings"]
    assert entry["forecast"] == {"requests": 4, "seconds": None}
    assert entry["types"] == {"tap": 48}
    assert [chunk["planned"] for chunk in entry["chunks"]] == [12, 12, 12, 12]
    assert filled.far.counts()["events"] == 0


def test_what_is_done_and_what_was_done_before(filled: Taps) -> None:
    code, out, err = run(filled, "taps", "--from", "2026-03-01", "--to", "2026-03-03")
    assert code == 0
    assert "48 rows acknowledged" in out
    assert "2 chunks done; events by type: 48 tap" in out
    assert "2026-03-01T00:00:00Z to 2026-03-02T00:00:00Z: done, 24 rows, 24 acknowledged" in err
    code, out, _ = run(filled, "taps", "--from", "2026-03-01", "--to", "2026-03-04")
    assert code == 0
    assert "2 chunks with 48 rows were done by an earlier backfill; `--resend`" in out
    assert filled.far.counts()["repeats"] == 0


def test_ctrl_c_leaves_the_rest_to_the_same_command(filled: Taps) -> None:
    filled.configure("events_per_request: 1, rate_limit: {requests_per_second: 20}")
    window = ["taps", "--from", "2026-03-01", "--to", "2026-03-05", "--json"]
    with command(filled, *window) as process:
        deadline = time.monotonic() + 60
        while filled.far.counts()["events"] < 30:
            assert time.monotonic() < deadline
            time.sleep(0.05)
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=60)
    assert process.returncode == 4
    event = json.loads(out)["mappings"][0]["changes"]["event"]
    assert event["acknowledged"] + event["pending"] == 96
    assert "the same command goes on where it was" in err
    filled.configure("")
    assert run(filled, *window)[0] == 0
    assert filled.far.counts()["events"] == 96
    assert filled.far.counts()["repeats"] == 0


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["nope", "--from", "2026-03-01", "--to", "2026-03-02"], "no mapping 'nope'"),
        (["taps", "--from", "someday", "--to", "2026-03-02"], "'someday' is no date or time"),
        (["taps", "--from", "2026-03-02", "--to", "2026-03-01"], "is empty"),
        (["taps", "--from", "2026-03-01"], "--to"),
        (["taps", "--from", "2026-03-01", "--to", "2026-03-02", "--chunk", "1x"], "no duration"),
    ],
)
def test_wrong_usage_says_what_is_wrong(taps: Taps, arguments: list[str], said: str) -> None:
    code, out, err = run(taps, *arguments)
    assert code == 2
    assert said in err
    assert out == ""

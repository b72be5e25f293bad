"""Signals: the first finishes what is in flight, the second ends at once; nothing is lost."""

import json
import os
import pty
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support.shop import Shop


def until(condition: Callable[[], bool]) -> None:
    for _ in range(600):
        if condition():
            return
        time.sleep(0.05)
    pytest.fail("it did not come to pass")


@pytest.fixture
def slow(shop: Shop) -> Shop:
    """A shop with many users, and an API that takes five of them a second after the first ten."""
    shop.sql("insert into users select 'x_' || n, 'NO', n from range(500) as t(n)")
    shop.sandbox.set_quota(requests_per_second=5, burst=10)
    return shop


def test_the_first_signal_finishes_what_is_in_flight_and_exits_4(slow: Shop) -> None:
    process = slow.start("sync", "--json", "--select", "users")
    until(lambda: slow.sandbox.counts()["live"] > 5)
    process.send_signal(signal.SIGTERM)
    out, err = process.communicate(timeout=60)
    assert process.returncode == 4
    document = json.loads(out)
    (users,) = document["mappings"]
    assert (document["exit_code"], users["status"]) == (4, "incomplete")
    assert "finishing what is in flight; once more to end at once" in err
    arrived = slow.sandbox.counts()["live"]
    assert users["changes"]["upsert"]["acknowledged"] == arrived
    assert users["changes"]["upsert"]["pending"] == 520 - arrived


def test_the_second_signal_ends_at_once_and_the_next_sync_sends_the_rest(slow: Shop) -> None:
    slow.sandbox.set_faults({"hang": 1.0})
    process = slow.start("sync", "--json", "--select", "users")
    until(lambda: slow.sandbox.counts()["in_flight"] > 0)
    process.send_signal(signal.SIGINT)
    assert process.stderr is not None
    assert process.stderr.readline().startswith("finishing what is in flight")
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=60)
    assert (process.returncode, out, err) == (4, "", "")

    status = slow("status", "--json").mapping("users")
    assert status["running"] is None
    assert status["interrupted"] is not None
    assert "did not end" in slow("status").out

    slow.sandbox.set_faults({})
    slow.sandbox.set_quota()
    assert slow("sync", "--select", "users").code == 0
    assert slow.sandbox.counts()["live"] == 520


def test_status_works_and_a_second_sync_is_refused_while_one_runs(slow: Shop) -> None:
    process = slow.start("sync", "--select", "users")
    until(lambda: slow.sandbox.counts()["live"] > 0)
    running = slow("status", "--json").mapping("users")["running"]
    assert running["process"] == process.pid
    assert "running" in slow("status").out
    second = slow("sync", "--json", "--select", "users")
    assert (second.code, second.mapping("users")["status"]) == (6, "locked")
    assert slow("rejects").code == 6
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=60)
    assert process.returncode == 4


def test_on_a_terminal_a_bar_moves_on_stderr_and_stdout_stays_clean(slow: Shop) -> None:
    slow.sandbox.set_quota(requests_per_second=400, burst=20)
    leader, follower = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-P", "-m", "connector.cli", "sync", "--json"],
        cwd=slow.folder,
        stdout=subprocess.PIPE,
        stderr=follower,
        text=True,
        env={**os.environ, "TERM": "xterm"},
    )
    os.close(follower)
    shown = b""
    while True:
        try:
            piece = os.read(leader, 65536)
        except OSError:  # how Linux says that the last writer has gone
            break
        if not piece:
            break
        shown += piece
    os.close(leader)
    assert process.stdout is not None
    with process.stdout as out:
        document = json.loads(out.read())
    assert process.wait(60) == 0
    assert document["exit_code"] == 0
    assert b"of 520 rows" in shown
    assert shown.rstrip().endswith(b"\x1b[2K")
    assert b"\x1b[?25h" in shown


def test_an_interrupted_plan_is_130_and_no_traceback(shop: Shop) -> None:
    shop.files.write(
        "users.yaml",
        "kind: users\nsource: warehouse\nfields: {uid: id}\n"
        "query: select 'u_' || n as id from range(1_000_000_000) as t(n)\n",
    )
    process = shop.start("plan", "--select", "users")
    staged = shop.folder / ".connector" / "local"
    until(staged.exists)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=60)
    assert (process.returncode, out, err.strip()) == (130, "", "error: interrupted")


def test_an_interrupt_while_python_still_imports_is_one_line(tmp_path: Path) -> None:
    package = tmp_path / "click"
    package.mkdir()
    interrupted = "import os, signal, time\nos.kill(os.getpid(), signal.SIGINT)\ntime.sleep(60)\n"
    (package / "__init__.py").write_text(interrupted)
    path = os.pathsep.join(filter(None, (str(tmp_path), os.environ.get("PYTHONPATH"))))
    ended = subprocess.run(
        [sys.executable, "-P", "-m", "connector.cli", "--version"],
        capture_output=True,
        text=True,
        timeout=50,
        check=False,
        env={**os.environ, "PYTHONPATH": path},
    )
    assert (ended.returncode, ended.stdout, ended.stderr) == (130, "", "error: interrupted\n")

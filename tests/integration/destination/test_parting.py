"""A process that has had its last answer ends, whatever the HTTP client's own thread still does."""

from __future__ import annotations

import subprocess
import sys

from tests.support.loopback import Answer, Loopback

_ONE_REQUEST = """
import asyncio, sys
from pydantic import SecretStr
from connector.destination.requests import Request
from connector.destination.target import Target
from connector.destination.transport import HttpTransport

async def main():
    transport = HttpTransport(Target("t", sys.argv[1], SecretStr("k")))
    await transport.send(Request("POST", "/users", b"{}"))
    await transport.close()

asyncio.run(main())
"""
_ENOUGH_TO_SEE_ONE_ABORT_IN_TEN = 24


def test_a_process_ends_well_right_after_its_last_answer() -> None:
    with Loopback(lambda _: Answer(202)) as server:
        codes = []
        for _ in range(_ENOUGH_TO_SEE_ONE_ABORT_IN_TEN // 4):
            several = [
                subprocess.Popen([sys.executable, "-c", _ONE_REQUEST, server.url]) for _ in range(4)
            ]
            codes += [each.wait(60) for each in several]

    assert codes == [0] * _ENOUGH_TO_SEE_ONE_ABORT_IN_TEN


_INTERRUPTED_AT_THE_END = """
import time
from pydantic import SecretStr
from connector.destination.target import Target
from connector.destination.transport import HttpTransport

def interrupted(seconds):
    raise KeyboardInterrupt

time.sleep = interrupted
HttpTransport(Target("t", "http://127.0.0.1:9", SecretStr("k")))
"""


def test_an_interrupt_when_all_is_done_is_not_told() -> None:
    process = subprocess.run(
        [sys.executable, "-c", _INTERRUPTED_AT_THE_END],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (process.returncode, process.stderr) == (0, "")

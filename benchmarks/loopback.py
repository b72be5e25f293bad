"""A bare server in a process of its own, for whoever sends something in a row of the table."""

from __future__ import annotations

import contextlib
import http.client
import json
import subprocess
from collections.abc import Iterator

from benchmarks.measure import ROOT, python


@contextlib.contextmanager
def served(delay: float = 0.0) -> Iterator[int]:
    """A bare server in a process of its own; yields its port."""
    process = subprocess.Popen(
        python("-m", "benchmarks.server", "--delay", str(delay)),
        cwd=ROOT, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert process.stdout is not None
    try:
        yield int(process.stdout.readline())
    finally:
        process.kill()
        process.wait()


def told(port: int) -> dict[str, float]:
    """What the bare server has counted since it was last asked."""
    connection = http.client.HTTPConnection("127.0.0.1", port)
    connection.request("GET", "/")
    answer: dict[str, float] = json.loads(connection.getresponse().read())
    return answer

"""Long work in a thread of its own, while the main thread waits for signals."""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from types import FrameType
from typing import TypeVar

from connector.cli.log import Log
from connector.stop import Stop

_T = TypeVar("_T")

INCOMPLETE = 4
"""The exit code of a run that left rows pending."""

_SWITCH_SECONDS = 0.0005
"""How long a thread may keep the interpreter while another waits for it. The HTTP client's thread
waits at every answer; a tenth of Python's own 5 ms lets a quarter more requests through."""

_SHOW_CURSOR = b"\x1b[?25h\n"


def until_stopped(work: Callable[[Stop], _T], log: Log) -> _T:
    """Run `work` to its end; raises what it raises.

    The first SIGINT or SIGTERM asks it to finish what is in flight; the second ends the process at
    once with exit code 4. Nothing is lost then either: what was acknowledged is in the journal, or
    is repeated by the next sync.
    """
    stop = Stop()
    results: list[_T] = []
    errors: list[BaseException] = []

    def run() -> None:
        try:
            results.append(work(stop))
        except BaseException as error:  # noqa: BLE001 - handed to the thread that waits
            errors.append(error)

    sys.setswitchinterval(_SWITCH_SECONDS)
    thread = threading.Thread(target=run, name="work", daemon=True)
    with _signals(stop, log):
        thread.start()
        while thread.is_alive():
            thread.join(1.0)
    if errors:
        raise errors[0]
    return results[0]


@contextmanager
def _signals(stop: Stop, log: Log) -> Iterator[None]:
    def on_signal(_number: int, _frame: FrameType | None) -> None:
        if stop.requested:
            _end_at_once()
        stop.request()
        log.info("finishing what is in flight; once more to end at once")

    before = {each: signal.signal(each, on_signal) for each in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for each, handler in before.items():
            signal.signal(each, handler)


def _end_at_once() -> None:
    if sys.stderr.isatty():
        with suppress(OSError):  # a terminal that is gone needs no cursor
            os.write(sys.stderr.fileno(), _SHOW_CURSOR)
    os._exit(INCOMPLETE)

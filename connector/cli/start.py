"""Where `connector` begins: Ctrl-C while Python is still importing is one line, not a traceback."""

from __future__ import annotations

import os
import signal
from types import FrameType
from typing import NoReturn


def main() -> NoReturn:
    """Import the command line, run it and exit."""
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, _leave)
    from connector.cli.main import main as run

    if signal.getsignal(signal.SIGINT) is _leave:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    run()


def _leave(_number: int, _frame: FrameType | None) -> NoReturn:
    """Nothing was begun yet, so there is nothing to finish; imports are in no state to go on."""
    os.write(2, b"error: interrupted\n")
    os._exit(128 + signal.SIGINT)

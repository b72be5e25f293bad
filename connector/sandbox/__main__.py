"""The other end of `spawn`: inherits the listening socket, reads its settings, says `ready`."""

from __future__ import annotations

import json
import os
import signal
import socket
import sys
import threading

from connector.sandbox.server import serve
from connector.sandbox.settings import Settings


def _end_with_parent() -> None:
    """Stop when stdin ends, that is when the process that started us is gone."""
    while os.read(sys.stdin.fileno(), 1):
        pass
    os.kill(os.getpid(), signal.SIGTERM)


def _ready() -> None:
    sys.stdout.write("ready\n")
    sys.stdout.flush()


def main() -> None:
    """Serve until SIGTERM, or until the parent is gone."""
    listening = socket.socket(fileno=int(sys.argv[1]))
    settings = Settings.from_json(json.loads(sys.stdin.buffer.readline()))
    threading.Thread(target=_end_with_parent, daemon=True).start()
    serve(settings, listening, _ready)


if __name__ == "__main__":
    main()

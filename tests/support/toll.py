"""A way to a PostgreSQL server over loopback that counts the bytes which the server sends."""

from __future__ import annotations

import socket
import socketserver
import threading
from pathlib import Path
from types import TracebackType

_PIECE = 65_536


class Toll:
    """Listens on loopback, and leads to the socket of a server; `sent` is what that has sent."""

    def __init__(self, folder: Path) -> None:
        self.sent = 0
        toll, counting = self, threading.Lock()

        class Passage(socketserver.BaseRequestHandler):
            def handle(self) -> None:
                with socket.socket(socket.AF_UNIX) as there:
                    there.connect(str(folder / ".s.PGSQL.5432"))
                    asking = threading.Thread(
                        target=_pass_on, args=(self.request, there), daemon=True
                    )
                    asking.start()
                    count = _pass_on(there, self.request)
                    asking.join()
                    with counting:
                        toll.sent += count

        self._server = socketserver.ThreadingTCPServer(("127.0.0.1", 0), Passage)
        self._server.daemon_threads = False
        self.port = self._server.server_address[1]
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,))

    def __enter__(self) -> Toll:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()  # waits for every passage: then all is counted

    def url(self, database: str) -> str:
        """The address of a database, for whoever is to pass here."""
        return f"postgresql://postgres@127.0.0.1:{self.port}/{database}"


def _pass_on(giver: socket.socket, taker: socket.socket) -> int:
    """Pass on until the giver has said everything; returns how many bytes."""
    count = 0
    try:
        while piece := giver.recv(_PIECE):
            taker.sendall(piece)
            count += len(piece)
        taker.shutdown(socket.SHUT_WR)
    except OSError:
        # Somebody has hung up without a word; so does the other.
        taker.close()
    return count

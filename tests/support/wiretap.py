"""A proxy on loopback that writes down, byte by byte, what a client says to a server."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from types import TracebackType
from typing import NamedTuple

from connector.sandbox import Handle

_PIECE = 65_536


class Said(NamedTuple):
    """A request as it stood on the wire: nothing is decoded."""

    method: str
    target: str
    head: bytes
    body: bytes


class Wiretap(Handle):
    """Stands before a sandbox: `base_url` is the proxy's, and everything that is asked of a handle
    goes through it too, but is not written down."""

    def __init__(self, far: Handle) -> None:
        self._far = far
        self.host = "127.0.0.1"
        self._heard: list[bytearray] = []
        self._loop = asyncio.new_event_loop()
        self._listening = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()
        self._listening.wait(10)

    def stop(self) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()

    def forget(self) -> None:
        """Start a new page; to be called while nothing is sent."""
        self._heard.clear()

    @property
    def said(self) -> list[Said]:
        """Every complete request to /v1 since the last page, in the order of connections."""
        return [
            request
            for stream in list(self._heard)
            for request in _requests(bytes(stream))
            if request.target.startswith("/v1/")
        ]

    @property
    def bytes(self) -> bytes:
        """Everything said to /v1, as it was."""
        return b"\n".join(request.head + request.body for request in self.said)

    def _run(self) -> None:
        server = self._loop.run_until_complete(asyncio.start_server(self._accept, self.host, 0))
        self.port = server.sockets[0].getsockname()[1]
        self._listening.set()
        self._loop.run_forever()
        server.close()
        tasks = asyncio.all_tasks(self._loop)
        for task in tasks:
            task.cancel()
        if tasks:
            self._loop.run_until_complete(asyncio.wait(tasks))
        self._loop.run_until_complete(asyncio.sleep(0.01))
        self._loop.close()

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        heard = bytearray()
        self._heard.append(heard)
        try:
            there, back = await asyncio.open_connection(self._far.host, self._far.port)
        except OSError:
            writer.transport.abort()
            return
        both = asyncio.gather(_pump(reader, back, heard), _pump(there, writer, None))
        try:
            with contextlib.suppress(asyncio.CancelledError):
                await both
        finally:
            for end in (writer, back):
                end.transport.abort()


async def _pump(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, heard: bytearray | None
) -> None:
    """Pass on until one side has enough; a reset on one side is a reset on the other."""
    with contextlib.suppress(OSError):
        while piece := await reader.read(_PIECE):
            if heard is not None:
                heard += piece
            writer.write(piece)
            await writer.drain()
    writer.transport.abort() if reader.exception() else writer.close()


def _requests(stream: bytes) -> list[Said]:
    found = []
    while (end := stream.find(b"\r\n\r\n")) >= 0:
        head = stream[: end + 4]
        line, *fields = head.decode("latin-1").split("\r\n")
        headers = {name.lower(): value for name, _, value in (f.partition(": ") for f in fields)}
        size = end + 4 + int(headers.get("content-length", "0"))
        if len(stream) < size:
            break
        method, target, _ = line.split(" ")
        found.append(Said(method, target, head, stream[end + 4 : size]))
        stream = stream[size:]
    return found

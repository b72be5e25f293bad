"""A bare loopback server: reads requests, answers 202, and nothing else.

    python -m benchmarks.server [--delay SECONDS]

Prints its port. `GET /` answers how many requests came, and when the first one did (monotonic).
"""

from __future__ import annotations

import argparse
import asyncio
import json
import re
import time
from typing import cast

import uvloop

_LENGTH = re.compile(rb"content-length: *(\d+)", re.IGNORECASE)
_ANSWER = b'HTTP/1.1 202 Accepted\r\ncontent-length: 12\r\n\r\n{"status":1}'


class Bare(asyncio.Protocol):
    """One connection. Pipelined requests and bodies of any size."""

    delay = 0.0
    count = 0
    first: float | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast("asyncio.Transport", transport)  # uvloop's is none by name
        self.pending = b""
        self.skip = 0

    def data_received(self, data: bytes) -> None:
        if self.skip >= len(data):
            self.skip -= len(data)
            if not self.skip:
                self.answer()
            return
        if self.skip:
            data, self.skip = data[self.skip :], 0
            self.answer()
        self.pending += data
        while (end := self.pending.find(b"\r\n\r\n")) >= 0:
            head, body = self.pending[:end], len(self.pending) - end - 4
            if head.startswith(b"GET / "):
                self.tell()
                self.pending = self.pending[end + 4 :]
                continue
            found = _LENGTH.search(head)
            length = int(found[1]) if found else 0
            self.pending = self.pending[end + 4 + length :]
            if body < length:
                self.skip = length - body
                return
            self.answer()

    def answer(self) -> None:
        if Bare.first is None:
            Bare.first = time.monotonic()
        Bare.count += 1
        if self.delay:
            asyncio.get_running_loop().call_later(self.delay, self.transport.write, _ANSWER)
        else:
            self.transport.write(_ANSWER)

    def tell(self) -> None:
        body = json.dumps({"count": Bare.count, "first": Bare.first}).encode()
        head = f"HTTP/1.1 200 OK\r\ncontent-length: {len(body)}\r\n\r\n".encode()
        self.transport.write(head + body)
        Bare.count, Bare.first = 0, None


async def serve(delay: float) -> None:
    Bare.delay = delay
    server = await asyncio.get_running_loop().create_server(Bare, "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--delay", type=float, default=0.0)
    uvloop.run(serve(parser.parse_args().delay))

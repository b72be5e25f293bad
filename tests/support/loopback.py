"""A small HTTP server on loopback whose every answer a test decides, byte by byte if need be.

    with Loopback(lambda request: Answer(503)) as server:
        ...                      # server.url, server.received

It parses only as much HTTP/1.1 as our own requests need (Content-Length bodies), which keeps it
fast enough to measure a client with.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import ssl
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import partial
from itertools import count
from types import TracebackType
from typing import Any, cast

import uvloop


@dataclass(frozen=True, slots=True)
class Received:
    """A request as it came: the target is the raw request line's, nothing decoded."""

    method: str
    target: str
    headers: dict[str, str]
    body: bytes
    at: float
    connection: int

    def json(self) -> Any:
        return json.loads(self.body)


@dataclass(frozen=True, slots=True)
class Answer:
    """What to do with a request: wait `delay` seconds, then answer, or write `raw`, or hang up."""

    status: int = 200
    body: bytes = b""
    headers: dict[str, str] = field(default_factory=dict)
    delay: float = 0.0
    raw: bytes | None = None
    close: bool = False
    drip: bytes = b""
    """Sent every 10 ms for ever after the answer: a body that never ends."""

    def encode(self) -> bytes:
        if self.raw is not None:
            return self.raw
        head = [f"HTTP/1.1 {self.status} Reason"]
        head += [f"{name}: {value}" for name, value in self.headers.items()]
        if self.status != 204:
            head.append(f"Content-Length: {len(self.body)}")
        return "\r\n".join(head).encode() + b"\r\n\r\n" + self.body


def error(status: int, code: str, message: str, **headers: str) -> Answer:
    """An error answer with the API's usual body."""
    body = json.dumps({"code": code, "message": message}).encode()
    return Answer(status, body, {"Content-Type": "application/json", **headers})


OK = Answer()
RESET = Answer(raw=b"", close=True)

Responder = Callable[[Received], Answer]


class _Connection(asyncio.Protocol):
    def __init__(self, server: Loopback) -> None:
        self._server = server
        self._buffer = b""
        self._id = next(server.numbers)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        transport = cast("asyncio.Transport", transport)  # uvloop has a class of its own
        self._transport = transport
        self._server.connections.add(transport)

    def connection_lost(self, exc: Exception | None) -> None:
        self._server.connections.discard(self._transport)

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        while (end := self._buffer.find(b"\r\n\r\n")) >= 0:
            head = self._buffer[:end].decode("latin-1").split("\r\n")
            headers = {
                name.lower(): value.strip()
                for name, _, value in (h.partition(":") for h in head[1:])
            }
            size = end + 4 + int(headers.get("content-length", "0"))
            if len(self._buffer) < size:
                return
            method, target, _ = head[0].split(" ")
            body = self._buffer[end + 4 : size]
            self._buffer = self._buffer[size:]
            self._handle(
                Received(method, target, headers, body, self._server.loop.time(), self._id)
            )

    def _handle(self, request: Received) -> None:
        answer = self._server.handle(request)
        if answer.delay:
            self._server.loop.call_later(answer.delay, partial(self._answer, request, answer))
        else:
            self._answer(request, answer)

    def _answer(self, request: Received, answer: Answer) -> None:
        self._server.answered(request)
        if self._transport.is_closing():
            return
        self._transport.write(answer.encode())
        if answer.drip:
            self._drip(answer.drip)
        elif answer.close:
            self._transport.abort() if answer.raw == b"" else self._transport.close()

    def _drip(self, data: bytes) -> None:
        if not self._transport.is_closing():
            self._transport.write(data)
            self._server.loop.call_later(0.01, self._drip, data)


class Loopback:
    """The server, in a thread of its own while entered. `respond` runs in that thread."""

    def __init__(
        self, respond: Responder = lambda request: OK, tls: ssl.SSLContext | None = None
    ) -> None:
        self.respond = respond
        self._tls = tls
        self.numbers = count()
        self.received: list[Received] = []
        self.in_flight = 0
        self.most_in_flight = 0
        self.connections: set[asyncio.Transport] = set()
        self.loop = uvloop.new_event_loop()
        self._listening = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def handle(self, request: Received) -> Answer:
        self.received.append(request)
        self.in_flight += 1
        self.most_in_flight = max(self.most_in_flight, self.in_flight)
        return self.respond(request)

    def answered(self, request: Received) -> None:
        self.in_flight -= 1

    def __enter__(self) -> Loopback:
        self._thread.start()
        self._listening.wait(10)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.loop.call_soon_threadsafe(self.loop.stop)
        self._thread.join(10)

    def _run(self) -> None:
        server = self.loop.run_until_complete(
            self.loop.create_server(lambda: _Connection(self), "127.0.0.1", 0, ssl=self._tls)
        )
        self.port = server.sockets[0].getsockname()[1]
        self.url = f"{'https' if self._tls else 'http'}://127.0.0.1:{self.port}/v1"
        self._listening.set()
        self.loop.run_forever()
        server.close()
        for transport in list(self.connections):
            transport.abort()
        with contextlib.suppress(RuntimeError):
            self.loop.run_until_complete(asyncio.sleep(0.01))
        self.loop.close()

    def users(self) -> Iterator[dict[str, Any]]:
        """The user objects received, in order."""
        return (r.json() for r in self.received if r.target.endswith("/users"))

    def events(self) -> Iterator[dict[str, Any]]:
        """The events received, in order, refused or not."""
        for request in self.received:
            if request.target.endswith("/events"):
                yield from request.json()["events"]

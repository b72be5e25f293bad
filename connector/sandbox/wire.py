"""One request as it came over the wire, and the ways to answer it, decent and otherwise."""

from __future__ import annotations

import asyncio
import json
import socket
import struct
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any

from starlette.types import Receive, Scope, Send
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from connector.sandbox.faults import Faults

Headers = list[tuple[bytes, bytes]]

TRANSPORT = "connector.sandbox"


class Protocol(HttpToolsProtocol):
    """uvicorn's protocol, which also shows the application the connection, so it can break it."""

    def on_message_begin(self) -> None:
        """Begin a request."""
        super().on_message_begin()
        self.scope["extensions"] = {TRANSPORT: {"transport": self.transport}}


class Gone(Exception):  # noqa: N818 - nobody is left to be told
    """The client hung up before its request was complete."""


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer; `stored` when it may only be sent after the store has committed."""

    status: int
    body: bytes = b""
    headers: Headers | None = None
    stored: bool = False

    @classmethod
    def of(cls, status: int, document: Any, *, stored: bool = False) -> Answer:
        """An answer with a JSON body."""
        return cls(status, json.dumps(document, separators=(",", ":")).encode(), None, stored)

    @classmethod
    def error(cls, status: int, code: str, message: str, headers: Headers | None = None) -> Answer:
        """The API's way to refuse: `{"code", "message"}`."""
        return replace(cls.of(status, {"code": code, "message": message}), headers=headers)


class Caller:
    """The other end of one request."""

    def __init__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self.method: str = scope["method"]
        self.path: str = scope["raw_path"].decode("latin-1")
        self.headers: dict[bytes, bytes] = dict(scope["headers"])
        self.transport: asyncio.Transport = scope["extensions"][TRANSPORT]["transport"]
        self.received = 0
        self.left_hanging = False
        self._receive = receive
        self._send = send

    async def body(self, limit: int) -> bytes | None:
        """The request's body; None when it is longer than `limit` bytes. Raises `Gone`."""
        parts: list[bytes] = []
        while True:
            message = await self._receive()
            if message["type"] == "http.disconnect":
                raise Gone
            part = message.get("body", b"")
            self.received += len(part)
            if self.received <= limit:
                parts.append(part)
            if not message.get("more_body", False):
                return b"".join(parts) if self.received <= limit else None

    async def _hung_up(self) -> None:
        while (await self._receive())["type"] != "http.disconnect":
            pass

    async def hang(self, seconds: float) -> None:
        """Say nothing until the client hangs up or `seconds` have passed."""
        self.left_hanging = True
        with suppress(TimeoutError):
            await asyncio.wait_for(self._hung_up(), seconds)

    async def reset(self) -> None:
        """Break the connection without another byte: RST on the wire, not an orderly end."""
        at_once = struct.pack("ii", 1, 0)
        with suppress(OSError, ValueError):  # the other end was quicker: it is broken already
            connection = self.transport.get_extra_info("socket")
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, at_once)
        self.transport.abort()
        await self._hung_up()

    async def _start(self, answer: Answer, length: int) -> None:
        headers = list(answer.headers or ())
        if answer.status != 204:
            headers.append((b"content-length", str(length).encode()))
            headers.append((b"content-type", b"application/json"))
        await self._send(
            {"type": "http.response.start", "status": answer.status, "headers": headers}
        )

    async def send(self, answer: Answer) -> int:
        """Answer as one should; returns the status."""
        await self._start(answer, len(answer.body))
        await self._send({"type": "http.response.body", "body": answer.body})
        return answer.status

    async def drip(self, answer: Answer, seconds: float) -> int:
        """Answer byte by byte."""
        await self._start(answer, len(answer.body))
        for index in range(len(answer.body)):
            if self.transport.is_closing():
                break
            await asyncio.sleep(seconds / len(answer.body))
            part = answer.body[index : index + 1]
            await self._send({"type": "http.response.body", "body": part, "more_body": True})
        await self._send({"type": "http.response.body", "body": b""})
        return answer.status

    async def truncate(self, answer: Answer) -> int:
        """Promise the whole body, send half of it, close."""
        if not answer.body:
            return await self.send(answer)
        await self._start(answer, len(answer.body))
        half = answer.body[: len(answer.body) // 2]
        await self._send({"type": "http.response.body", "body": half, "more_body": True})
        self.transport.close()
        await self._hung_up()
        return answer.status


GARBAGE = b"<html><body>It works!</body></html>"


async def instead(caller: Caller, fault: str, faults: Faults, headers: Headers) -> int:
    """What a fault that strikes before processing answers; returns the status, 0 for none."""
    if fault == "redirect":
        host = caller.headers.get(b"host", b"localhost")
        location = (b"location", b"http://" + host + b"/_sandbox/redirected")
        return await caller.send(Answer(302, headers=[location]))
    if fault == "hang":
        await caller.hang(faults.hang_seconds)
    if fault in ("hang", "reset"):
        await caller.reset()
        return 0
    status = int(fault[1:])
    message = f"a fault that was asked for: {fault}"
    return await caller.send(Answer.error(status, "injected_fault", message, headers))


async def spoiled(caller: Caller, answer: Answer, fault: str, faults: Faults) -> int:
    """What a fault that strikes after processing makes of the answer; returns the status, or 0."""
    if fault == "drip":
        return await caller.drip(answer, faults.drip_seconds)
    if fault == "truncate":
        return await caller.truncate(answer)
    if fault in ("garbage", "no_body"):
        body = GARBAGE if fault == "garbage" and answer.status != 204 else b""
        return await caller.send(replace(answer, body=body))
    if fault == "hang_after":
        await caller.hang(faults.hang_seconds)
    await caller.reset()
    return 0

"""The one seam to HTTP: `send(request)` gives an answer or a failure, and never raises for either.

pyreqwest was measured against httpx, httpx over pyreqwest and aiohttp; a request costs it half the
processor time of the next. Whatever it raises stays in here: its errors hold the URL, and so the
uid.
"""

from __future__ import annotations

import asyncio
import atexit
import contextlib
import functools
import ipaddress
import math
import re
import time
from collections.abc import Callable
from datetime import timedelta
from typing import NamedTuple, Protocol
from urllib.parse import urlsplit

from pyreqwest.client import Client, ClientBuilder
from pyreqwest.exceptions import (
    BuilderError,
    DecodeError,
    PyreqwestError,
    RequestTimeoutError,
)
from pyreqwest.proxy import ProxyBuilder
from pyreqwest.response import Response

from connector import __version__
from connector.destination.outcomes import Failure, Outcome, refusal
from connector.destination.requests import Request
from connector.destination.target import Auth, Target
from connector.errors import DestinationError

BODY_BYTES = 65_536
BODY_SECONDS = 2.0
SOUND_ANSWERS = 100
"""Answers whose bodies all came to their end, after which bodies are read ahead. That is quicker by
half, and a body that breaks off then hides its status: such a request is sent again."""

_CODE = re.compile(r"[A-Za-z][\w.-]{0,63}")

PARTING_SECONDS = 0.1
"""How long the end of the process waits for pyreqwest's thread, which lets go of a request's last
Python object shortly after the answer was handed over. Were the interpreter closing by then, it
would abort: one `doctor` in ten ended with 134 after all was well."""

ANSWER_BYTES = 16 * 1024 * 1024
"""The longest answer to a request that asks."""


class Answer(NamedTuple):
    """A status line that arrived. `body` holds at most the first 64 KiB of what followed it, and
    all of it where the request asks."""

    status: int
    header: Callable[[str], str | None]
    body: bytes

    def __repr__(self) -> str:
        return f"<answer {self.status}>"


def describe(answer: Answer | Failure) -> str:
    """An answer in two words, for people."""
    return answer.value if isinstance(answer, Failure) else f"HTTP {answer.status}"


def described(answer: Answer | Failure) -> str:
    """The same with the API's code for it, if there is one; never its message, which may repeat
    what was sent, the key included."""
    if isinstance(answer, Answer):
        code = refusal(answer.status, answer.body).code
        if _CODE.fullmatch(code) and not code.startswith("http_"):
            return f"{describe(answer)}, {code}"
    return describe(answer)


def stopped(target: str, answer: Answer | Failure, verdict: Outcome) -> DestinationError:
    """Why nothing more can be sent after this answer."""
    return DestinationError(
        f"target {target}: the API {verdict.problem} ({described(answer)})", hint=verdict.hint
    )


class Transport(Protocol):
    """How requests leave; replaced in tests and by other clients."""

    async def send(self, request: Request) -> Answer | Failure:
        """Send once, without retrying, and say what came of it."""

    async def close(self) -> None:
        """Let go of every connection."""


class HttpTransport:
    """HTTP/1.1 with keep-alive: TLS verified, no redirects, no cookies, no proxy but the target's.

    To be made and used within one event loop.
    """

    def __init__(self, target: Target) -> None:
        check_address(target.base_url)
        _part_in_peace()
        self._base = target.base_url
        self._client = _client(target)
        self._sound = 0.0

    async def send(self, request: Request) -> Answer | Failure:
        """Send once; the status counts as soon as its line is there, whatever becomes of the body.

        The body is read for a refusal's words, and so that the connection can be used again; one
        that is too long, too slow or broken is given up together with its connection. Where all
        bodies have been sound so far, answers come with their bodies, until one does not.
        """
        builder = self._client.request(request.method, self._base + request.path)
        if request.body is not None:
            builder = builder.body_bytes(request.body)
        read_ahead = self._sound >= SOUND_ANSWERS and not request.asks
        builder = builder.streamed_read_buffer_limit(BODY_BYTES if read_ahead else 0)
        answer: Answer | None = None
        try:
            async with builder.build_streamed() as response:
                answer = Answer(response.status, response.get_header, b"")
                if answer.status >= 300:
                    return answer._replace(body=await self._body(response))
                if request.asks:
                    return await _whole(response, answer)
                if not read_ahead:
                    await self._body(response)
        except PyreqwestError as error:
            self._sound = -math.inf
            if answer is None or (request.asks and answer.status < 300):
                failure = _failure(error)
                # Of a body that broke off the same is said as of an answer that is no HTTP.
                garbled = failure is Failure.GARBLED
                return Failure.BROKEN if garbled and read_ahead else failure
        return answer

    async def _body(self, response: Response) -> bytes:
        try:
            async with asyncio.timeout(BODY_SECONDS):
                body = await response.body_reader.read(BODY_BYTES)
        except (PyreqwestError, TimeoutError):
            self._sound = -math.inf
            return b""
        self._sound += 1
        return body.to_bytes() if body else b""

    async def close(self) -> None:
        """Close every connection."""
        await self._client.close()


@functools.cache
def _part_in_peace() -> None:
    """Have the wait at the end of the process once, where there is a client at all."""
    atexit.register(_wait_to_part)


def _wait_to_part() -> None:
    with contextlib.suppress(KeyboardInterrupt):  # there is nothing left to be interrupted
        time.sleep(PARTING_SECONDS)


async def _whole(response: Response, answer: Answer) -> Answer | Failure:
    """The answer with its body to the end."""
    parts: list[bytes] = []
    size = 0
    while (part := await response.body_reader.read_chunk()) is not None:
        parts.append(part.to_bytes())
        size += len(parts[-1])
        if size > ANSWER_BYTES:
            return Failure.TOO_LONG
    return answer._replace(body=b"".join(parts))


def _client(target: Target) -> Client:
    key = target.api_key.get_secret_value()
    authorization = (
        {"Authorization": f"Bearer {key}"} if target.auth is Auth.BEARER else {"X-API-Key": key}
    )
    builder = (
        ClientBuilder()
        .no_proxy()
        .follow_redirects(False)
        .referer(False)
        .default_cookie_store(False)
        .gzip(False)
        .brotli(False)
        .zstd(False)
        .deflate(False)
        .user_agent(f"sequen-connector/{__version__}")
        .connect_timeout(timedelta(seconds=target.connect_timeout))
        .timeout(timedelta(seconds=target.timeout))
        .pool_max_idle_per_host(target.max_in_flight)
    )
    try:
        if target.proxy is not None:
            builder = builder.proxy(ProxyBuilder.all(target.proxy.get_secret_value()))
        return builder.default_headers(
            {**authorization, "Content-Type": "application/json", "Accept": "application/json"}
        ).build()
    except (PyreqwestError, ValueError):
        raise DestinationError(
            f"target {target.name}: the API key or proxy cannot be put into a request",
            hint="look for line breaks and stray characters in api_key and proxy",
        ) from None


def _failure(error: PyreqwestError) -> Failure:
    """Sort an exception by what it and its causes say; nothing of it is kept."""
    said = str(error).lower()
    if "certificate" in said:
        return Failure.CERTIFICATE
    if "client error (connect)" in said:
        return Failure.CONNECT
    if isinstance(error, RequestTimeoutError):
        return Failure.TIMEOUT
    if isinstance(error, BuilderError):
        raise DestinationError(
            "a request to the target cannot be built", hint="check base_url and api_key"
        ) from None
    return Failure.GARBLED if isinstance(error, DecodeError) else Failure.BROKEN


def check_address(base_url: str) -> None:
    """Refuse anything but https, loopback excepted: the key would travel in clear."""
    parts = urlsplit(base_url)
    if parts.scheme == "https" and parts.hostname:
        return
    if parts.scheme == "http" and _is_loopback(parts.hostname or ""):
        return
    raise DestinationError(
        "base_url must be an https address", hint="plain http is for loopback addresses only"
    )


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False

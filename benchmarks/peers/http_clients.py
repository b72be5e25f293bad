"""One HTTP client posting small bodies.

    python -m benchmarks.peers.http_clients NAME PORT REQUESTS IN_FLIGHT

Prints JSON: requests a second, and this process's processor microseconds a request.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

BODY = b'{"uid":"user_1","country":"US","total_orders":3}'
HEADERS = {"content-type": "application/json", "authorization": "Bearer k"}
Send = Callable[[], Awaitable[Any]]


@asynccontextmanager
async def httpx_own(url: str, in_flight: int) -> AsyncIterator[Send]:
    import httpx

    limits = httpx.Limits(max_connections=in_flight, max_keepalive_connections=in_flight)
    async with httpx.AsyncClient(headers=HEADERS, limits=limits, trust_env=False) as client:
        yield lambda: client.post(url, content=BODY)


@asynccontextmanager
async def httpx_over_pyreqwest(url: str, in_flight: int) -> AsyncIterator[Send]:
    import httpx
    from pyreqwest.compatibility.httpx import HttpxTransport

    async with httpx.AsyncClient(headers=HEADERS, transport=HttpxTransport()) as client:
        yield lambda: client.post(url, content=BODY)


@asynccontextmanager
async def aiohttp_(url: str, in_flight: int) -> AsyncIterator[Send]:
    import aiohttp

    connector = aiohttp.TCPConnector(limit=in_flight)
    async with aiohttp.ClientSession(headers=HEADERS, connector=connector) as session:

        async def send() -> None:
            async with session.post(url, data=BODY) as response:
                await response.read()

        yield send


@asynccontextmanager
async def pyreqwest_(url: str, in_flight: int) -> AsyncIterator[Send]:
    from pyreqwest.client import ClientBuilder

    async with ClientBuilder().build() as client:

        async def send() -> None:
            response = await client.post(url).headers(HEADERS).body_bytes(BODY).build().send()
            await response.bytes()

        yield send


CLIENTS = {
    "httpx": httpx_own,
    "httpx over pyreqwest": httpx_over_pyreqwest,
    "aiohttp": aiohttp_,
    "pyreqwest": pyreqwest_,
}


async def measure(name: str, url: str, requests: int, in_flight: int) -> dict[str, float]:
    """Post so many times, always so many at once."""
    async with CLIENTS[name](url, in_flight) as send:
        await send()
        numbers = iter(range(requests))

        async def worker() -> None:
            for _ in numbers:
                await send()

        began, used = time.perf_counter(), time.process_time()
        await asyncio.gather(*(worker() for _ in range(in_flight)))
        seconds, processor = time.perf_counter() - began, time.process_time() - used
    return {"rate": requests / seconds, "microseconds": processor / requests * 1e6}


def main(name: str, port: str, requests: int, in_flight: int) -> None:
    """Measure one client on uvloop."""
    import uvloop

    found = uvloop.run(measure(name, f"http://127.0.0.1:{port}/v1/users", requests, in_flight))
    print(json.dumps(found))


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4]))

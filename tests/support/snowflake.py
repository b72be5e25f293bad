"""fakesnow's server for tests: Snowflake's protocol on loopback, for the real connector.

A folder of tests has it by importing the fixture into its conftest:

    from tests.support.snowflake import snowflake_server  # noqa: F401

The server is this file run as a process of its own.
"""

from __future__ import annotations

import atexit
import functools
import gzip
import itertools
import json
import socket
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass, field
from importlib.util import find_spec
from typing import Any

import pytest

WRONG_PASSWORD = "not-the-password"


@dataclass(frozen=True)
class Snowflake:
    """The server; it makes databases and schemas as they are first connected to."""

    url: str
    _numbers: Iterator[int] = field(default_factory=itertools.count)

    def database(self) -> str:
        """The name of a database of its own."""
        return f"TEST_{next(self._numbers)}"

    @property
    def logins(self) -> list[dict[str, Any]]:
        """What was sent to sign in, in order."""
        return self._received("logins")

    @property
    def requests(self) -> list[dict[str, Any]]:
        """The queries as they were sent, in order."""
        return self._received("requests")

    def run(self, database: str, *statements: str) -> None:
        """Run statements in the schema ANALYTICS of a database."""
        from snowflake.connector import connect

        host, port = self.url.removeprefix("http://").split(":")
        with connect(
            account="tests", user="tests", password="tests",
            host=host, port=int(port), protocol="http",
            database=database, schema="ANALYTICS",
            platform_detection_timeout_seconds=0.0, network_timeout=5,
        ) as connection:  # fmt: skip
            for statement in statements:
                connection.cursor().execute(statement)

    def _received(self, what: str) -> list[dict[str, Any]]:
        with urllib.request.urlopen(f"{self.url}/received") as answer:  # noqa: S310 - loopback
            found: list[dict[str, Any]] = json.load(answer)[what]
            return found


@functools.cache
def start() -> Snowflake:
    """The server of this process; it stops as the process ends.

    Skips the test where there is none to start.
    """
    if find_spec("fakesnow") is None or find_spec("snowflake") is None:
        pytest.skip("there is no Snowflake: fakesnow or the connector is not installed")
    server = subprocess.Popen(
        [sys.executable, __file__], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    )
    atexit.register(_stop, server)
    assert server.stdout is not None
    return Snowflake(server.stdout.readline().strip())


def _stop(server: subprocess.Popen[str]) -> None:
    with server:
        server.terminate()


@pytest.fixture(scope="session")
def snowflake_server() -> Snowflake:
    """The same for all who import the fixture."""
    return start()


class _Recorder:
    """fakesnow's application, which lets everybody in, with a guard before it that takes notes."""

    def __init__(self) -> None:
        import fakesnow.server

        self._application = fakesnow.server.app
        self._received: dict[str, list[Any]] = {"logins": [], "requests": []}

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["path"] == "/received":
            await _answer(send, self._received)
            return
        body, more = b"", True
        while more:
            message = await receive()
            body, more = body + message.get("body", b""), message.get("more_body", False)
        if dict(scope["headers"]).get(b"content-encoding") == b"gzip":
            text = gzip.decompress(body)
        else:
            text = body
        if scope["path"] == "/session/v1/login-request":
            self._received["logins"].append(json.loads(text)["data"])
            if self._received["logins"][-1].get("PASSWORD") == WRONG_PASSWORD:
                message = "Incorrect username or password was specified."
                await _answer(send, {"code": "390100", "message": message, "success": False})
                return
        elif scope["path"] == "/queries/v1/query-request":
            self._received["requests"].append(json.loads(text))
        replay = iter([{"type": "http.request", "body": body}])

        async def received() -> Any:
            return next(replay, None) or await receive()

        await self._application(scope, received, send)


async def _answer(send: Any, content: dict[str, Any]) -> None:
    head = [(b"content-type", b"application/json")]
    await send({"type": "http.response.start", "status": 200, "headers": head})
    body = json.dumps({"data": {}} | content).encode()
    await send({"type": "http.response.body", "body": body})


def _serve() -> None:
    import uvicorn

    listening = socket.create_server(("127.0.0.1", 0))
    print(f"http://127.0.0.1:{listening.getsockname()[1]}", flush=True)  # noqa: T201 - it is read
    config = uvicorn.Config(_Recorder(), interface="asgi3", log_level="critical", lifespan="off")
    uvicorn.Server(config).run(sockets=[listening])


if __name__ == "__main__":
    # The folder of this file holds a `snowflake` that is not the one to be imported.
    sys.path.pop(0)
    _serve()

"""The running sandbox: in this thread, in one of its own, or in a process of its own."""

from __future__ import annotations

import asyncio
import json
import signal
import socket
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable
from contextlib import ExitStack, suppress
from dataclasses import replace
from pathlib import Path
from types import FrameType

import uvicorn
from starlette.types import Receive, Scope, Send

from connector.sandbox import admin
from connector.sandbox.api import Api
from connector.sandbox.handle import Handle
from connector.sandbox.settings import Settings
from connector.sandbox.store import Store
from connector.sandbox.traffic import Traffic
from connector.sandbox.wire import Protocol

START_SECONDS = 30


class _Server(uvicorn.Server):
    """uvicorn's server, which stops at once, and leaves behind those who were left hanging."""

    def __init__(self, config: uvicorn.Config, api: Api, started: Callable[[], None]) -> None:
        super().__init__(config)
        self._api = api
        self._on_start = started
        self._loop: asyncio.AbstractEventLoop | None = None
        self._stopping = asyncio.Event()

    def stop(self) -> None:
        """Stop in an orderly way. Safe to call from a signal handler or another thread."""
        self.should_exit = True
        if self._loop is not None:
            with suppress(RuntimeError):  # the loop is closed: the server has stopped already
                self._loop.call_soon_threadsafe(self._stopping.set)

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self._loop = asyncio.get_running_loop()
        self._on_start()

    async def main_loop(self) -> None:
        """Renew the Date header each second until asked to stop."""
        while not await self.on_tick(0):
            with suppress(TimeoutError):
                await asyncio.wait_for(self._stopping.wait(), 1)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        self._api.let_go()
        await super().shutdown(sockets)

    def handle_exit(self, _sig: int, _frame: FrameType | None) -> None:
        """Stop on a signal, and leave it at that; uvicorn would raise it again afterwards."""
        self.stop()


def listen(host: str, port: int) -> socket.socket:
    """A listening socket. Raises `OSError`, when the port is taken for one."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    return socket.create_server((host, port), family=family, backlog=2048)


def _server(settings: Settings, store: Store, started: Callable[[], None]) -> _Server:
    api = Api(settings, store, Traffic())
    sandbox = admin.application(api)

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        path = scope["path"]
        if path == "/_sandbox" or path.startswith("/_sandbox/"):
            await sandbox(scope, receive, send)
        else:
            await api(scope, receive, send)

    config = uvicorn.Config(
        app,
        http=Protocol,
        ws="none",
        lifespan="off",
        log_config=None,
        access_log=False,
        server_header=False,
        timeout_keep_alive=75,
        timeout_graceful_shutdown=3,
    )
    return _Server(config, api, started)


def serve(
    settings: Settings,
    listening: socket.socket,
    started: Callable[[], None],
    stopper: Callable[[Callable[[], None]], None] | None = None,
) -> None:
    """Serve until told to stop; in the main thread SIGINT and SIGTERM do.

    `started` is called once requests are answered; `stopper` is given a function that stops the
    server from any thread. Raises `NotASandboxFile`.
    """
    with ExitStack() as stack:
        stack.callback(listening.close)
        database = settings.database
        if database is None:
            folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="sandbox-"))
            database = Path(folder) / "sandbox.sqlite"
        store = Store(database, settings.upsert)
        stack.callback(store.close)
        server = _server(settings, store, started)
        if stopper is not None:
            stopper(server.stop)
        with asyncio.Runner(loop_factory=server.config.get_loop_factory()) as runner:
            runner.run(server.serve(sockets=[listening]))


class Sandbox(Handle):
    """A sandbox in a thread of this process, answering once constructed.

    Raises `OSError` when the port is taken, `NotASandboxFile` for a database that is none.
    """

    def __init__(self, settings: Settings | None = None) -> None:
        self.settings = settings or Settings()
        listening = listen(self.settings.host, self.settings.port)
        self.host, self.port = listening.getsockname()[:2]
        self._ready = threading.Event()
        self._failures: list[BaseException] = []
        self._stop: Callable[[], None] | None = None
        self._thread = threading.Thread(
            target=self._run, args=(listening,), name=f"sandbox-{self.port}", daemon=True
        )
        self._thread.start()
        if not self._ready.wait(START_SECONDS):
            raise TimeoutError("the sandbox did not start")
        self._raise_failure()

    def _run(self, listening: socket.socket) -> None:
        try:
            serve(self.settings, listening, self._ready.set, self._keep_stop)
        except BaseException as error:  # noqa: BLE001 - handed to the thread that waits
            self._failures.append(error)
        finally:
            self._ready.set()

    def _keep_stop(self, stop: Callable[[], None]) -> None:
        self._stop = stop

    def stop(self) -> None:
        """Stop, and wait for it; once is enough, twice does no harm."""
        if self._stop is not None:
            self._stop()
        self._thread.join()
        self._raise_failure()

    def _raise_failure(self) -> None:
        if self._failures:
            self._thread.join()
            raise self._failures.pop()


class SandboxProcess(Handle):
    """A sandbox in a process of its own, which can be killed; see `spawn`."""

    def __init__(self, process: subprocess.Popen[bytes], settings: Settings) -> None:
        self.settings = settings
        self.host = settings.host
        self.port = settings.port
        self.process = process

    def kill(self) -> None:
        """End it at once, as `kill -9` does."""
        self.process.kill()
        self._reap()

    def stop(self) -> None:
        """Stop as on SIGTERM, and wait for it."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        self._reap()

    def _reap(self) -> None:
        self.process.wait(START_SECONDS)
        for pipe in (self.process.stdin, self.process.stdout):
            if pipe is not None:
                pipe.close()


def spawn(settings: Settings) -> SandboxProcess:
    """Start a sandbox in a process of its own, answering on return.

    It ends with this process too. Raises `OSError` when the port is taken, `RuntimeError` when the
    process does not come up.
    """
    listening = listen(settings.host, settings.port)
    listening.set_inheritable(True)
    at = replace(settings, port=listening.getsockname()[1])
    with listening:
        process = subprocess.Popen(  # noqa: S603 - our own interpreter and module
            [sys.executable, "-m", "connector.sandbox", str(listening.fileno())],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            pass_fds=[listening.fileno()],
        )
    assert process.stdin is not None  # noqa: S101 - asked for above
    assert process.stdout is not None  # noqa: S101 - asked for above
    process.stdin.write(json.dumps(at.to_json()).encode() + b"\n")
    process.stdin.flush()
    handle = SandboxProcess(process, at)
    if process.stdout.readline() != b"ready\n":
        handle.kill()
        raise RuntimeError("the sandbox process did not come up; its stderr says why")
    return handle

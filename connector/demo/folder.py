"""The demo's folder: the example project with data, and the sandbox that serves it."""

from __future__ import annotations

import fcntl
import http.client
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import resources
from pathlib import Path

from connector.errors import ConnectorError, UsageError

MARKER = ".connector-demo"
"""Tells our folder from others. The running sandbox holds a lock on it: it says which process."""

HOST = "127.0.0.1"
_PORT_IN_FILES = 8787
_SECONDS = 30.0
_OURS = ("mappings", "data", ".connector", ".sandbox")


class DemoFolder:
    """A folder that the demo may write and wipe.

    Raises:
        UsageError: there is something in it that is not the demo's.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.mappings = path / "mappings"
        self.warehouse = path / "data" / "warehouse.duckdb"
        self._marker = path / MARKER
        foreign = path.exists() and not self._marker.is_file()
        if foreign and not (path.is_dir() and not any(path.iterdir())):
            raise UsageError(
                f"{path} is there already, and not from an earlier demo",
                hint="name another folder: connector demo --dir DIR",
            )

    def clear(self) -> bool:
        """Begin afresh: stop an earlier sandbox and remove what is ours; whether there was any."""
        self.stop_sandbox()
        before = self.mappings.exists()
        for name in _OURS:
            shutil.rmtree(self.path / name, ignore_errors=True)
        self.path.mkdir(parents=True, exist_ok=True)
        self._marker.touch()
        return before

    def write_mappings(self, port: int) -> None:
        """Copy the example project, with the port that the sandbox has."""
        self.mappings.mkdir()
        here, there = f"{HOST}:{_PORT_IN_FILES}", f"{HOST}:{port}"
        for file in _example().iterdir():
            if file.name.endswith(".yaml"):
                text = file.read_text("utf-8")
                (self.mappings / file.name).write_text(text.replace(here, there), "utf-8")

    def start_sandbox(self, port: int) -> int:
        """Start a sandbox that outlives this process, on another port where this one is taken.

        Returns the port it answers on. Raises `ConnectorError` when it does not come up.
        """
        port = _free_port(port)
        state = self.path.absolute() / ".sandbox"
        state.mkdir(mode=0o700, exist_ok=True)
        log = state / "log"
        command = [sys.executable, "-P", "-m", "connector.cli", "sandbox"]
        command += ["--host", HOST, "--port", str(port), "--db", str(state / "api.sqlite")]
        with self._marker.open("w") as marker, log.open("w") as out:
            fcntl.flock(marker, fcntl.LOCK_EX | fcntl.LOCK_NB)
            process = subprocess.Popen(  # noqa: S603 - our own interpreter and command
                command,
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=out,
                pass_fds=[marker.fileno()],
                start_new_session=True,
            )
            marker.write(f"{process.pid}\n")
        _wait_for(process, port, log)
        process.returncode = 0  # it is meant to outlive us: no warning that it does
        return port

    def stop_sandbox(self) -> bool:
        """Stop the sandbox of this folder in an orderly way; whether there was one."""
        with self._locked() as free:
            if free:
                return False
            process = int(self._marker.read_text() or 0)
        if not process:
            return False
        os.kill(process, signal.SIGTERM)
        until = time.monotonic() + _SECONDS
        while time.monotonic() < until:
            with self._locked() as free:
                if free:
                    return True
            time.sleep(0.05)
        raise ConnectorError(f"the sandbox (process {process}) does not stop")

    @contextmanager
    def _locked(self) -> Iterator[bool]:
        """Whether nobody holds the marker. Only a living sandbox does: its number is not stale."""
        if not self._marker.exists():
            yield True
            return
        with self._marker.open() as marker:
            try:
                fcntl.flock(marker, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                yield False
            else:
                yield True


def _example() -> resources.abc.Traversable:
    """The example project: part of the package once it is built, at the root of a checkout."""
    packaged = resources.files(__package__) / "mappings"
    return packaged if packaged.is_dir() else Path(__file__).parents[2] / "mappings"


def _free_port(port: int) -> int:
    from connector.sandbox import listen

    try:
        listening = listen(HOST, port)
    except OSError:
        listening = listen(HOST, 0)
    with listening:
        return int(listening.getsockname()[1])


def _wait_for(process: subprocess.Popen[bytes], port: int, log: Path) -> None:
    until = time.monotonic() + _SECONDS
    while process.poll() is None and time.monotonic() < until:
        connection = http.client.HTTPConnection(HOST, port, timeout=5)
        try:
            connection.request("GET", "/_sandbox/counts")
            if connection.getresponse().status == 200:
                return
        except OSError:
            time.sleep(0.05)
        finally:
            connection.close()
    process.kill()
    said = (log.read_text("utf-8").splitlines() or ["it said nothing"])[0]
    raise ConnectorError(f"the sandbox did not come up: {said}")

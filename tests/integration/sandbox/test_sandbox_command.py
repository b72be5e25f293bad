"""`connector sandbox`, as a process."""

import contextlib
import os
import signal
import socket
import subprocess
import sys

import pytest
from click.testing import CliRunner

from connector.cli.sandbox import sandbox
from connector.errors import ConnectorError, UsageError
from connector.sandbox import Handle

COMMAND = [sys.executable, "-c", "from connector.cli.sandbox import sandbox; sandbox()"]


class Elsewhere(Handle):
    def __init__(self, port: int) -> None:
        self.host, self.port = "127.0.0.1", port


@pytest.mark.parametrize("sign", [signal.SIGINT, signal.SIGTERM])
def test_it_says_where_it_is_serves_and_stops_on_a_signal(tmp_path, sign):
    database = tmp_path / "sandbox.sqlite"
    process = subprocess.Popen(
        [*COMMAND, "--port", "0", "--db", str(database), "--rate-limit", "5"],
        stderr=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONUNBUFFERED": "1"},
    )
    try:
        line = process.stderr.readline()
        assert line.startswith("sandbox at http://127.0.0.1:")
        assert Elsewhere(int(line.rpartition(":")[2].removesuffix("/v1\n"))).counts()["users"] == 0
        process.send_signal(sign)
        out, err = process.communicate(timeout=30)
    finally:
        process.kill()
        process.communicate()
    assert (process.returncode, out, err) == (0, "", "")
    assert [path.name for path in tmp_path.iterdir()] == ["sandbox.sqlite"]


def failure(*arguments: str) -> ConnectorError:
    result = CliRunner().invoke(sandbox, ["--memory", *arguments])
    assert isinstance(result.exception, ConnectorError)
    return result.exception


def test_a_taken_port_is_one_clear_line_with_a_hint():
    with contextlib.closing(socket.create_server(("127.0.0.1", 0))) as taken:
        port = taken.getsockname()[1]
        error = failure("--port", str(port))
    assert error.message == f"port {port} on 127.0.0.1 is taken"
    assert "--port" in error.hint
    assert "\n" not in str(error)


def test_an_address_of_another_machine_is_a_clear_error():
    error = failure("--host", "192.0.2.1", "--port", "0")
    assert "192.0.2.1" in error.message


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--fault", "e503"], "name=rate"),
        (["--fault", "e503=0.6", "--fault", "e500=0.6"], "more than 1"),
        (["--rate-limit", "-1"], "rate limit"),
        (["--max-batch", "0"], "batch limits"),
    ],
)
def test_options_that_make_no_sense_are_usage_errors(arguments, words):
    error = failure(*arguments)
    assert isinstance(error, UsageError)
    assert words in error.message


def test_a_file_that_is_no_sandbox_is_a_clear_error(tmp_path):
    notes = tmp_path / "notes.txt"
    notes.write_text("somebody's notes " * 100)
    result = CliRunner().invoke(sandbox, ["--port", "0", "--db", str(notes)])
    assert isinstance(result.exception, ConnectorError)
    assert "--db" in result.exception.hint


@pytest.mark.parametrize("port", ["-1", "65536"])
def test_a_port_that_there_cannot_be_is_a_usage_error(port):
    result = CliRunner().invoke(sandbox, ["--memory", "--port", port])
    assert result.exit_code == 2
    assert "0<=x<=65535" in result.output

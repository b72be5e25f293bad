"""`connector demo`, as a reader runs it: the real command in an empty folder."""

import http.client
import json
import re
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

CONNECTOR = [sys.executable, "-P", "-m", "connector.cli"]


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        return int(listening.getsockname()[1])


def connector(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [*CONNECTOR, *arguments]
    return subprocess.run(
        command, cwd=folder, capture_output=True, text=True, timeout=240, check=False
    )


def answers(port: int) -> bool:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    try:
        connection.request("GET", "/_sandbox/counts")
        return json.loads(connection.getresponse().read())["live"] > 0
    except OSError:
        return False
    finally:
        connection.close()


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    yield tmp_path
    connector(tmp_path, "demo", "--stop")


def test_the_far_side_equals_the_warehouse_and_everything_stays_to_play_with(folder: Path) -> None:
    port = free_port()
    demo = ["demo", "--users", "60", "--port"]
    first = connector(folder, *demo, str(port))
    assert (first.returncode, first.stderr) == (0, "")
    lines = [line.strip() for line in first.stdout.splitlines()]
    assert "0 differences" in lines
    assert "0 rows acknowledged by target 'sandbox' in 0 requests" in first.stdout
    assert re.findall(r"^(\d)\. ", first.stdout, re.MULTILINE) == list("123456789")
    assert answers(port)

    planned = connector(folder / "demo", "plan", "--detailed-exitcode")
    assert planned.returncode == 0, planned.stdout + planned.stderr
    assert connector(folder / "demo", "status").returncode == 0

    with socket.create_server(("127.0.0.1", 0)) as taken:
        again = connector(folder, *demo, str(taken.getsockname()[1]), "--seed", "8")
    assert again.returncode == 0, again.stderr
    assert "begun afresh" in again.stdout
    elsewhere = re.search(r"Port \d+ is taken, so it is (\d+)\.", again.stdout)
    assert elsewhere is not None
    assert not answers(port)
    port = int(elsewhere[1])
    assert f"127.0.0.1:{port}/v1" in (folder / "demo/mappings/project.yaml").read_text()
    assert answers(port)

    stopped = connector(folder, "demo", "--stop")
    assert (stopped.returncode, stopped.stdout) == (0, "The sandbox of demo is stopped.\n")
    assert not answers(port)
    assert connector(folder, "demo", "--stop").stdout == "No sandbox is running.\n"


def test_a_folder_of_somebody_else_is_never_touched(folder: Path) -> None:
    (folder / "demo").mkdir()
    (folder / "demo" / "thesis.txt").write_text("mine")
    refused = connector(folder, "demo", "--users", "60")
    assert refused.returncode == 2
    assert refused.stderr.startswith("error: demo is there already")
    assert [path.name for path in (folder / "demo").iterdir()] == ["thesis.txt"]

"""Every command of the tutorial, in its order, in an empty folder."""

from __future__ import annotations

import os
import re
import socket
import subprocess
import sys
from pathlib import Path

import pytest

TUTORIAL = Path(__file__).parents[2] / "docs" / "first-steps.md"

_WAIT = """
for _ in $(seq 100); do
  python -c "import socket; socket.create_connection(('127.0.0.1', {port}), 1)" 2>/dev/null && break
  sleep 0.1
done
"""


def commands() -> str:
    """The shell blocks of the tutorial, as one script."""
    return "\n".join(re.findall(r"^```sh\n(.*?)^```", TUTORIAL.read_text(), re.S | re.M))


def free_port() -> int:
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        port: int = listening.getsockname()[1]
        return port


@pytest.mark.timeout(240)
def test_every_command_of_the_tutorial_does_what_it_says(tmp_path: Path) -> None:
    port = free_port()
    served = f"sed -i s/8787/{port}/ mappings/project.yaml\nconnector sandbox --port {port} &\n"
    script = commands().replace("connector sandbox &\n", served + _WAIT.format(port=port))
    assert served in script
    binaries = Path(sys.executable).parent
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", f"trap 'kill $(jobs -p)' EXIT\n{script}"],
        cwd=tmp_path,
        env={**os.environ, "PATH": f"{binaries}{os.pathsep}{os.environ['PATH']}", "NO_COLOR": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    for said in (
        "All is well.",
        "347 rows acknowledged",
        "fields that changed: loyalty_tier 1",
        "wrote mappings/page_views.yaml",
        "session_frequency: sessions_30d",
        "1 user deleted at target 'sandbox'",
        "No changes: target 'sandbox' is in step.",
    ):
        assert said in done.stdout, done.stdout + done.stderr
    assert (tmp_path / "shop" / "connector.prom").read_text().startswith("# HELP connector_")
    assert re.search(r"users +│ done", done.stdout)

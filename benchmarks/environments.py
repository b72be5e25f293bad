"""Environments of what we are compared with: one a peer, under `.peers/`, made when needed."""

from __future__ import annotations

import functools
import os
import shutil
import subprocess
import sys
from pathlib import Path

from benchmarks.measure import ROOT

REQUIREMENTS = ROOT / "benchmarks" / "peers" / "requirements"
FOLDER = ROOT / ".peers"


class UnavailableError(Exception):
    """A peer that cannot be installed here; its text says why."""


@functools.cache
def interpreter(peer: str) -> Path:
    """The Python that has what `peers/requirements/PEER.txt` lists. Raises UnavailableError."""
    wanted = (REQUIREMENTS / f"{peer}.txt").read_text()
    home = FOLDER / peer
    python, done = home / "bin" / "python", home / "installed.txt"
    if done.exists() and done.read_text() == wanted:
        return python
    shutil.rmtree(home, ignore_errors=True)
    print(f"installing {peer} into {home.relative_to(ROOT)}", flush=True)
    try:
        _quietly(sys.executable, "-m", "venv", str(home))
        _quietly(
            str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check",
            "--only-binary", ":all:", "--requirement", str(REQUIREMENTS / f"{peer}.txt"),
        )  # fmt: skip
    except subprocess.CalledProcessError as error:
        said = (error.stdout or "").strip().splitlines() or ["no word of why"]
        raise UnavailableError(f"{peer} could not be installed: {said[-1]}") from None
    done.write_text(wanted)
    return python


def surroundings(home: Path) -> dict[str, str]:
    """A peer's environment: a home of its own, nothing told to anyone, our scripts importable."""
    return os.environ | {
        "HOME": str(home),
        "PYTHONPATH": str(ROOT),
        "DO_NOT_TRACK": "1",
        "NO_PROXY": "127.0.0.1",
    }


def _quietly(*command: str) -> None:
    subprocess.run(command, check=True, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)

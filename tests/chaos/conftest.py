"""A sandbox in a process of its own, a road to it, and a tally of what crashes cost."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from connector.sandbox import SandboxProcess, Settings, spawn
from tests.support.far import renew
from tests.support.road import Road

_tally: Counter[str] = Counter()


@pytest.fixture(scope="session")
def tally() -> Counter[str]:
    """Counts that are shown at the end of the run."""
    return _tally


def pytest_terminal_summary(terminalreporter: Any) -> None:
    if _tally:
        counted = ", ".join(f"{name} {count:,}" for name, count in sorted(_tally.items()))
        terminalreporter.write_line(f"chaos: {counted}")


@pytest.fixture(scope="session")
def _far() -> Iterator[SandboxProcess]:
    with spawn(Settings(hang_seconds=3)) as sandbox:
        yield sandbox


@pytest.fixture
def far(_far: SandboxProcess) -> SandboxProcess:
    """The API, as good as new."""
    renew(_far)
    return _far


@pytest.fixture
def road(tmp_path: Path, far: SandboxProcess) -> Road:
    """The three mappings of `tests.support.road`, over empty tables."""
    return Road(tmp_path, far)


@pytest.fixture
def building(tmp_path: Path, far: SandboxProcess) -> Callable[..., Road]:
    """A road with mappings and settings of one's own."""
    return lambda **settings: Road(tmp_path, far, **settings)

"""The shop that the commands are tried on."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from connector.sandbox import Sandbox
from tests.support.shop import Shop


@pytest.fixture
def shop(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Iterator[Shop]:
    monkeypatch.chdir(tmp_path)
    for name in ("CONNECTOR_PROJECT", "CONNECTOR_TARGET"):
        monkeypatch.delenv(name, raising=False)
    with Sandbox() as sandbox:
        yield Shop(tmp_path, sandbox, capsys)

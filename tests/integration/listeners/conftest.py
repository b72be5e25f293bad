"""A road whose runs are listened to."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from connector.sandbox import Sandbox
from tests.support.road import CLICKS, USERS, Road


@pytest.fixture
def far() -> Iterator[Sandbox]:
    with Sandbox() as sandbox:
        yield sandbox


@pytest.fixture
def road(tmp_path: Path, far: Sandbox) -> Road:
    road = Road(tmp_path, far, mappings={"users": USERS, "clicks": CLICKS})
    road.write(
        "insert into users select 'u' || n, 'no', 'gold', n, null, null, false, false, true "
        "from range(20) as t(n)",
        "insert into clicks select 'c' || n, 'u' || n, 'sku', timestamp '2026-03-01' "
        "from range(30) as t(n)",
    )
    return road


@pytest.fixture
def listened(road: Road) -> Callable[[str], Road]:
    def add(yaml: str) -> Road:
        file = road.folder / "mappings" / "project.yaml"
        road.configure()
        file.write_text(file.read_text() + yaml)
        return road

    return add

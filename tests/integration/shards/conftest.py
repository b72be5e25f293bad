"""A road whose mappings are synced in shards."""

from __future__ import annotations

from pathlib import Path

import pytest

from connector.sandbox import Sandbox
from tests.support.far import far, running_sandbox
from tests.support.road import Road

__all__ = ["far", "running_sandbox"]


@pytest.fixture
def road(tmp_path: Path, far: Sandbox) -> Road:
    """Users, clicks and orders: 200, 300 and 100 of them."""
    road = Road(tmp_path, far)
    road.write(
        "insert into users (user_id, country, tier, orders) "
        "select 'u' || i, 'de', 'gold', i from range(200) as t(i)",
        "insert into clicks select 'c' || i, 'u' || i % 200, 's', "
        "timestamp '2026-03-01' + i * interval 1 hour from range(300) as t(i)",
        "insert into orders select 'o' || i, 'u' || i, i / 4, timestamp '2026-03-01' "
        "from range(100) as t(i)",
    )
    return road

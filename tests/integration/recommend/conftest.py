"""A sandbox, a project that asks it, and databases to write to."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from connector.sandbox import Sandbox
from tests.support.asking import Asking
from tests.support.far import far, running_sandbox
from tests.support.postgres import postgres_server
from tests.support.snowflake import snowflake_server

__all__ = ["far", "postgres_server", "running_sandbox", "snowflake_server"]


@pytest.fixture
def building(tmp_path: Path, far: Sandbox) -> Callable[..., Asking]:
    """A project with settings of one's own."""
    return lambda **settings: Asking(tmp_path, far, **settings)


@pytest.fixture
def asking(tmp_path: Path, far: Sandbox) -> Asking:
    """20 users with 8 candidates each, of which 5 are wanted."""
    return Asking(tmp_path, far)

"""A sandbox, a project that asks it, and databases to write to."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from connector.sandbox import Sandbox
from tests.support.asking import Asking
from tests.support.postgres import postgres_server
from tests.support.snowflake import snowflake_server

__all__ = ["postgres_server", "snowflake_server"]


@pytest.fixture(scope="session")
def _far() -> Iterator[Sandbox]:
    with Sandbox() as sandbox:
        yield sandbox


@pytest.fixture
def far(_far: Sandbox) -> Sandbox:
    """The API, as good as new."""
    _far.set_faults({})
    _far.set_quota()
    _far.set_poison([])
    _far.reset()
    return _far


@pytest.fixture
def building(tmp_path: Path, far: Sandbox) -> Callable[..., Asking]:
    """A project with settings of one's own."""
    return lambda **settings: Asking(tmp_path, far, **settings)


@pytest.fixture
def asking(tmp_path: Path, far: Sandbox) -> Asking:
    """20 users with 8 candidates each, of which 5 are wanted."""
    return Asking(tmp_path, far)

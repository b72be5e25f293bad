"""Fixtures: a real PostgreSQL, and the API."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from connector.sandbox import Handle, Sandbox
from tests.support.postgres import postgres_server  # noqa: F401
from tests.support.snowflake import snowflake_server  # noqa: F401

__all__ = ["Handle"]


@pytest.fixture
def far() -> Iterator[Handle]:
    with Sandbox() as handle:
        yield handle

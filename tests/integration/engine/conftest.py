"""Fixtures: real databases, the API, and a project whose warehouse compares."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from connector.sandbox import Sandbox
from tests.support.far import far, running_sandbox
from tests.support.postgres import Postgres, postgres_server
from tests.support.snowflake import snowflake_server
from tests.support.stand import SCHEMA, Stand

__all__ = ["far", "postgres_server", "running_sandbox", "snowflake_server"]


@pytest.fixture
def stand(tmp_path: Path, far: Sandbox, postgres_server: Postgres) -> Iterator[Stand]:
    database = postgres_server.database()
    postgres_server.run(database, *SCHEMA)
    stand = Stand(tmp_path, postgres_server, database, far, "warehouse")
    yield stand
    stand.close()

from collections.abc import Iterator

import pytest

from connector.source.base import Source
from tests.support.postgres import Postgres, postgres_server
from tests.support.snowflake import Snowflake, snowflake_server
from tests.support.sources import open_snowflake, open_url

__all__ = ["postgres_server", "snowflake_server"]


@pytest.fixture(scope="module")
def database(postgres_server: Postgres) -> str:
    """An empty database of PostgreSQL, for the tests of one file."""
    return postgres_server.database()


@pytest.fixture
def postgres(postgres_server: Postgres, database: str) -> Iterator[Source]:
    """A source that reads it."""
    source = open_url(postgres_server.url(database))
    yield source
    source.close()


@pytest.fixture(scope="module")
def account(snowflake_server: Snowflake) -> str:
    """An empty database of Snowflake, for the tests of one file."""
    return snowflake_server.database()


@pytest.fixture
def snowflake(snowflake_server: Snowflake, account: str) -> Iterator[Source]:
    """A source that reads it."""
    source = open_snowflake(snowflake_server.url, account)
    yield source
    source.close()

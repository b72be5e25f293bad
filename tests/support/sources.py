"""Sources opened by tests, and what they yield as DuckDB sees it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import duckdb
from pydantic import SecretStr

from connector.errors import Place
from connector.source.base import Relation, Source
from connector.source.open import open_source
from connector.source.settings import SnowflakeSettings, SQLAlchemySettings

PLACE = Place(Path("project.yaml"), 2, 3)


def open_url(url: str, folder: Path = Path(), **settings: Any) -> Source:
    """A source of `type: sqlalchemy` named `warehouse`."""
    return open_source(SQLAlchemySettings("warehouse", PLACE, SecretStr(url), folder, **settings))


def open_snowflake(url: str, database: str, **settings: Any) -> Source:
    """A source of `type: snowflake` named `warehouse`; it signs in with a password or as told."""
    ways = {"password": SecretStr("made-up")}
    if settings.keys() & {"password", "private_key_file", "token", "connection"}:
        ways = {}
    given = {
        "account": "tests", "user": "tests", "url": url,
        "database": database, "schema": "analytics",
    }  # fmt: skip
    return open_source(SnowflakeSettings("warehouse", PLACE, **given | ways | settings))


def read(source: Source, **relation: Any) -> duckdb.DuckDBPyConnection:
    """A DuckDB with the rows of a relation as its table `rows`.

    That what is read has the schema that was announced is checked on the way.
    """
    wanted = Relation(**relation)
    announced = source.schema(wanted)
    connection = duckdb.connect(config={"arrow_lossless_conversion": True})
    connection.execute("SET TimeZone = 'UTC'")
    with source.read(wanted) as reader:
        assert reader.schema == announced
        connection.register("incoming", reader)
        connection.execute("CREATE TABLE rows AS FROM incoming")
        connection.unregister("incoming")
    return connection


def types(source: Source, **relation: Any) -> dict[str, str]:
    """The DuckDB type of every column, by name."""
    with read(source, **relation) as connection:
        rows = connection.execute("SELECT column_name, column_type FROM (DESCRIBE rows)")
        return dict(rows.fetchall())


def rows(source: Source, show: str = "*", **relation: Any) -> list[tuple[Any, ...]]:
    """The rows, in the order in which they came; `show` is what to see of them, as DuckDB SQL."""
    with read(source, **relation) as connection:
        return connection.sql("FROM rows").project(show).fetchall()

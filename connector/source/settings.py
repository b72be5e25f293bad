"""What the project says of each source: one frozen set of settings per kind of warehouse."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from pydantic import SecretStr

from connector.errors import Place


@dataclass(frozen=True, slots=True)
class DuckDBSettings:
    """`{type: duckdb, path: data/warehouse.duckdb}`; opened read-only."""

    name: str
    place: Place
    path: Path
    timezone: str = "UTC"


@dataclass(frozen=True, slots=True)
class CsvOptions:
    """How CSV files of a files source are written; None is found out by reading."""

    delimiter: str | None = None
    quote: str | None = None
    header: bool | None = None
    null: str | None = None
    date_format: str | None = None
    timestamp_format: str | None = None
    all_text: bool = False


@dataclass(frozen=True, slots=True)
class FilesSettings:
    """`{type: files, path: data/}`: CSV, JSON and Parquet files below one folder, as tables.

    A path that is text is a URL, for fsspec to reach.
    """

    name: str
    place: Place
    path: Path | str
    encoding: str = "utf-8"
    csv: CsvOptions = CsvOptions()
    timezone: str = "UTC"
    scratch: Path | None = None
    """A folder for copies that last as long as the source is open; the system's own if None."""


@dataclass(frozen=True, slots=True)
class SQLAlchemySettings:
    """`{type: sqlalchemy, url: …}`: PostgreSQL, and every database with a dialect for SQLAlchemy.

    `schema` is where tables without one are looked for; the file of a SQLite URL is relative to
    `folder`.
    """

    name: str
    place: Place
    url: SecretStr
    folder: Path
    schema: str | None = None
    timezone: str = "UTC"


@dataclass(frozen=True, slots=True)
class SnowflakeSettings:
    """`{type: snowflake, account: …}`, or a `connection:` by its name in connections.toml.

    What is None is left to the named connection, or to what the account has as default. `url` is
    for accounts that answer elsewhere than at their usual address.
    """

    name: str
    place: Place
    connection: str | None = None
    account: str | None = None
    user: str | None = None
    password: SecretStr | None = None
    private_key_file: Path | None = None
    private_key_passphrase: SecretStr | None = None
    token: SecretStr | None = None
    authenticator: str | None = None
    role: str | None = None
    warehouse: str | None = None
    database: str | None = None
    schema: str | None = None
    url: str | None = None
    session_parameters: Mapping[str, str | int | bool] = field(default_factory=dict)
    timezone: str = "UTC"


SourceSettings = DuckDBSettings | FilesSettings | SQLAlchemySettings | SnowflakeSettings

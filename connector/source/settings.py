"""What the project says of each source: one frozen set of settings per kind of warehouse."""

from __future__ import annotations

from dataclasses import dataclass
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
    """`{type: files, path: data/}`: CSV, JSON and Parquet files below one folder, as tables."""

    name: str
    place: Place
    path: Path
    encoding: str = "utf-8"
    csv: CsvOptions = CsvOptions()
    timezone: str = "UTC"


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


SourceSettings = DuckDBSettings | FilesSettings | SQLAlchemySettings

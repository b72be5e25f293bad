"""The sources of `project.yaml` as pydantic models.

A new kind of source is a class here with its `type`, its keys and `settings()`, and a place in
`AnySource`.
"""

from __future__ import annotations

import os
import zoneinfo
from pathlib import Path
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, SecretStr, model_validator

from connector.errors import Place
from connector.mapping.models import Scalar, Strict, Text
from connector.mapping.validation import complaint
from connector.source.settings import (
    CsvOptions,
    DuckDBSettings,
    FilesSettings,
    SnowflakeSettings,
    SourceSettings,
    SQLAlchemySettings,
)
from connector.webaddress import check_base_url


def _timezone(name: str) -> str:
    try:
        zoneinfo.ZoneInfo(name)
    except (zoneinfo.ZoneInfoNotFoundError, ValueError, OSError):
        raise complaint("this is no time zone", "name one as Europe/Paris or UTC") from None
    return name


def _encoding(name: str) -> str:
    try:
        "".encode(name)
    except (LookupError, ValueError):
        raise complaint("this is no text encoding", "for example utf-8 or latin-1") from None
    return name


def _inside(root: Path, path: str) -> Path:
    """A path as it is written, relative to the root unless absolute."""
    return Path(os.path.normpath(root / Path(path).expanduser()))


Timezone = Annotated[str, AfterValidator(_timezone)]
Secret = Annotated[SecretStr, Field(min_length=1)]


class DuckDBSource(Strict):
    """A DuckDB database file, opened read-only."""

    type: Literal["duckdb"] = Field(description="A DuckDB database file.")
    path: Text = Field(description="The file, relative to the folder that holds the project's.")
    timezone: Timezone = Field(default="UTC", description="The zone of timestamps without one.")

    def settings(self, name: str, place: Place, root: Path) -> SourceSettings:
        """What the source package works with."""
        return DuckDBSettings(name, place, _inside(root, self.path), self.timezone)


class CsvRule(Strict):
    """How CSV files are written; what is left out is found out by reading."""

    delimiter: str | None = Field(default=None, min_length=1, max_length=4, description="As ';'.")
    quote: str | None = Field(default=None, max_length=1, description="The quote character.")
    header: Scalar[bool] | None = Field(default=None, description="Whether line 1 names columns.")
    null: str | None = Field(default=None, description="The text that stands for null.")
    date_format: Text | None = Field(default=None, description="As %d.%m.%Y.")
    timestamp_format: Text | None = Field(default=None, description="As %d.%m.%Y %H:%M:%S.")
    all_text: Scalar[bool] = Field(default=False, description="Read every column as text.")


class FilesSource(Strict):
    """CSV, JSON and Parquet files below one folder, as tables."""

    type: Literal["files"] = Field(description="CSV, JSON and Parquet files below a folder.")
    path: Text = Field(
        description="The folder, relative to the one that holds the project's; or a URL such as "
        "s3://bucket/folder, where fsspec and its package for it are installed."
    )
    encoding: Annotated[str, AfterValidator(_encoding)] = Field(
        default="utf-8", description="The encoding of CSV files."
    )
    csv: CsvRule = Field(default_factory=CsvRule, description="How CSV files are written.")
    timezone: Timezone = Field(default="UTC", description="The zone of timestamps without one.")

    def settings(self, name: str, place: Place, root: Path) -> SourceSettings:
        """What the source package works with."""
        csv = CsvOptions(**self.csv.model_dump())
        path = self.path if "://" in self.path else _inside(root, self.path)
        return FilesSettings(name, place, path, self.encoding, csv, self.timezone)


class SQLAlchemySource(Strict):
    """PostgreSQL, and every other database with a dialect for SQLAlchemy."""

    type: Literal["sqlalchemy"] = Field(description="A database behind a SQLAlchemy URL.")
    url: Secret = Field(
        description='dialect://user:password@host/database, best as a variable: "${WAREHOUSE_URL}".'
    )
    schema_: Text | None = Field(
        default=None, alias="schema", description="Where tables without a schema are looked for."
    )
    timezone: Timezone = Field(default="UTC", description="The zone of timestamps without one.")

    def settings(self, name: str, place: Place, root: Path) -> SourceSettings:
        """What the source package works with."""
        return SQLAlchemySettings(name, place, self.url, root, self.schema_, self.timezone)


class SnowflakeSource(Strict):
    """A Snowflake account: by its keys here, or by a connection of connections.toml."""

    type: Literal["snowflake"] = Field(description="A Snowflake account.")
    connection: Text | None = Field(
        default=None, description="A connection of connections.toml; keys here go before its own."
    )
    account: Text | None = Field(default=None, description="The account, as org-account.")
    user: Text | None = Field(default=None, description="Who signs in.")
    password: Secret | None = Field(default=None, description="Sign in with a password.")
    private_key_file: Text | None = Field(
        default=None,
        description="Sign in with a key pair: the private key, relative to the folder that holds "
        "the project's.",
    )
    private_key_passphrase: Secret | None = Field(
        default=None, description="The passphrase of the private key."
    )
    token: Secret | None = Field(default=None, description="Sign in with an OAuth token.")
    authenticator: Text | None = Field(
        default=None,
        description="externalbrowser, or another way to sign in; found out for the keys above.",
    )
    role: Text | None = Field(default=None, description="The role to read with.")
    warehouse: Text | None = Field(default=None, description="The warehouse that does the work.")
    database: Text | None = Field(default=None, description="Where tables are looked for.")
    schema_: Text | None = Field(
        default=None, alias="schema", description="Where tables without a schema are looked for."
    )
    url: Annotated[str, AfterValidator(check_base_url)] | None = Field(
        default=None, description="Where the account answers, if not at its usual address."
    )
    session_parameters: dict[str, str | int | bool] = Field(
        default_factory=dict, description="Parameters of the session, as STATEMENT_TIMEOUT_IN_…."
    )
    timezone: Timezone = Field(default="UTC", description="The zone of timestamps without one.")

    @model_validator(mode="after")
    def _signs_in(self) -> SnowflakeSource:
        ways = ("password", "private_key_file", "token")
        given = [way for way in ways if getattr(self, way) is not None]
        if len(given) > 1:
            raise complaint(f"one way to sign in, not `{given[0]}` and `{given[1]}`")
        if self.private_key_passphrase is not None and given != ["private_key_file"]:
            raise complaint("`private_key_passphrase` is for a `private_key_file`")
        if self.connection is not None:
            return self
        if self.account is None:
            raise complaint("which account?", "give `account:`, or a `connection:` by its name")
        if not given and self.authenticator is None:
            raise complaint(
                "no way to sign in",
                "give `password`, `private_key_file`, `token` or `authenticator: externalbrowser`",
            )
        return self

    def settings(self, name: str, place: Place, root: Path) -> SourceSettings:
        """What the source package works with."""
        given = self.model_dump(exclude={"type", "schema_", "private_key_file"})
        key = self.private_key_file
        return SnowflakeSettings(
            name=name,
            place=place,
            schema=self.schema_,
            private_key_file=_inside(root, key) if key else None,
            **given,
        )


AnySource = Annotated[
    DuckDBSource | FilesSource | SQLAlchemySource | SnowflakeSource, Field(discriminator="type")
]

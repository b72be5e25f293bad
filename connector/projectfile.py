"""`project.yaml` as pydantic models: sources, targets, state and defaults.

A new kind of source is a class here with its `type`, its keys and `settings()`, and a place in
`AnySource`.
"""

from __future__ import annotations

import os
import zoneinfo
from datetime import timedelta
from ipaddress import ip_address
from pathlib import Path
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

from pydantic import AfterValidator, BeforeValidator, Field, SecretStr, model_validator

from connector.destination.target import Auth, RateLimit, Target
from connector.errors import Place
from connector.listeners.settings import Alert, Event, SyncLog
from connector.mapping.load import Defaults, merge_guards
from connector.mapping.mapping import Guards, OnInvalid
from connector.mapping.models import (
    Choice,
    Duration,
    GuardsRule,
    Scalar,
    Strict,
    Text,
    parse_duration,
)
from connector.mapping.schema import model_schema
from connector.mapping.validation import complaint
from connector.mapping.variables import Expanded
from connector.mapping.yamlfile import plain_scalar
from connector.source.settings import (
    CsvOptions,
    DuckDBSettings,
    FilesSettings,
    SnowflakeSettings,
    SourceSettings,
    SQLAlchemySettings,
)


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


def _seconds(value: Any) -> Any:
    """Seconds as a number, or a duration such as `30s`."""
    number = plain_scalar(value) if isinstance(value, Expanded) else value
    if isinstance(number, str):
        return parse_duration(number).total_seconds()
    return number.total_seconds() if isinstance(number, timedelta) else number


def _inside(root: Path, path: str) -> Path:
    """A path as it is written, relative to the root unless absolute."""
    return Path(os.path.normpath(root / Path(path).expanduser()))


Seconds = Annotated[float, Field(gt=0, le=86_400)]
Timezone = Annotated[str, AfterValidator(_timezone)]
SecondsEntry = Annotated[Seconds, BeforeValidator(_seconds, json_schema_input_type=float | str)]


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


def _base_url(url: str) -> str:
    """Nothing of the address is in the messages: it may hold a password where it should not."""
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname or "", parts.port
    except ValueError:
        raise complaint("this is no web address") from None
    if parts.scheme not in ("http", "https") or not host or any(c.isspace() for c in url):
        raise complaint("this is no web address", "write https://host/path")
    if parts.username is not None or parts.password is not None:
        raise complaint("credentials do not belong into an address", "use `api_key:`")
    if "?" in url or "#" in url:
        raise complaint("an address to append to has neither query nor fragment")
    if parts.scheme == "http" and not _is_loopback(host):
        raise complaint("the address must be https", "plain http is for this machine only")
    return url.rstrip("/")


def _is_loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost" or host.endswith(".localhost")


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
    url: Annotated[str, AfterValidator(_base_url)] | None = Field(
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


def _proxy(value: SecretStr) -> SecretStr:
    try:
        parts = urlsplit(value.get_secret_value())
        usable = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        usable = False
    if not usable:
        raise complaint("this is no proxy address", "write http://host:port")
    return value


def _api_key(value: SecretStr) -> SecretStr:
    key = value.get_secret_value()
    if not key.isascii() or not key.isprintable() or key != key.strip():
        raise complaint("the key holds characters that no key has", "is it copied whole?")
    return value


class RateLimitRule(Strict):
    """The quota of the account."""

    requests_per_second: Scalar[Annotated[float, Field(gt=0, le=100_000)]] = Field(
        description="Never exceeded, used to the full."
    )
    burst: Scalar[Annotated[int, Field(ge=1, le=100_000)]] = Field(
        default=1, description="How many requests may go at once after a pause."
    )


class TargetRule(Strict):
    """Where rows are delivered to, and within which limits."""

    base_url: Annotated[str, AfterValidator(_base_url)] = Field(
        description="https, unless it is this machine; ends in the version, as /v1."
    )
    api_key: Annotated[SecretStr, Field(min_length=1), AfterValidator(_api_key)] = Field(
        description='The key, best as a variable: "${SEQUEN_API_KEY}".'
    )
    auth: Choice[Auth] = Field(
        default=Auth.BEARER, description="Authorization: Bearer, or X-API-Key for old accounts."
    )
    rate_limit: RateLimitRule | None = Field(default=None, description="The quota, if known.")
    max_in_flight: Scalar[Annotated[int, Field(ge=1, le=1024)]] = Field(
        default=64, description="The most requests under way at one time."
    )
    events_per_request: Scalar[Annotated[int, Field(ge=1, le=100_000)]] = Field(
        default=500, description="The most events in one request."
    )
    bytes_per_request: Scalar[Annotated[int, Field(ge=1_000, le=100_000_000)]] = Field(
        default=1_000_000, description="The most bytes in one request of several events."
    )
    connect_timeout: SecondsEntry = Field(default=10.0, description="Seconds, or as 10s.")
    timeout: SecondsEntry = Field(default=30.0, description="Seconds a request may take.")
    proxy: Annotated[SecretStr, AfterValidator(_proxy)] | None = Field(
        default=None, description="A proxy; never taken from the environment's own variables."
    )
    max_wait: SecondsEntry = Field(
        default=300.0, description="The longest Retry-After that is waited for."
    )
    give_up_after: SecondsEntry = Field(
        default=60.0, description="How long the API may fail without a single success."
    )

    def target(self, name: str) -> Target:
        """What the destination package works with."""
        limit = self.rate_limit
        return Target(
            name=name,
            rate_limit=RateLimit(limit.requests_per_second, limit.burst) if limit else None,
            **{key: getattr(self, key) for key in TargetRule.model_fields if key != "rate_limit"},
        )


class StateRule(Strict):
    """Where the state lives."""

    path: Text = Field(default=".connector", description="The folder of the state.")
    control_url: Annotated[SecretStr, Field(min_length=1)] | None = Field(
        default=None, description="Any SQLAlchemy URL, for a fleet; SQLite in the folder otherwise."
    )


class DefaultDeletesRule(Strict):
    """What holds for the deletes of every users mapping."""

    guards: GuardsRule = Field(default_factory=GuardsRule, description="Limits; null is none.")


class DefaultsRule(Strict):
    """What holds for every mapping that does not say otherwise."""

    on_invalid: Choice[OnInvalid] = Field(
        default=OnInvalid.REJECT, description="reject the row, or drop_field."
    )
    max_reject_percent: Scalar[Annotated[float, Field(ge=0, le=100)]] = Field(
        default=1.0, description="More rejected rows than this make a run fail (exit code 3)."
    )
    deletes: DefaultDeletesRule = Field(
        default_factory=DefaultDeletesRule, description="For the deletes of users mappings."
    )

    def defaults(self) -> Defaults:
        """What mappings are loaded with."""
        guards = merge_guards(self.deletes.guards, Guards())
        return Defaults(self.on_invalid, self.max_reject_percent, guards)


class SyncLogRule(Strict):
    """Runs, their outcomes and rejects as tables of a source; written by every sync."""

    source: Text = Field(description="The source to write to: a database.")
    schema_: Text | None = Field(
        default=None, alias="schema", description="The schema of the tables; made where missing."
    )

    def sync_log(self) -> SyncLog:
        """What the listeners work with."""
        return SyncLog(self.source, self.schema_)


def _webhook(value: SecretStr) -> SecretStr:
    """The whole address is a secret: whoever knows it may post."""
    try:
        parts = urlsplit(value.get_secret_value())
        host, _ = parts.hostname or "", parts.port
    except ValueError:
        raise complaint("this is no web address") from None
    if parts.scheme not in ("http", "https") or not host:
        raise complaint("this is no web address", "write https://host/path")
    if parts.scheme == "http" and not _is_loopback(host):
        raise complaint("the address must be https", "plain http is for this machine only")
    return value


def _template(value: Any) -> Any:
    """A mapping of templates, as far as their syntax goes."""
    from jinja2 import TemplateSyntaxError
    from jinja2.sandbox import SandboxedEnvironment

    pending = [value]
    while pending:
        part = pending.pop()
        if isinstance(part, dict):
            pending += part.values()
        elif isinstance(part, list):
            pending += part
        elif isinstance(part, str):
            try:
                SandboxedEnvironment().parse(part)
            except TemplateSyntaxError as error:
                raise complaint(f"this is no template: {error.message}") from None
    return value


class AlertRule(Strict):
    """Post to a webhook when something happens to a mapping."""

    webhook: Annotated[Secret, AfterValidator(_webhook)] = Field(
        description='Where to post, best as a variable: "${ALERT_URL}"; https, unless it is here.'
    )
    on: list[Choice[Event]] = Field(
        default=list(Event), min_length=1, description="Which events; left out: all of them."
    )
    template: Annotated[dict[str, Any], BeforeValidator(_template)] | None = Field(
        default=None, description="The payload; its texts are Jinja: {text: '{{ text }}'}."
    )
    timeout: SecondsEntry = Field(default=10.0, description="Seconds, or as 10s.")
    repeat: Duration = Field(
        default=timedelta(0),
        description="Trouble that goes on is posted once in so long; left out: with every run.",
    )

    def alert(self) -> Alert:
        """What the listeners work with."""
        return Alert(self.webhook, frozenset(self.on), self.template, self.timeout, self.repeat)


class ProjectFile(Strict):
    """project.yaml: the sources, targets and defaults of a project."""

    version: Scalar[Literal[1]] = Field(default=1, description="The version of this format.")
    sources: dict[str, AnySource] = Field(description="Where rows come from, by name.")
    default_target: Text | None = Field(
        default=None, description="The target when none is named; needed where there are several."
    )
    targets: dict[str, TargetRule] = Field(description="Where rows go, by name.")
    state: StateRule = Field(default_factory=StateRule, description="Where the state lives.")
    defaults: DefaultsRule = Field(
        default_factory=DefaultsRule, description="For mappings that do not say otherwise."
    )
    sync_log: SyncLogRule | None = Field(
        default=None, description="Keep a log of runs in the warehouse."
    )
    alerts: list[AlertRule] = Field(
        default_factory=list, description="Webhooks to post to when a run needs attention."
    )


class AlertsPart(Strict):
    """The alerts of project.yaml alone: their variables are asked for when one may be posted."""

    alerts: list[AlertRule]


class SourcesPart(Strict):
    """The sources of project.yaml alone: one of them is read when it is asked for."""

    sources: dict[str, AnySource]


class TargetsPart(Strict):
    """The targets of project.yaml alone: one of them is read when it is asked for."""

    targets: dict[str, TargetRule]


def project_schema() -> dict[str, Any]:
    """The JSON Schema (draft 2020-12) of project.yaml."""
    return model_schema(ProjectFile, "A project")

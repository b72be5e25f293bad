"""`project.yaml` as pydantic models: targets, state, defaults; sources are in `projectsources`."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator, Field, SecretStr

from connector.destination.target import Auth, RateLimit, Target
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
from connector.projectsources import AnySource, Secret
from connector.webaddress import check_base_url, check_proxy, check_webhook


def _seconds(value: Any) -> Any:
    """Seconds as a number, or a duration such as `30s`."""
    number = plain_scalar(value) if isinstance(value, Expanded) else value
    if isinstance(number, str):
        return parse_duration(number).total_seconds()
    return number.total_seconds() if isinstance(number, timedelta) else number


Seconds = Annotated[float, Field(gt=0, le=86_400)]
SecondsEntry = Annotated[Seconds, BeforeValidator(_seconds, json_schema_input_type=float | str)]


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

    base_url: Annotated[str, AfterValidator(check_base_url)] = Field(
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
    proxy: Annotated[SecretStr, AfterValidator(check_proxy)] | None = Field(
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

    webhook: Annotated[Secret, AfterValidator(check_webhook)] = Field(
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

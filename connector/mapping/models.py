"""The mapping files as pydantic models: every key there is, what it may hold, and what it means.

Strict: nothing is converted in silence, and an unknown key is an error. What needs more than one
key to judge is in `checks`.
"""

from __future__ import annotations

import math
import re
from datetime import timedelta
from typing import Annotated, Any, Literal, TypeVar

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from connector.mapping.mapping import Missing, OnInvalid, Pii, WithoutConsent
from connector.mapping.rules import MAX_EXACT_INTEGER, MAX_STRING_BYTES, FieldType, Kind
from connector.mapping.validation import closest, complaint
from connector.mapping.variables import Expanded
from connector.mapping.yamlfile import Opaque, plain_scalar


class Strict(BaseModel):
    """Base of every part of a YAML file."""

    model_config = ConfigDict(strict=True, extra="forbid", frozen=True, hide_input_in_errors=True)


def _from_variable(value: Any) -> Any:
    return plain_scalar(value) if isinstance(value, Expanded) else value


Value = TypeVar("Value")
Scalar = Annotated[Value, BeforeValidator(_from_variable)]
"""A number or a boolean: written as one, or the text of a variable that reads as one."""

Choice = Annotated[Value, Field(strict=False)]
"""A member of an enumeration, by its value."""

Count = Scalar[Annotated[int, Field(ge=0)]]
Text = Annotated[str, Field(min_length=1, pattern=r"\S")]

_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400, "w": 604800}
_DURATION = re.compile(
    r"\s*(\d{1,9}(?:\.\d{1,6})?)\s*"
    r"(s|sec|secs|second|seconds|m|min|mins|minute|minutes|h|hour|hours|d|day|days|w|week|weeks)\s*"
)


def parse_duration(value: object) -> timedelta:
    """`3 days`, `6h`, `90 minutes`, `30s`; at most ten years."""
    if isinstance(value, timedelta):
        return value
    match = _DURATION.fullmatch(value) if isinstance(value, str) else None
    seconds = float(match[1]) * _UNITS[match[2][0]] if match else math.inf
    if seconds > 3650 * 86400:
        raise complaint("this is no duration", "write one as 30s, 90 minutes, 6h or 3 days")
    return timedelta(seconds=seconds)


Duration = Annotated[timedelta, BeforeValidator(parse_duration, json_schema_input_type=str)]

ConstantValue = str | int | float | bool | list[str]


def _constant(value: Any) -> Any:
    if isinstance(value, bool):
        return value
    if isinstance(value, int) and abs(value) > MAX_EXACT_INTEGER:
        raise complaint(
            "this number cannot be sent exactly: it is beyond 2^53", "put it in quotes, as text"
        )
    if isinstance(value, (int, float)):
        return value
    if isinstance(value, str):
        if len(value.encode()) > MAX_STRING_BYTES:
            raise complaint(f"this text is longer than {MAX_STRING_BYTES // 1024} KB")
        return str(value)
    if isinstance(value, list) and all(isinstance(item, str) for item in value):
        return [str(item) for item in value]
    raise complaint(
        "a constant is text, a number, true, false, or a list of texts",
        "anything else is an `expr:`",
    )


_OTHER_WORDS = {
    FieldType.STRING: ("text", "varchar", "str", "char", "uuid"),
    FieldType.NUMBER: ("integer", "int", "bigint", "float", "double", "decimal", "numeric"),
    FieldType.BOOLEAN: ("bool",),
    FieldType.STRINGS: ("array", "list", "strings", "string[]", "varchar[]", "list<string>"),
    FieldType.TIME: ("timestamp", "datetime", "date", "timestamptz"),
    FieldType.EMBEDDING: ("vector", "array<number>", "float[]", "double[]"),
    FieldType.OBJECT: ("json", "struct", "map", "dict"),
}
_MEANT = {word: field_type for field_type, words in _OTHER_WORDS.items() for word in words}


def _field_type(value: Any) -> Any:
    if isinstance(value, str) and (meant := _MEANT.get(value.lower())):
        raise complaint("this is no field type of the platform", f"write '{meant}'")
    return value


class FieldRule(Strict):
    """One field: a DuckDB expression over the source's columns, or a constant."""

    expr: Text | None = Field(
        default=None, description="A DuckDB expression over the source's columns."
    )
    value: Annotated[
        Any, BeforeValidator(_constant, json_schema_input_type=ConstantValue)
    ] = Field(default=None, description="A constant: the same value for every row.")  # fmt: skip
    type: Annotated[Choice[FieldType], BeforeValidator(_field_type)] | None = Field(
        default=None,
        description="The platform's field type; found out from the column when left out.",
    )
    pii: Choice[Pii] | None = Field(
        default=None, description="What to do with direct personal data: hash, redact, or allow it."
    )
    on_invalid: Choice[OnInvalid] | None = Field(
        default=None, description="When the value breaks a rule: reject the row, or drop the field."
    )

    @model_validator(mode="after")
    def _one_of_both(self) -> FieldRule:
        if (self.expr is None) == (self.value is None):
            raise complaint(
                "a field has either `expr:` (a DuckDB expression) or `value:` (a constant)"
            )
        return self


def _field(value: Any) -> Any:
    """The short form: the expression alone."""
    if isinstance(value, bool):
        return {"expr": str(value).lower()}
    if isinstance(value, (str, int, float)):
        return {"expr": value if isinstance(value, str) else str(value)}
    if isinstance(value, list) or (value and isinstance(value, dict) and _is_struct(value)):
        raise complaint(
            "a field is a DuckDB expression, or {expr: …, type: …}",
            "put an expression that begins with a bracket in quotes",
        )
    return value


def _is_struct(value: dict[str, Any]) -> bool:
    """Whether a DuckDB struct without quotes around it was read as YAML."""
    return not any(closest(key, FieldRule.model_fields) for key in value)


FieldEntry = Annotated[
    FieldRule,
    BeforeValidator(_field, json_schema_input_type=str | int | float | bool | FieldRule),
]


class TypeRule(Strict):
    """The type of an event: the same for every row, or an expression."""

    expr: Text | None = Field(default=None, description="A DuckDB expression that yields the type.")
    value: Text | None = Field(default=None, description="The type of every event.")

    @model_validator(mode="after")
    def _one_of_both(self) -> TypeRule:
        if (self.expr is None) == (self.value is None):
            raise complaint("`type:` is the name of a type, or {expr: …} of where to read it")
        return self


def _type(value: Any) -> Any:
    return {"value": value} if isinstance(value, str) else value


TypeEntry = Annotated[TypeRule, BeforeValidator(_type, json_schema_input_type=str | TypeRule)]


class EventTypeRule(Strict):
    """What one event type adds to the shared fields."""

    fields: dict[str, FieldEntry] = Field(
        default_factory=dict, description="Fields of this type only; they win over shared ones."
    )
    filter: Text | None = Field(
        default=None, description="A DuckDB expression: which rows are events of this type."
    )


class ErasuresRule(Strict):
    """A table or query that lists the users to erase."""

    source: Text | None = Field(default=None, description="Left out: the source of the mapping.")
    table: Text | None = Field(default=None, description="The table with one user to erase a row.")
    query: Text | None = Field(default=None, description="A query, in the source's own SQL.")
    key: Text = Field(description="The column with the uid, as the mapping sends it.")


class GuardsRule(Strict):
    """What a sync may delete without being asked; null is no limit."""

    max_delete_fraction: Scalar[Annotated[float, Field(ge=0, le=1)] | None] = Field(
        default=0.15,
        description="The largest part of the known users that one sync may delete, 0 to 1.",
    )
    max_deletes: Count | None = Field(
        default=None, description="The most users that one sync may delete, softly or hard."
    )
    max_erasures: Count | None = Field(
        default=1000, description="The most users that one sync may delete for good."
    )


class DeletesRule(Strict):
    """The only rules that ever delete anything."""

    missing: Choice[Missing] = Field(
        default=Missing.SOFT, description="A user whose row left the source: soft, hard, or keep."
    )
    soft_when: Text | None = Field(
        default=None, description="A DuckDB expression: rows that are deleted softly."
    )
    hard_when: Text | None = Field(
        default=None, description="A DuckDB expression: rows that are deleted for good."
    )
    erasures: ErasuresRule | None = Field(default=None, description="An explicit feed of erasures.")
    guards: GuardsRule = Field(default_factory=GuardsRule, description="Limits; null is none.")


class ConsentRule(Strict):
    """Which users may be sent at all."""

    when: Text = Field(description="A DuckDB expression; null counts as no consent.")
    otherwise: Choice[WithoutConsent] = Field(
        default=WithoutConsent.SKIP,
        description="Users without consent: skip, or delete soft or hard.",
    )


class CoverageRule(Strict):
    """What is asked of the Good/Better/Best report."""

    require: Literal["good", "better", "best"] | None = Field(
        default=None, description="The tier that must be reached."
    )
    min_fill: Scalar[Annotated[float, Field(ge=0, le=1)]] = Field(
        default=0.5, description="The part of rows with a value from which an attribute is covered."
    )
    aliases: dict[str, Text] = Field(
        default_factory=dict, description="The platform's attribute: the field that carries it."
    )


class SnapshotRule(Strict):
    """What the snapshot keeps of each row, besides key and fingerprint."""

    keep: Literal["fingerprint", "payload"] = Field(
        default="fingerprint",
        description="payload: keep what was sent, so that a plan shows which fields changed.",
    )


class WriteToRule(Strict):
    """Where the answers go."""

    table: Text | None = Field(default=None, description="A table of a source.")
    source: Text | None = Field(default=None, description="Left out: the source of the mapping.")
    path: Text | None = Field(
        default=None, description="A Parquet file, or a folder that gets one for each run."
    )


_CRON_FIELD = r"(?:\*|[0-9]{1,2}|[A-Za-z]{3})(?:-(?:[0-9]{1,2}|[A-Za-z]{3}))?(?:/[0-9]{1,2})?"
_CRON = re.compile(
    rf"(?:{_CRON_FIELD}(?:,{_CRON_FIELD})*)(?:\s+{_CRON_FIELD}(?:,{_CRON_FIELD})*){{4}}"
    r"|@(?:hourly|daily|midnight|weekly|monthly|yearly|annually)"
)


def _cron(value: Any) -> Any:
    if isinstance(value, str) and not isinstance(value, Opaque) and not _CRON.fullmatch(value):
        raise complaint(
            "this is no cron schedule", 'write five fields, such as "0 * * * *", or @hourly'
        )
    return value


class MappingFile(Strict):
    """What every mapping file may say."""

    version: Scalar[Literal[1]] = Field(default=1, description="The version of this format.")
    name: Text | None = Field(default=None, description="Left out: the name of the file.")
    description: Text | None = Field(default=None, description="For people.")
    owners: list[Text] = Field(default_factory=list, description="Whom to ask.")
    tags: list[Text] = Field(default_factory=list, description="For --select tag:….")
    schedule: Annotated[str, BeforeValidator(_cron)] | None = Field(
        default=None, description="A cron schedule, read by Dagster."
    )
    source: Text = Field(description="A source of project.yaml.")
    table: Text | None = Field(default=None, description="The table to read; or `query`.")
    query: Text | None = Field(
        default=None, description="A query in the source's own SQL; or `table`."
    )
    where: Text | None = Field(
        default=None, description="Which rows to read, in the source's own SQL; pushed down to it."
    )
    on_invalid: Choice[OnInvalid] | None = Field(
        default=None, description="When a value breaks a rule: reject the row, or drop the field."
    )
    max_reject_percent: Scalar[Annotated[float, Field(ge=0, le=100)]] | None = Field(
        default=None,
        description="More rejected rows than this, in percent, make a run fail (exit code 3).",
    )


class _SentFile(MappingFile):
    engine: Literal["duckdb", "warehouse"] = Field(
        default="duckdb",
        description="Where rows are compared: in DuckDB on this machine, or in the warehouse.",
    )
    coverage: CoverageRule = Field(
        default_factory=CoverageRule, description="The Good/Better/Best report."
    )
    snapshot: SnapshotRule = Field(
        default_factory=SnapshotRule, description="What the snapshot keeps of each row."
    )


class UsersFile(_SentFile):
    """A mapping that keeps user profiles in step with a table."""

    kind: Literal["users"] = Field(description="What this mapping sends.")
    fields: dict[str, FieldEntry] = Field(description="The profile; `uid` is required.")
    deletes: DeletesRule = Field(
        default_factory=DeletesRule, description="The only rules that ever delete anything."
    )
    consent: ConsentRule | None = Field(default=None, description="Which users may be sent at all.")


class EventsFile(_SentFile):
    """A mapping that sends rows as events."""

    kind: Literal["events"] = Field(description="What this mapping sends.")
    type: TypeEntry = Field(description="The event type, or {expr: …} of where to read it.")
    fields: dict[str, FieldEntry] = Field(
        description="The event; original_timestamp and one of uid, sid, cid are required."
    )
    types: dict[str, EventTypeRule] = Field(
        default_factory=dict, description="What single event types add to the shared fields."
    )
    cursor: Text | None = Field(
        default=None, description="A column that only grows: each sync reads new rows only."
    )
    lookback: Duration | None = Field(
        default=None,
        description="How far behind the cursor to read again for late rows: 3 days, 6h.",
    )


class RecommendationsFile(MappingFile):
    """A mapping that asks for recommendations and writes the answers back."""

    kind: Literal["recommendations"] = Field(description="What this mapping asks for.")
    fields: dict[str, FieldEntry] = Field(
        description="user_id and/or session_id; item_ids or items; context."
    )
    model_id: Text | None = Field(default=None, description="The model to ask.")
    model_name: Text | None = Field(default=None, description="The model to ask, for old accounts.")
    limit: Scalar[Annotated[int, Field(ge=1)]] | None = Field(
        default=None, description="The most items in an answer."
    )
    write_to: WriteToRule | None = Field(default=None, description="Where the answers go.")


FILES: dict[Kind, type[UsersFile] | type[EventsFile] | type[RecommendationsFile]] = {
    Kind.USERS: UsersFile,
    Kind.EVENTS: EventsFile,
    Kind.RECOMMENDATIONS: RecommendationsFile,
}
AnyFile = UsersFile | EventsFile | RecommendationsFile

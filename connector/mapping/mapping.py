"""What a mapping says, once read and checked: the plain values the rest of the road works with."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum

from connector.errors import Place
from connector.mapping.rules import FieldType, Kind
from connector.shard import Shard


class OnInvalid(StrEnum):
    """What to do with a value that breaks a rule: refuse the row, or leave the field out."""

    REJECT = "reject"
    DROP_FIELD = "drop_field"


class Pii(StrEnum):
    """What happens to direct personal data in a field."""

    HASH = "hash"
    REDACT = "redact"
    ALLOW = "allow"


class Missing(StrEnum):
    """What to do about a user whose row left the source."""

    SOFT = "soft"
    HARD = "hard"
    KEEP = "keep"


class WithoutConsent(StrEnum):
    """What to do about a user who has not given consent."""

    SKIP = "skip"
    SOFT = "soft"
    HARD = "hard"


@dataclass(frozen=True, slots=True)
class Expression:
    """A DuckDB expression over the source's columns, as written, and where it stands."""

    sql: str
    place: Place


@dataclass(frozen=True, slots=True)
class Constant:
    """The same value for every row: text, a number, a boolean, or a list of texts."""

    value: str | int | float | bool | tuple[str, ...]
    place: Place


@dataclass(frozen=True, slots=True)
class Field:
    """One field of the payload. `place` is the field's name in the YAML."""

    name: str
    value: Expression | Constant
    place: Place
    type: FieldType | None = None
    pii: Pii | None = None
    on_invalid: OnInvalid = OnInvalid.REJECT


@dataclass(frozen=True, slots=True)
class EventType:
    """What one event type of a mapping adds: its own fields over the shared ones, and a filter."""

    name: str
    place: Place
    fields: tuple[Field, ...] = ()
    filter: Expression | None = None


@dataclass(frozen=True, slots=True)
class ErasureFeed:
    """A table or query of a source that lists the users to erase; `key` is its uid column."""

    source: str
    key: str
    place: Place
    table: str | None = None
    query: str | None = None


@dataclass(frozen=True, slots=True)
class Guards:
    """What a sync may delete without being asked; None is no limit."""

    max_delete_fraction: float | None = 0.15
    max_deletes: int | None = None
    max_erasures: int | None = 1000


@dataclass(frozen=True, slots=True)
class Deletes:
    """The only rules that ever delete anything."""

    missing: Missing = Missing.SOFT
    soft_when: Expression | None = None
    hard_when: Expression | None = None
    erasures: ErasureFeed | None = None
    guards: Guards = Guards()


@dataclass(frozen=True, slots=True)
class Consent:
    """Which rows have consent (null is none), and what happens to the others."""

    when: Expression
    otherwise: WithoutConsent = WithoutConsent.SKIP


@dataclass(frozen=True, slots=True)
class Coverage:
    """What a mapping asks of its coverage report."""

    require: str | None = None
    min_fill: float = 0.5
    aliases: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class WriteTo:
    """Where the answers of a recommendations mapping go: a table of a source, or a file."""

    place: Place
    table: str | None = None
    source: str | None = None
    path: str | None = None


@dataclass(frozen=True, slots=True)
class Recommendation:
    """What a recommendations mapping asks for, over its fields."""

    model_id: str | None = None
    model_name: str | None = None
    limit: int | None = None
    write_to: WriteTo | None = None


@dataclass(frozen=True, slots=True)
class Mapping:
    """One mapping file. Exactly one of `table` and `query` is given."""

    name: str
    kind: Kind
    place: Place
    source: str
    fields: tuple[Field, ...]
    table: str | None = None
    query: str | None = None
    where: str | None = None
    read_place: Place | None = None
    """Where `table` or `query` stands: errors about the read point there."""
    event_type: Expression | Constant | None = None
    types: tuple[EventType, ...] = ()
    cursor: str | None = None
    """A column of the source, by name."""
    cursor_place: Place | None = None
    lookback: timedelta = timedelta(0)
    deletes: Deletes = Deletes()
    consent: Consent | None = None
    recommendation: Recommendation | None = None
    coverage: Coverage = Coverage()
    engine: str = "duckdb"
    keep_payload: bool = False
    max_reject_percent: float = 1.0
    schedule: str | None = None
    tags: tuple[str, ...] = ()
    description: str | None = None
    owners: tuple[str, ...] = ()
    shard: Shard | None = None
    """The part of its rows that is meant, and that `name` names; never said in the file."""

"""The compiler: one mapping becomes DuckDB SQL over a table `source` with its source's columns.

Two queries come out of the same chain. The *scan* yields, for every row, its key, fingerprint,
verdict and violation; the *payloads* query yields the JSON of chosen rows only, so that a sync in
which little changed encodes little. Fields are canonical (see `conversion`) before either.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, replace

import pyarrow as pa

from connector.errors import ConfigError, Place, Problem
from connector.mapping import rules
from connector.mapping.bind import Binder, BoundField, bound_fields
from connector.mapping.canonical import INTEGERS, family
from connector.mapping.chain import Chain, Flags
from connector.mapping.fields import TYPE, TypedField, check_key, typed_fields
from connector.mapping.mapping import Constant, Expression, Field, Mapping
from connector.mapping.rules import FieldType, Kind
from connector.sql import identifier

FINGERPRINT_SCHEME = 1
"""Changes when the canonical form of values changes: every row is then compared anew."""

_KEYS = {rules.USER_KEY, rules.EVENT_KEY, *rules.IDENTITIES, "user_id", "session_id"}


@dataclass(frozen=True, slots=True)
class Compiled:
    """A mapping as SQL.

    `columns` are the source's columns to read; `types` the type of each field sent.
    """

    mapping: Mapping
    columns: tuple[str, ...]
    types: dict[str, FieldType]
    chain: Chain
    guarded: Chain
    """The same with every expression inside TRY: one failing row then costs one row."""
    uses_pii_key: bool
    key_column: str | None
    """The source's column that is the key as it stands, where there is one."""
    version: str
    """Changes whenever the mapping would say something else of a row."""

    def preview(self) -> str:
        """One readable query with everything: key, payload, fingerprint, violation."""
        return self.chain.preview()


def compile_mapping(mapping: Mapping, columns: pa.Schema, *, timezone: str = "UTC") -> Compiled:
    """Bind a mapping to its source's columns and compile it.

    Raises:
        ConfigError: with every problem found, each at its place.
    """
    binder = Binder(mapping, columns)
    try:
        return _compile(binder, timezone)
    finally:
        binder.close()


def find_mistakes(mapping: Mapping, columns: pa.Schema) -> list[Problem]:
    """What is wrong with the expressions of a mapping that is not whole, each judged by itself."""
    binder = Binder(mapping, columns)
    try:
        _flags(binder, _bind(binder))
        if mapping.cursor:
            binder.column(mapping.cursor, mapping.cursor_place or mapping.place)
        return list(dict.fromkeys(binder.problems))
    finally:
        binder.close()


def _compile(binder: Binder, timezone: str) -> Compiled:
    mapping = binder.mapping
    bound = _bind(binder)
    for item in bound:
        if item.field.name in _KEYS:
            check_key(binder, item)
    fields = typed_fields(binder, _without_deletion(mapping, bound), timezone)
    flags = _flags(binder, bound)
    cursor = _cursor(binder, mapping.cursor, timezone) if mapping.cursor else None
    if binder.problems:
        raise ConfigError(binder.problems)
    types = {name: field.type for name, field in fields.items()}
    chain = Chain(mapping, fields, flags, cursor, _salt(mapping, types))
    scan = chain.scan()
    return Compiled(
        mapping=mapping,
        columns=binder.used,
        types=types,
        chain=chain,
        guarded=replace(chain, guarded=True),
        uses_pii_key="$pii_inner" in scan,
        key_column=_key_column(chain, binder.used),
        version=hashlib.sha256(scan.encode()).hexdigest()[:16],
    )


def _bind(binder: Binder) -> list[BoundField]:
    mapping = binder.mapping
    bound = list(bound_fields(binder))
    if mapping.event_type is not None:
        field = Field(TYPE, mapping.event_type, mapping.event_type.place)
        event_type = binder.field(field)
        bound += [event_type] if event_type else []
    return bound


def _key_column(chain: Chain, used: tuple[str, ...]) -> str | None:
    if chain.key_field is None:
        return None
    branches = chain.fields[chain.key_field].branches
    if len(branches) > 1 or branches[0].bound.field.pii is not None:
        return None
    plain = family(branches[0].source_type) in INTEGERS | {"varchar"}
    return next((name for name in used if plain and branches[0].sql == identifier(name)), None)


def _without_deletion(mapping: Mapping, bound: list[BoundField]) -> list[BoundField]:
    """`is_deleted` is written by the delete rules; mapped as a field it is one of them."""
    if mapping.kind is not Kind.USERS:
        return bound
    return [item for item in bound if item.field.name != "is_deleted"]


def _flags(binder: Binder, bound: list[BoundField]) -> Flags:
    mapping = binder.mapping
    deletes, consent = mapping.deletes, mapping.consent
    soft: Expression | Constant | None = deletes.soft_when
    what = "`soft_when`"
    for item in bound:
        if mapping.kind is Kind.USERS and item.field.name == "is_deleted":
            soft, what = item.field.value, "'is_deleted'"
    filters = {
        event_type.name: binder.flag(event_type.filter, f"the filter of {event_type.name!r}")
        for event_type in mapping.types
        if event_type.filter is not None
    }
    return Flags(
        soft=binder.flag(soft, what) if soft else None,
        hard=binder.flag(deletes.hard_when, "`hard_when`") if deletes.hard_when else None,
        consent=binder.flag(consent.when, "`consent`") if consent else None,
        filters=tuple((name, sql) for name, sql in filters.items() if sql is not None),
    )


def _cursor(binder: Binder, column: str, timezone: str) -> TypedField | None:
    place: Place = binder.mapping.cursor_place or binder.mapping.place
    value = binder.column(column, place)
    if value is None:
        return None
    if not family(value.type).startswith(("date", "timestamp")):
        binder.problem(
            place,
            f"cursor column {column!r} is {value.type}",
            "a cursor is a column of dates or timestamps; cast it in a `query`",
        )
        return None
    field = Field("$cursor", Expression(value.sql, place), place, FieldType.TIME)
    bound = BoundField(field, value, FieldType.TIME)
    return typed_fields(binder, [bound], timezone).get("$cursor")


def _salt(mapping: Mapping, types: dict[str, FieldType]) -> int:
    """What payloads look like, as 63 bits: other names or types are other payloads."""
    shape = [FINGERPRINT_SCHEME, mapping.kind, sorted(types.items())]
    digest = hashlib.sha256(json.dumps(shape).encode()).digest()
    return int.from_bytes(digest[:8], "big") >> 1

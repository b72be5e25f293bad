"""Fields as SQL: personal data masked, values made canonical, rules turned into checks."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from duckdb.sqltypes import DuckDBPyType

from connector.mapping import rules
from connector.mapping.bind import Binder, BoundField, folded
from connector.mapping.canonical import (
    TEXTS,
    Check,
    Conversion,
    UnconvertibleError,
    family,
    whole,
)
from connector.mapping.conversion import convert
from connector.mapping.mapping import Expression, OnInvalid, Pii
from connector.mapping.pii import ADDRESS, names_phone
from connector.mapping.rules import FieldType, Kind
from connector.sql import identifier, literal

REDACTED = "[redacted]"
"""What stands for a redacted value: it shows that there is one, and nothing of it."""

UNADDRESSABLE = "unaddressable_key"
"""The code of a key that no request could name."""

TYPE = "type"
"""The field that holds an event's type."""

_BLANKS = "e' \\t\\n\\x0b\\x0c\\r'"
"""What is trimmed off before a value is hashed."""

_TEXTUAL = {FieldType.STRING, FieldType.RELATION, FieldType.OBJECT, FieldType.ITEMS}


@dataclass(frozen=True, slots=True)
class Branch:
    """One way a field gets its value: `alias` is its column in the first layer of SQL."""

    alias: str
    sql: str
    source_type: DuckDBPyType
    bound: BoundField


@dataclass(frozen=True, slots=True)
class TypedField:
    """A field of the payload: its type, and a branch for each event type that has its own."""

    name: str
    type: FieldType
    branches: tuple[Branch, ...]
    timezone: str

    def conversion(self, *, guarded: bool) -> Conversion:
        """The canonical value and its checks, over the columns of the first layer.

        Guarded columns are structs `{v: value}`, null where the expression failed.
        """
        parts = [self._branch(branch, guarded=guarded) for branch in self.branches]
        checks: list[Check] = []
        cases = []
        otherwise = "NULL"
        for branch, part in zip(self.branches, parts, strict=True):
            checks += part.checks
            if branch.bound.only_for is None:
                otherwise = part.value
            else:
                cases.append(f"WHEN {literal(branch.bound.only_for)} THEN {part.value}")
        if not cases:
            return Conversion(otherwise, tuple(checks))
        value = f"CASE {_event_type(guarded=guarded)} {' '.join(cases)} ELSE {otherwise} END"
        return Conversion(value, tuple(checks))

    def key_checks(self, value: str) -> Iterator[Check]:
        """What would make this field unusable as a key: it could never be addressed, so never be
        erased."""
        yield Check(f"{value} IS NULL", "key_null", "the key is null")
        yield Check(
            _unaddressable(value),
            UNADDRESSABLE,
            "the key is empty, '.' or '..', or holds control characters: it could never be erased",
        )

    def _branch(self, branch: Branch, *, guarded: bool) -> Conversion:
        column = identifier(branch.alias)
        part = _converted(branch, _value(branch.alias, guarded=guarded), self)
        checks = list(part.checks)
        if guarded:
            failed = Check(f"{column} IS NULL", "expression_failed", "the expression failed")
            checks.insert(0, failed)
        if branch.bound.only_for is not None:
            only = f"{_event_type(guarded=guarded)} = {literal(branch.bound.only_for)}"
            checks = [
                replace(check, condition=f"{only} AND ({check.condition})") for check in checks
            ]
        elif others := self._own_types():
            listed = ", ".join(map(literal, others))
            rest = f"coalesce({_event_type(guarded=guarded)} NOT IN ({listed}), true)"
            checks = [
                replace(check, condition=f"{rest} AND ({check.condition})") for check in checks
            ]
        value = part.value
        if branch.bound.field.on_invalid is OnInvalid.DROP_FIELD and checks:
            broken = " OR ".join(f"({check.condition})" for check in checks)
            return Conversion(f"CASE WHEN NOT coalesce({broken}, false) THEN {value} END")
        return Conversion(value, tuple(checks))

    def _own_types(self) -> list[str]:
        return [b.bound.only_for for b in self.branches if b.bound.only_for is not None]


def _event_type(*, guarded: bool) -> str:
    """The type of the row's event, over the columns of the first layer."""
    return f"{_value(TYPE, guarded=guarded)}::VARCHAR"


def _value(alias: str, *, guarded: bool) -> str:
    # Not `column.v`: with a field named like the layer, that would be its column `v`.
    return f"struct_extract({identifier(alias)}, 'v')" if guarded else identifier(alias)


def column(field: str) -> str:
    """The name of a field's column: what begins with one `$` is ours."""
    return f"${field}" if field.startswith("$") else field


def _converted(branch: Branch, value: str, field: TypedField) -> Conversion:
    match branch.bound.field.pii:
        case Pii.REDACT:
            return Conversion(f"CASE WHEN {value} IS NOT NULL THEN {literal(REDACTED)} END")
        case Pii.HASH:
            text = convert(branch.source_type, FieldType.STRING, value, field.timezone).value
            return Conversion(_hashed(text, phone=_speaks_of_phone(branch)))
    conversion = convert(branch.source_type, field.type, value, field.timezone)
    if field.name in rules.INTEGER_FIELDS:
        number, integer = conversion.value, f"TRY_CAST({conversion.value} AS BIGINT)"
        fraction = Check(
            f"{integer} IS DISTINCT FROM {number}", "not_an_integer", "is not a whole number"
        )
        conversion = Conversion(integer, (*conversion.checks, fraction))
    if branch.bound.field.pii is None and isinstance(branch.bound.field.value, Expression):
        conversion = replace(
            conversion, checks=(*conversion.checks, *_address_checks(field, conversion.value))
        )
    return conversion


def text_within(type_: FieldType, value: str) -> str | None:
    """SQL of all the text in a canonical value; None where its type holds none."""
    if type_ is FieldType.STRINGS:
        return f"array_to_string({value}, ' ')"
    return value if type_ in _TEXTUAL else None


def _address_checks(field: TypedField, value: str) -> Iterator[Check]:
    """An e-mail address leaves only through a field that says so."""
    text = text_within(field.type, value)
    if text is not None:
        # Looking for the one character first costs a hundredth of the pattern.
        yield Check(
            f"contains({text}, '@') AND regexp_matches({text}, {literal(ADDRESS)})",
            "direct_pii",
            "holds an e-mail address; mark the field with `pii:` hash, redact or allow",
        )


def _speaks_of_phone(branch: Branch) -> bool:
    value = branch.bound.field.value
    text = value.sql if isinstance(value, Expression) else ""
    return names_phone(branch.bound.field.name) or names_phone(text)


def _hashed(text: str, *, phone: bool) -> str:
    """HMAC-SHA256 in hex (RFC 2104), over the normalised value; blank is null."""
    trimmed = f"trim({text}, {_BLANKS})"
    if phone:
        plus = f"CASE WHEN starts_with({trimmed}, '+') THEN '+' ELSE '' END"
        normal = f"{plus} || nullif(regexp_replace({text}, '[^0-9]', '', 'g'), '')"
    else:
        normal = f"nullif(lower({trimmed}), '')"
    inner = f"unhex(sha256($pii_inner::BLOB || encode({normal})))"
    return f"sha256($pii_outer::BLOB || {inner})"


def typed_fields(
    binder: Binder, bound: Sequence[BoundField], timezone: str
) -> dict[str, TypedField]:
    """Fields by name, in the order payloads are written in; problems go to the binder."""
    fields: dict[str, TypedField] = {}
    spelled = {"is_deleted": "is_deleted"} if binder.mapping.kind is Kind.USERS else {}
    for item in bound:
        name = item.field.name
        first = spelled.setdefault(folded(name), name)
        if first != name:
            binder.problem(item.field.place, f"{first!r} and {name!r} differ only by case")
            continue
        branch = _branch_of(binder, item)
        if not _convertible(binder, item, timezone):
            continue
        known = fields.get(name)
        if known is None:
            fields[name] = TypedField(name, item.type, (branch,), timezone)
        elif known.type is not item.type:
            binder.problem(
                item.field.place,
                f"{name!r} is {item.type} here and {known.type} elsewhere in this mapping",
                "a field has one type on the platform: declare a `type:`",
            )
        else:
            fields[name] = replace(known, branches=(*known.branches, branch))
    return dict(sorted(fields.items()))


def _branch_of(binder: Binder, item: BoundField) -> Branch:
    name = item.field.name
    alias = column(name)
    if item.only_for is not None:
        # Numbered, for event types may differ only by case, which columns may not.
        types = [event_type.name for event_type in binder.mapping.types]
        alias = f"$type {types.index(item.only_for) + 1} {item.only_for}.{name}"
    return Branch(alias, item.value.sql, item.value.type, item)


def _convertible(binder: Binder, item: BoundField, timezone: str) -> bool:
    if item.field.pii is Pii.REDACT:
        return True
    try:
        convert(item.value.type, item.type, "x", timezone)
    except UnconvertibleError as error:
        message = f"{item.field.name!r} {error.message}, which cannot be sent as {item.type}"
        binder.problem(item.field.value.place, message, error.hint)
        return False
    return True


def check_key(binder: Binder, item: BoundField) -> None:
    """A key is text, or an integer: anything else reads differently from day to day."""
    type_ = item.value.type
    if family(type_) not in TEXTS | {"null"} and not whole(type_):
        binder.problem(
            item.field.value.place,
            f"{item.field.name!r} is {type_}; a key is text or an integer",
            "cast it to BIGINT or VARCHAR as the other systems spell it",
        )


def _unaddressable(value: str) -> str:
    # What url_encode() leaves as it is holds letters, digits and -_.~ only: most keys do, and it
    # takes half the time that the pattern takes.
    control = f"url_encode({value}) <> {value} AND regexp_matches({value}, '\\p{{Cc}}')"
    return f"{value} IN ('', '.', '..') OR ({control})"


def subject_check(value: str) -> Check:
    """The same rule for the uid of an event."""
    return Check(
        _unaddressable(value),
        UNADDRESSABLE,
        "the uid is empty, '.' or '..', or holds control characters: it could never be erased",
    )

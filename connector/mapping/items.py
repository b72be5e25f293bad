"""Items: the candidates of a recommendation request, as the JSON text that is sent.

An item comes as `{id, attributes: {…}}`, or flat, with its attributes beside the id. What is null
is left out: an attribute is a string, a number, a boolean or an array of strings.
"""

from __future__ import annotations

from duckdb.sqltypes import DuckDBPyType

from connector.mapping import rules
from connector.mapping.canonical import (
    TEXTS,
    Check,
    Conversion,
    UnconvertibleError,
    element_type,
    family,
    not_finite,
)
from connector.mapping.objects import NOT_A_NUMBER, inside
from connector.mapping.times import bad_time

_NESTED = {"struct", "map", "json", "variant"}

_ID = (
    "CASE WHEN json_type(item, '$.id') IN ('VARCHAR', 'UBIGINT', 'BIGINT') THEN item ->> '$.id' END"
)
_FLAT = """json_merge_patch(json_merge_patch('{}', item), '{"id":null,"attributes":null}')"""
_ATTRIBUTES = (
    "CASE WHEN json_type(item, '$.attributes') = 'OBJECT' "
    f"THEN json_merge_patch('{{}}', item -> '$.attributes') ELSE {_FLAT} END"
)
_ITEM = (
    f"CASE WHEN {_ATTRIBUTES} = '{{}}' THEN json_object('id', {_ID}) "
    f"ELSE json_object('id', {_ID}, 'attributes', {_ATTRIBUTES}) END"
)
_BAD_ITEM = (
    f"json_type(item) <> 'OBJECT' OR coalesce({_ID}, '') = '' "
    "OR coalesce(json_type(item, '$.attributes'), 'NULL') NOT IN ('OBJECT', 'NULL') "
    "OR (json_type(item, '$.attributes') = 'OBJECT' AND len(json_keys(item)) > 2)"
)
_STRINGS_ONLY = (
    "json_type(value) = 'ARRAY' "
    "AND len(list_filter(TRY_CAST(value AS JSON[]), "
    "lambda part: coalesce(json_type(part), '') <> 'VARCHAR')) = 0"
)
_BAD_VALUE = f"json_type(value) IN ('OBJECT', 'ARRAY') AND NOT ({_STRINGS_ONLY})"
_LONG_VALUE = f"strlen(value ->> '$') > {rules.MAX_STRING_BYTES}"
_LARGE_VALUE = (
    "json_type(value) NOT IN ('VARCHAR', 'DOUBLE', 'BOOLEAN', 'ARRAY', 'OBJECT') "
    f"AND abs(TRY_CAST(value AS HUGEINT)) > {rules.MAX_EXACT_INTEGER}"
)


def to_items(type_: DuckDBPyType, sql: str, timezone: str) -> Conversion:
    """SQL of the JSON text of an array of items.

    Raises:
        UnconvertibleError: no value of that type could ever be one.
    """
    checks: list[Check] = []
    kind = family(type_)
    element = family(element_type(type_)) if kind in {"list", "array"} else None
    if element in _NESTED:
        found = inside(type_, sql, timezone)
        given = f"to_json({found.value})"
        if found.broken:
            checks.append(bad_time(found.broken))
    elif kind in {"varchar", "json", "null"}:
        given = f"TRY_CAST({sql} AS JSON)"
    elif element is not None:
        raise UnconvertibleError(
            f"is {type_}", "map bare ids as `item_ids`, or make structs {'id': …} of them"
        )
    else:
        raise UnconvertibleError(f"is {type_}", "items are a list of structs, or JSON")
    items = f"CASE json_type({given}) WHEN 'ARRAY' THEN ({given})::JSON[] END"
    other = f"{sql} IS NOT NULL AND coalesce(json_type({given}) NOT IN ('ARRAY', 'NULL'), true)"
    value = f"to_json(list_transform({items}, lambda item: {_ITEM}))::VARCHAR"
    text = f"({given})::VARCHAR"
    checks += [
        Check(other, "not_items", "is not an array of items"),
        not_finite(f"regexp_matches({text}, {NOT_A_NUMBER})"),
        Check(
            _any(items, _BAD_ITEM),
            "bad_item",
            "an item is an object with an id, and its attributes beside it or in `attributes`",
        ),
        Check(
            # Looking at each value is slow: only where the text as a whole gives reason to.
            f"strlen({text}) > {rules.MAX_STRING_BYTES} AND {_any_value(items, _LONG_VALUE)}",
            "too_long",
            "a string is at most 16 KB of UTF-8",
        ),
        Check(
            f"regexp_matches({text}, '[0-9]{{16}}') AND {_any_value(items, _LARGE_VALUE)}",
            "integer_too_large",
            "an integer beyond 2^53 would arrive as another one; make it text",
        ),
    ]
    bad = _any_value(items, _BAD_VALUE)
    if _plain(type_):
        bad = f"regexp_matches({text}, '[\\[,]null[,\\]]') AND {bad}"
    message = "an attribute is a string, a number, a boolean or an array of strings"
    checks.append(Check(bad, "bad_attribute", message))
    return Conversion(value, tuple(checks))


def _any(items: str, condition: str) -> str:
    return f"list_bool_or(list_transform({items}, lambda item: {condition}))"


def _any_value(items: str, condition: str) -> str:
    values = f"map_values(TRY_CAST(({_ATTRIBUTES}) AS MAP(VARCHAR, JSON)))"
    return _any(items, f"list_bool_or(list_transform({values}, lambda value: {condition}))")


def _plain(type_: DuckDBPyType) -> bool:
    """Whether the type alone says that attributes can be sent, nulls within arrays excepted."""
    if family(type_) not in {"list", "array"} or family(element_type(type_)) != "struct":
        return False
    members = dict(element_type(type_).children)
    attributes = members.get("attributes")
    if isinstance(attributes, DuckDBPyType):
        members = dict(attributes.children) if family(attributes) == "struct" else {"": attributes}
    return all(isinstance(each, DuckDBPyType) and _sendable(each) for each in members.values())


def _sendable(type_: DuckDBPyType) -> bool:
    kind = family(type_)
    if kind in {"list", "array"}:
        return family(element_type(type_)) in TEXTS
    return kind not in _NESTED

"""Objects: nested values and JSON, as the JSON text that is sent."""

from __future__ import annotations

from dataclasses import dataclass

from duckdb.sqltypes import DuckDBPyType

from connector.mapping import rules
from connector.mapping.canonical import (
    FLOATS,
    TIMES,
    Check,
    Conversion,
    UnconvertibleError,
    double_of,
    element_type,
    family,
    not_finite,
    whole,
)
from connector.mapping.times import bad_time, beyond_calendar, instant, iso, milliseconds_of
from connector.sql import identifier, literal

NOT_A_NUMBER = """'^(?:[^"iINn]|nu|"(?:[^"\\\\]|\\\\.)*")*(?:[iIN]|n[aA])'"""
"""NaN, inf and their like outside of strings: DuckDB writes them, reads them and calls that valid,
which no other JSON parser does."""

_OPAQUE = {"blob", "bit", "geometry"}


@dataclass(frozen=True, slots=True)
class Inside:
    """A value inside an object as SQL, and when a time in it is none that could be spelled."""

    value: str
    broken: str | None = None


def to_object(type_: DuckDBPyType, sql: str, timezone: str) -> Conversion:
    """SQL of the JSON text of an object.

    Raises:
        UnconvertibleError: no value of that type could ever be one.
    """
    kind = family(type_)
    checks: list[Check] = []
    if kind in {"struct", "map", "variant"}:
        found = inside(type_, sql, timezone)
        value = f"CASE WHEN {sql} IS NOT NULL THEN to_json({found.value})::VARCHAR END"
        if found.broken:
            checks.append(bad_time(found.broken))
    elif kind in {"varchar", "json", "null"}:
        parsed = f"TRY_CAST({sql} AS JSON)"
        value = f"CASE json_type({parsed}) WHEN 'OBJECT' THEN json({parsed})::VARCHAR END"
        other = (
            f"{sql} IS NOT NULL AND coalesce(json_type({parsed}) NOT IN ('OBJECT', 'NULL'), true)"
        )
        checks.append(Check(other, "not_an_object", "is not a JSON object"))
    else:
        raise UnconvertibleError(f"is {type_}", "an object is a struct, a map or JSON")
    checks.append(not_finite(f"regexp_matches({value}, {NOT_A_NUMBER})"))
    long = f"strlen({value}) > {rules.MAX_OBJECT_BYTES}"
    checks.append(Check(long, "too_long", "an object is at most 4 KB of JSON"))
    return Conversion(value, tuple(checks))


def inside(type_: DuckDBPyType, sql: str, timezone: str, depth: int = 0) -> Inside:
    """A value at any depth, its times and numbers spelled as those of plain fields are."""
    kind = family(type_)
    if kind in TIMES:
        milliseconds = milliseconds_of(instant(kind, sql, timezone))
        return Inside(iso(milliseconds), beyond_calendar(sql, milliseconds))
    if kind in FLOATS or (kind == "decimal" and not whole(type_)):
        return Inside(double_of(kind, sql))
    if kind in _OPAQUE:
        raise UnconvertibleError(f"holds {type_}", "write base64(…) around what is binary")
    if kind == "struct":
        return _members(type_, sql, timezone, depth)
    if kind in {"list", "array"}:
        return _items(element_type(type_), sql, timezone, depth)
    if kind == "map":
        return _entries(type_, sql, timezone, depth)
    return Inside(sql)


def _members(type_: DuckDBPyType, sql: str, timezone: str, depth: int) -> Inside:
    found = {
        name: (
            old := f"struct_extract({sql}, {literal(name)})",
            inside(child, old, timezone, depth),
        )
        for name, child in type_.children
        if isinstance(child, DuckDBPyType)
    }
    if all(new.value == old for old, new in found.values()):
        return Inside(sql)
    members = ", ".join(f"{identifier(name)} := {new.value}" for name, (_, new) in found.items())
    broken = " OR ".join(new.broken for _, new in found.values() if new.broken)
    value = f"CASE WHEN {sql} IS NOT NULL THEN struct_pack({members}) END"
    return Inside(value, f"({broken})" if broken else None)


def _items(element: DuckDBPyType, sql: str, timezone: str, depth: int) -> Inside:
    item = f"item{depth}"
    inner = inside(element, item, timezone, depth + 1)
    if inner.value == item:
        return Inside(sql)
    return Inside(
        f"list_transform({sql}, lambda {item}: {inner.value})", _any(sql, item, inner.broken)
    )


def _entries(type_: DuckDBPyType, sql: str, timezone: str, depth: int) -> Inside:
    entry = f"entry{depth}"
    child = dict(type_.children)["value"]
    if not isinstance(child, DuckDBPyType):
        raise TypeError(f"{type_} has no type of values")
    inner = inside(child, f"{entry}.value", timezone, depth + 1)
    if inner.value == f"{entry}.value":
        return Inside(sql)
    pairs = f"lambda {entry}: struct_pack(key := {entry}.key, value := {inner.value})"
    return Inside(
        f"map_from_entries(list_transform(map_entries({sql}), {pairs}))",
        _any(f"map_entries({sql})", entry, inner.broken),
    )


def _any(items: str, item: str, broken: str | None) -> str | None:
    """Whether one of the items is broken."""
    if broken is None:
        return None
    return f"coalesce(list_bool_or(list_transform({items}, lambda {item}: {broken})), false)"

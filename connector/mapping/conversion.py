"""From a DuckDB type to a field type: the SQL that converts, and the checks that go with it.

Converted values are canonical, so that a fingerprint over them does not depend on how a warehouse
spells its types: text, BIGINT or DOUBLE, BOOLEAN, lists of text, milliseconds since 1970 for times,
lists of DOUBLE, and JSON text for objects. Limits are the platform's (`rules`).
"""

from __future__ import annotations

from duckdb.sqltypes import DuckDBPyType

from connector.mapping import rules
from connector.mapping.canonical import (
    CLOCKS,
    FLOATS,
    INTEGERS,
    SMALL_INTEGERS,
    TEXTS,
    TIMES,
    ZONED,
    Check,
    Conversion,
    UnconvertibleError,
    double_of,
    element_type,
    family,
    not_finite,
    text_of,
    whole,
)
from connector.mapping.items import to_items
from connector.mapping.objects import to_object
from connector.mapping.rules import FieldType
from connector.mapping.times import ISO, iso, to_time


def infer(type_: DuckDBPyType) -> FieldType | None:
    """The field type that a column becomes when none is declared, None where there is none."""
    kind = family(type_)
    if kind in TEXTS:
        return FieldType.STRING
    if kind in INTEGERS or kind in FLOATS or kind == "decimal":
        return FieldType.NUMBER
    if kind == "boolean":
        return FieldType.BOOLEAN
    if kind in TIMES:
        return FieldType.TIME
    if kind in {"struct", "map", "json", "variant"}:
        return FieldType.OBJECT
    if kind in {"list", "array"}:
        return _infer_list(type_)
    return None


def _infer_list(type_: DuckDBPyType) -> FieldType | None:
    element = family(element_type(type_))
    if element in TEXTS:
        return FieldType.STRINGS
    if element in FLOATS or element in INTEGERS or element == "decimal":
        return FieldType.EMBEDDING
    return None


def convert(type_: DuckDBPyType, to: FieldType, sql: str, timezone: str) -> Conversion:
    """SQL that turns `sql` (of `type_`) into the canonical form of `to`, null staying null.

    Raises:
        UnconvertibleError: no value of that type could ever be one.
    """
    if family(type_) == "bignum":
        # Where a BIGNUM is too large for a cast, DuckDB 2.0.0 gives up the whole database.
        type_, sql = DuckDBPyType("VARCHAR"), f"{sql}::VARCHAR"
    match to:
        case FieldType.STRING | FieldType.RELATION:
            return _to_string(type_, sql)
        case FieldType.NUMBER:
            return _to_number(type_, sql)
        case FieldType.BOOLEAN:
            return _to_boolean(type_, sql)
        case FieldType.TIME:
            return to_time(type_, sql, timezone)
        case FieldType.STRINGS:
            return _to_strings(type_, sql)
        case FieldType.EMBEDDING:
            return _to_embedding(type_, sql)
        case FieldType.OBJECT:
            return to_object(type_, sql, timezone)
        case FieldType.ITEMS:
            return to_items(type_, sql, timezone)


def as_json(type_: FieldType, sql: str) -> str:
    """SQL for the value of a canonical field as `to_json` is to see it."""
    if type_ is FieldType.TIME:
        return iso(sql)
    if type_ in {FieldType.OBJECT, FieldType.ITEMS}:
        return f"{sql}::JSON"
    return sql


def _too_long(value: str) -> Check:
    return Check(
        f"strlen({value}) > {rules.MAX_STRING_BYTES}",
        "too_long",
        "a string is at most 16 KB of UTF-8",
    )


def _to_string(type_: DuckDBPyType, sql: str) -> Conversion:
    kind = family(type_)
    if kind in {"varchar", "json"}:
        value = text_of(kind, sql)
    elif kind in ZONED:
        value = f"strftime({sql}::TIMESTAMPTZ::TIMESTAMP, {ISO})"
    elif kind in TEXTS | INTEGERS | FLOATS | TIMES | CLOCKS | {"decimal", "boolean", "null"}:
        value = f"{sql}::VARCHAR"
    elif kind == "blob":
        raise UnconvertibleError("is BLOB", "write base64(…) or decode(…) around it")
    else:
        raise UnconvertibleError(f"is {type_}", "write to_json(…) or array_to_string(…) around it")
    return Conversion(value, (_too_long(value),))


def _to_number(type_: DuckDBPyType, sql: str) -> Conversion:
    kind = family(type_)
    if kind in SMALL_INTEGERS or kind in {"boolean", "null"}:
        return Conversion(f"{sql}::BIGINT")
    if whole(type_):
        value = f"TRY_CAST({sql} AS BIGINT)"
        exact = f"{value} BETWEEN -{rules.MAX_EXACT_INTEGER} AND {rules.MAX_EXACT_INTEGER}"
        return Conversion(value, (_inexact(f"{sql} IS NOT NULL AND NOT coalesce({exact}, false)"),))
    if kind == "decimal":
        return Conversion(f"{sql}::DOUBLE")
    if kind in FLOATS:
        return Conversion(double_of(kind, sql), (not_finite(f"NOT isfinite({sql})"),))
    if kind in {"varchar", "enum", "json"}:
        return _number_from_text(text_of(kind, sql))
    raise UnconvertibleError(f"is {type_}", "write an expression that yields a number")


def _number_from_text(text: str) -> Conversion:
    value = f"TRY_CAST({text} AS DOUBLE)"
    digits = f"regexp_full_match({text}, '\\s*[+-]?[0-9_]+\\s*')"
    exact = f"TRY_CAST({text} AS HUGEINT) BETWEEN -{rules.MAX_EXACT_INTEGER} AND "
    exact += str(rules.MAX_EXACT_INTEGER)
    return Conversion(
        value,
        (
            Check(f"{text} IS NOT NULL AND {value} IS NULL", "not_a_number", "is not a number"),
            not_finite(f"NOT isfinite({value})"),
            _inexact(f"{digits} AND NOT coalesce({exact}, false)"),
        ),
    )


def _inexact(condition: str) -> Check:
    return Check(
        condition,
        "integer_too_large",
        "an integer beyond 2^53 would arrive as another one; send it as type: string",
    )


def _to_boolean(type_: DuckDBPyType, sql: str) -> Conversion:
    kind = family(type_)
    if kind in {"boolean", "null"}:
        return Conversion(f"{sql}::BOOLEAN")
    if whole(type_):
        value = f"CASE {sql} WHEN 0 THEN false WHEN 1 THEN true END"
        present = sql
    elif kind in {"varchar", "enum", "json"}:
        present = text_of(kind, sql)
        value = f"TRY_CAST({present} AS BOOLEAN)"
    else:
        raise UnconvertibleError(f"is {type_}", "write a comparison that yields true or false")
    condition = f"{present} IS NOT NULL AND {value} IS NULL"
    return Conversion(value, (Check(condition, "not_a_boolean", "is neither true nor false"),))


def _to_strings(type_: DuckDBPyType, sql: str) -> Conversion:
    kind = family(type_)
    not_strings = "not_strings", "is not an array of strings only"
    element = family(element_type(type_)) if kind in {"list", "array"} else None
    if kind in {"varchar", "json"} or element == "json":
        value, broken = _strings_from_json(f"to_json({sql})" if element else sql)
        checks = (Check(broken, *not_strings),)
    elif element is not None:
        if element not in TEXTS | INTEGERS | {"null"}:
            raise UnconvertibleError(
                f"is {type_}", "write list_transform(…) to make its items text"
            )
        value = sql if str(type_) == "VARCHAR[]" else f"{sql}::VARCHAR[]"
        # list_contains() never finds a null; counting the others does.
        checks = (Check(f"list_count({value}) < len({value})", *not_strings),)
    elif kind == "null":
        return Conversion(f"{sql}::VARCHAR[]")
    else:
        raise UnconvertibleError(f"is {type_}", "write a list, or string_split(…) of a text")
    long = Check(
        f"list_max(list_transform({value}, lambda item: strlen(item))) > {rules.MAX_STRING_BYTES}",
        "too_long",
        "a string is at most 16 KB of UTF-8",
    )
    return Conversion(value, (*checks, long))


def _strings_from_json(sql: str) -> tuple[str, str]:
    parsed = f"TRY_CAST({sql} AS JSON)"
    value = f"CASE json_type({parsed}) WHEN 'ARRAY' THEN TRY_CAST({parsed} AS VARCHAR[]) END"
    others = (
        f"list_filter(TRY_CAST({parsed} AS JSON[]), "
        "lambda item: coalesce(json_type(item), 'NULL') <> 'VARCHAR')"
    )
    broken = (
        f"{sql} IS NOT NULL AND CASE json_type({parsed}) WHEN 'NULL' THEN false "
        f"WHEN 'ARRAY' THEN len({others}) > 0 ELSE true END"
    )
    return value, broken


def _to_embedding(type_: DuckDBPyType, sql: str) -> Conversion:
    kind = family(type_)
    present = sql
    element = family(element_type(type_)) if kind in {"list", "array"} else None
    if element in {"float", "bignum"}:
        value = f"{sql}::VARCHAR[]::DOUBLE[]"
    elif element in FLOATS | INTEGERS | {"decimal", "null"}:
        value = f"{sql}::DOUBLE[]"
    elif kind in {"varchar", "json", "null"}:
        present = f"nullif({sql}::VARCHAR, 'null')"
        value = f"TRY_CAST({sql} AS DOUBLE[])"
    else:
        raise UnconvertibleError(f"is {type_}", "an embedding is a list of numbers")
    return Conversion(
        value,
        (
            Check(
                f"{present} IS NOT NULL "
                f"AND ({value} IS NULL OR list_count({value}) < len({value}))",
                "not_an_embedding",
                "is not an array of numbers",
            ),
            Check(
                f"len({value}) > {rules.MAX_EMBEDDING}",
                "too_long",
                f"an embedding has at most {rules.MAX_EMBEDDING:,} dimensions",
            ),
            not_finite(f"list_bool_or(list_transform({value}, lambda item: NOT isfinite(item)))"),
        ),
    )

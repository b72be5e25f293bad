"""From a DuckDB type to a field type: the SQL that converts, and the checks that go with it.

Converted values are canonical, so that a fingerprint over them does not depend on how a warehouse
spells its types: text, BIGINT or DOUBLE, BOOLEAN, lists of text, milliseconds since 1970 for times,
lists of DOUBLE, and JSON text for objects. Limits are the platform's (`rules`).
"""

from __future__ import annotations

from dataclasses import dataclass

from duckdb.sqltypes import DuckDBPyType

from connector.mapping import rules
from connector.mapping.rules import FieldType
from connector.sql import identifier, literal

_SMALL_INTEGERS = {"tinyint", "smallint", "integer", "utinyint", "usmallint", "uinteger"}
_LARGE_INTEGERS = {"bigint", "ubigint", "hugeint", "uhugeint", "bignum"}
_INTEGERS = _SMALL_INTEGERS | _LARGE_INTEGERS
_FLOATS = {"float", "double"}
_TIMES = {
    "date",
    "timestamp",
    "timestamp_s",
    "timestamp_ms",
    "timestamp_ns",
    "timestamp with time zone",
    "timestamp_ns with time zone",
}
_TEXTS = {"varchar", "enum", "uuid"}

_FIRST_MS, _LAST_MS = -62_135_596_800_000, 253_402_300_799_999
"""The years 1 to 9999, beyond which ISO-8601 has no agreed form."""

_UNIX_SECONDS_BELOW = 100_000_000_000
"""Unix times smaller than this are seconds (until the year 5138), larger ones milliseconds."""

_ISO = "'%Y-%m-%dT%H:%M:%S.%gZ'"


@dataclass(frozen=True, slots=True)
class Check:
    """A row for which `condition` holds breaks a rule: its reason code, and the reason."""

    condition: str
    code: str
    message: str


@dataclass(frozen=True, slots=True)
class Conversion:
    """The canonical value of a field as SQL, and what may be wrong with it."""

    value: str
    checks: tuple[Check, ...] = ()


class UnconvertibleError(ValueError):
    """A column's type cannot become the field's type; `hint` says what could."""

    def __init__(self, message: str, hint: str) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint


def family(type_: DuckDBPyType) -> str:
    """DuckDB's name of a type without its parameters; JSON is told apart from text."""
    return "json" if str(type_) == "JSON" else type_.id.lower()


def infer(type_: DuckDBPyType) -> FieldType | None:
    """The field type that a column becomes when none is declared, None where there is none."""
    kind = family(type_)
    if kind in _TEXTS:
        return FieldType.STRING
    if kind in _INTEGERS or kind in _FLOATS or kind == "decimal":
        return FieldType.NUMBER
    if kind == "boolean":
        return FieldType.BOOLEAN
    if kind in _TIMES:
        return FieldType.TIME
    if kind in {"struct", "map", "json", "variant"}:
        return FieldType.OBJECT
    if kind in {"list", "array"}:
        return _infer_list(type_)
    return None


def _infer_list(type_: DuckDBPyType) -> FieldType | None:
    element = family(_child(type_))
    if element in _TEXTS:
        return FieldType.STRINGS
    if element in _FLOATS or element in _INTEGERS or element == "decimal":
        return FieldType.EMBEDDING
    return None


def convert(type_: DuckDBPyType, to: FieldType, sql: str, timezone: str) -> Conversion:
    """SQL that turns `sql` (of `type_`) into the canonical form of `to`, null staying null.

    Raises:
        UnconvertibleError: no value of that type could ever be one.
    """
    match to:
        case FieldType.STRING | FieldType.RELATION:
            return _to_string(type_, sql)
        case FieldType.NUMBER:
            return _to_number(type_, sql)
        case FieldType.BOOLEAN:
            return _to_boolean(type_, sql)
        case FieldType.TIME:
            return _to_time(type_, sql, timezone)
        case FieldType.STRINGS:
            return _to_strings(type_, sql)
        case FieldType.EMBEDDING:
            return _to_embedding(type_, sql)
        case FieldType.OBJECT:
            return _to_object(type_, sql, timezone)


def as_json(type_: FieldType, sql: str) -> str:
    """SQL for the value of a canonical field as `to_json` is to see it."""
    if type_ is FieldType.TIME:
        return f"strftime(make_timestamp_ms({sql}), {_ISO})"
    if type_ is FieldType.OBJECT:
        return f"{sql}::JSON"
    return sql


def _child(type_: DuckDBPyType) -> DuckDBPyType:
    child = dict(type_.children)["child"]
    if not isinstance(child, DuckDBPyType):
        raise TypeError(f"{type_} has no element type")
    return child


def _too_long(value: str) -> Check:
    return Check(
        f"strlen({value}) > {rules.MAX_STRING_BYTES}",
        "too_long",
        "a string is at most 16 KB of UTF-8",
    )


def _to_string(type_: DuckDBPyType, sql: str) -> Conversion:
    kind = family(type_)
    if kind == "json":
        value = f"CASE json_type({sql}) WHEN 'NULL' THEN NULL ELSE {sql} ->> '$' END"
    elif kind in {"varchar", "null"}:
        value = sql if kind == "varchar" else f"{sql}::VARCHAR"
    elif kind in {"timestamp with time zone", "timestamp_ns with time zone"}:
        value = f"strftime({sql}::TIMESTAMPTZ::TIMESTAMP, {_ISO})"
    elif kind in _TEXTS | _INTEGERS | _FLOATS | _TIMES | {"decimal", "boolean", "time", "interval"}:
        value = f"{sql}::VARCHAR"
    elif kind == "blob":
        raise UnconvertibleError("is BLOB", "write base64(…) or decode(…) around it")
    else:
        raise UnconvertibleError(f"is {type_}", "write to_json(…) or array_to_string(…) around it")
    return Conversion(value, (_too_long(value),))


def _to_number(type_: DuckDBPyType, sql: str) -> Conversion:
    kind = family(type_)
    exact = rules.MAX_EXACT_INTEGER
    too_large = "an integer beyond 2^53 would arrive as another one; send it as type: string"
    if kind in _SMALL_INTEGERS or kind in {"boolean", "null"}:
        return Conversion(f"{sql}::BIGINT")
    if kind in _LARGE_INTEGERS or (kind == "decimal" and dict(type_.children)["scale"] == 0):
        check = Check(f"{sql} NOT BETWEEN -{exact} AND {exact}", "integer_too_large", too_large)
        return Conversion(f"TRY_CAST({sql} AS BIGINT)", (check,))
    if kind == "decimal":
        return Conversion(f"{sql}::DOUBLE")
    if kind in _FLOATS:
        return Conversion(f"{sql}::DOUBLE", (_not_finite(f"NOT isfinite({sql})"),))
    if kind in {"varchar", "enum", "json"}:
        text = _text(kind, sql)
        value = f"TRY_CAST({text} AS DOUBLE)"
        return Conversion(
            value,
            (
                Check(f"{text} IS NOT NULL AND {value} IS NULL", "not_a_number", "is not a number"),
                _not_finite(f"NOT isfinite({value})"),
                Check(
                    f"abs({value}) > {exact} AND regexp_full_match({text}, '\\s*[+-]?\\d+\\s*')",
                    "integer_too_large",
                    too_large,
                ),
            ),
        )
    raise UnconvertibleError(f"is {type_}", "write an expression that yields a number")


def _text(kind: str, sql: str) -> str:
    if kind == "json":
        return f"({sql} ->> '$')"
    return sql if kind == "varchar" else f"{sql}::VARCHAR"


def _not_finite(condition: str) -> Check:
    return Check(condition, "not_finite", "NaN and infinity are no numbers in JSON")


def _to_boolean(type_: DuckDBPyType, sql: str) -> Conversion:
    kind = family(type_)
    if kind in {"boolean", "null"}:
        return Conversion(f"{sql}::BOOLEAN")
    if kind in _INTEGERS:
        value = f"CASE {sql} WHEN 0 THEN false WHEN 1 THEN true END"
        present = sql
    elif kind in {"varchar", "enum", "json"}:
        present = _text(kind, sql)
        value = f"TRY_CAST({present} AS BOOLEAN)"
    else:
        raise UnconvertibleError(f"is {type_}", "write a comparison that yields true or false")
    condition = f"{present} IS NOT NULL AND {value} IS NULL"
    return Conversion(value, (Check(condition, "not_a_boolean", "is neither true nor false"),))


def _to_time(type_: DuckDBPyType, sql: str, timezone: str) -> Conversion:
    kind = family(type_)
    if kind in _TIMES:
        value = f"epoch_ms({_instant(kind, sql, timezone)})"
    elif kind in _INTEGERS:
        value = _unix(f"TRY_CAST({sql} AS BIGINT)")
    elif kind in _FLOATS or kind == "decimal":
        value = f"TRY_CAST(round({sql}::DOUBLE * {_scale(sql)}) AS BIGINT)"
    elif kind in {"varchar", "enum", "json"}:
        value = _time_from_text(_text(kind, sql), timezone)
    elif kind == "null":
        value = f"{sql}::BIGINT"
    else:
        raise UnconvertibleError(f"is {type_}", "a time is a date, a timestamp, text or Unix time")
    broken = f"{value} IS NULL OR {value} NOT BETWEEN {_FIRST_MS} AND {_LAST_MS}"
    check = Check(
        f"{sql} IS NOT NULL AND ({broken})",
        "bad_time",
        "is not a time between the years 1 and 9999",
    )
    return Conversion(value, (check,))


def _instant(kind: str, sql: str, timezone: str) -> str:
    if "time zone" in kind:
        return sql
    finite = f"CASE WHEN isfinite({sql}::TIMESTAMP) THEN {sql}::TIMESTAMP END"
    return finite if timezone == "UTC" else f"timezone({literal(timezone)}, {finite})"


def _scale(sql: str) -> str:
    return f"CASE WHEN abs({sql}) < {_UNIX_SECONDS_BELOW} THEN 1000 ELSE 1 END"


def _unix(sql: str) -> str:
    return f"({sql} * {_scale(sql)})"


def _time_from_text(text: str, timezone: str) -> str:
    zoned = f"regexp_matches({text}, '[0-9](Z|z|[+-][0-9]{{2}}(:?[0-9]{{2}})?)\\s*$')"
    naive = _instant("timestamp", f"TRY_CAST({text} AS TIMESTAMP)", timezone)
    return (
        f"CASE WHEN regexp_full_match({text}, '-?[0-9]{{9,13}}') "
        f"THEN {_unix(f'TRY_CAST({text} AS BIGINT)')} "
        f"WHEN {zoned} AND {text} LIKE '%:%' THEN epoch_ms(TRY_CAST({text} AS TIMESTAMPTZ)) "
        f"ELSE epoch_ms({naive}) END"
    )


def _to_strings(type_: DuckDBPyType, sql: str) -> Conversion:
    kind = family(type_)
    not_strings = "not_strings", "is not an array of strings only"
    if kind in {"list", "array"}:
        element = family(_child(type_))
        if element not in _TEXTS | _INTEGERS | {"null"}:
            raise UnconvertibleError(
                f"is {type_}", "write list_transform(…) to make its items text"
            )
        value = sql if str(type_) == "VARCHAR[]" else f"{sql}::VARCHAR[]"
        # list_contains() never finds a null; counting the others does.
        checks = (Check(f"list_count({value}) < len({value})", *not_strings),)
    elif kind in {"varchar", "json"}:
        value, broken = _strings_from_json(sql)
        checks = (Check(broken, *not_strings),)
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
    items = f"TRY_CAST({parsed} AS JSON[])"
    is_array = f"json_valid({sql}) AND json_type({parsed}) = 'ARRAY'"
    value = f"CASE WHEN {is_array} THEN TRY_CAST({parsed} AS VARCHAR[]) END"
    broken = (
        f"CASE WHEN {sql} IS NULL OR (json_valid({sql}) AND json_type({parsed}) = 'NULL') "
        f"THEN false WHEN {is_array} "
        f"THEN len(list_filter({items}, lambda item: json_type(item) <> 'VARCHAR')) > 0 "
        f"ELSE true END"
    )
    return value, broken


def _to_embedding(type_: DuckDBPyType, sql: str) -> Conversion:
    kind = family(type_)
    if kind in {"list", "array"} and family(_child(type_)) in _FLOATS | _INTEGERS | {"decimal"}:
        value = f"{sql}::DOUBLE[]"
    elif kind in {"varchar", "json", "null"}:
        value = f"TRY_CAST({sql} AS DOUBLE[])"
    else:
        raise UnconvertibleError(f"is {type_}", "an embedding is a list of numbers")
    return Conversion(
        value,
        (
            Check(
                f"{sql} IS NOT NULL AND ({value} IS NULL OR list_count({value}) < len({value}))",
                "not_an_embedding",
                "is not an array of numbers",
            ),
            Check(
                f"len({value}) > {rules.MAX_EMBEDDING}",
                "too_long",
                f"an embedding has at most {rules.MAX_EMBEDDING:,} dimensions",
            ),
            _not_finite(f"list_bool_or(list_transform({value}, lambda item: NOT isfinite(item)))"),
        ),
    )


def _to_object(type_: DuckDBPyType, sql: str, timezone: str) -> Conversion:
    kind = family(type_)
    if kind in {"struct", "map", "variant"}:
        value = f"CASE WHEN {sql} IS NOT NULL THEN to_json({_inside(type_, sql, timezone)}) END"
    elif kind in {"varchar", "json", "null"}:
        value = f"CASE WHEN json_valid({sql}) AND json_type({sql}) <> 'NULL' THEN {sql} END"
    else:
        raise UnconvertibleError(f"is {type_}", "an object is a struct, a map or JSON")
    value = f"({value})::VARCHAR"
    absent = (
        f"{sql} IS NULL OR coalesce(json_valid({sql}::VARCHAR) AND {sql}::VARCHAR = 'null', false)"
    )
    checks = [
        Check(
            f"strlen({value}) > {rules.MAX_OBJECT_BYTES}",
            "too_long",
            "an object is at most 4 KB of JSON",
        )
    ]
    if kind in {"varchar", "json"}:
        broken = f"{value} IS NULL OR json_type({value}) <> 'OBJECT'"
        checks.insert(
            0, Check(f"NOT ({absent}) AND ({broken})", "not_an_object", "is not a JSON object")
        )
    elif kind != "null":
        # NaN and infinity inside a struct become bare words that no JSON parser accepts.
        checks.insert(0, _not_finite(f"{value} IS NOT NULL AND NOT json_valid({value})"))
    return Conversion(value, tuple(checks))


def _inside(type_: DuckDBPyType, sql: str, timezone: str) -> str:
    """A value inside an object: times are spelled as the platform wants them, at any depth."""
    kind = family(type_)
    if kind in _TIMES:
        return as_json(FieldType.TIME, f"epoch_ms({_instant(kind, sql, timezone)})")
    if kind == "decimal":
        return f"{sql}::DOUBLE"
    if kind == "struct":
        members = ", ".join(
            f"{identifier(name)} := {_inside(child, f'{sql}.{identifier(name)}', timezone)}"
            for name, child in type_.children
            if isinstance(child, DuckDBPyType)
        )
        return f"CASE WHEN {sql} IS NOT NULL THEN struct_pack({members}) END"
    if kind in {"list", "array"}:
        inner = _inside(_child(type_), "item", timezone)
        return sql if inner == "item" else f"list_transform({sql}, lambda item: {inner})"
    return sql

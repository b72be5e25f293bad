"""Times: from whatever a warehouse calls one to milliseconds since 1970, and to ISO-8601."""

from __future__ import annotations

from duckdb.sqltypes import DuckDBPyType

from connector.mapping.canonical import (
    FLOATS,
    INTEGERS,
    TIMES,
    Check,
    Conversion,
    UnconvertibleError,
    family,
    text_of,
)
from connector.sql import literal

_FIRST_MS, _LAST_MS = -62_135_596_800_000, 253_402_300_799_999
"""The years 1 to 9999, beyond which ISO-8601 has no agreed form."""

_LAST_UNIX_SECONDS = 100_000_000_000
"""Unix times up to this are seconds (until the year 5138), larger ones milliseconds."""

ISO = "'%Y-%m-%dT%H:%M:%S.%gZ'"

_NAIVE_TEXT = (
    "'[0-9]{4,}[-/][0-9]{1,2}[-/][0-9]{1,2}([T ][0-9]{1,2}:[0-9]{2}(:[0-9]{2}([.][0-9]+)?)?)?'"
)
"""A time without zone, as text. DuckDB ignores what follows (`PM`, `CEST`, an offset) when it casts
to TIMESTAMP, so that anything else has to pass as TIMESTAMPTZ, which does not."""


def iso(milliseconds: str) -> str:
    """SQL for the text that stands for a time in a payload; null beyond the calendar."""
    within = f"{milliseconds} BETWEEN {_FIRST_MS} AND {_LAST_MS}"
    return f"CASE WHEN {within} THEN strftime(make_timestamp_ms({milliseconds}), {ISO}) END"


def milliseconds_of(instant: str) -> str:
    """SQL for the milliseconds since 1970 of a timestamp: what is finer is cut off.

    DuckDB's epoch_ms() rounds, and so makes tomorrow of the last instant of a day.
    """
    return f"epoch_us({instant}) // 1000"


def to_time(type_: DuckDBPyType, sql: str, timezone: str) -> Conversion:
    """SQL of milliseconds since 1970, in UTC.

    Raises:
        UnconvertibleError: no value of that type could ever be a time.
    """
    kind = family(type_)
    present = sql
    if kind in TIMES:
        value = milliseconds_of(instant(kind, sql, timezone))
    elif kind in INTEGERS:
        value = _unix(f"TRY_CAST({sql} AS BIGINT)")
    elif kind in FLOATS or kind == "decimal":
        value = f"TRY_CAST(round({sql}::DOUBLE * {_scale(sql)}) AS BIGINT)"
    elif kind in {"varchar", "enum", "json"}:
        present = text_of(kind, sql)
        value = _time_from_text(present, timezone)
    elif kind == "null":
        value = f"{sql}::BIGINT"
    else:
        raise UnconvertibleError(f"is {type_}", "a time is a date, a timestamp, text or Unix time")
    return Conversion(value, (bad_time(beyond_calendar(present, value)),))


def beyond_calendar(present: str, milliseconds: str) -> str:
    """There is a value, but no time that ISO-8601 could spell."""
    within = f"{milliseconds} BETWEEN {_FIRST_MS} AND {_LAST_MS}"
    return f"{present} IS NOT NULL AND NOT coalesce({within}, false)"


def bad_time(condition: str) -> Check:
    """A time is none where `condition` holds."""
    return Check(condition, "bad_time", "is not a time between the years 1 and 9999")


def instant(kind: str, sql: str, timezone: str) -> str:
    """A time as TIMESTAMPTZ, or as TIMESTAMP in UTC; null where it is beyond the calendar."""
    if kind == "timestamp with time zone":
        return sql
    # A cast would round nanoseconds to microseconds.
    cut = f"make_timestamp(epoch_ns({sql}) // 1000)"
    if kind == "timestamptz_ns":
        return cut
    casts = {"timestamp": sql, "timestamp_ns": cut}
    local = casts.get(kind, f"TRY_CAST({sql} AS TIMESTAMP)")
    if timezone == "UTC":
        return local
    # timezone() fails on what a calendar with zones cannot hold.
    within = f"{local} BETWEEN TIMESTAMP '0001-01-01' AND TIMESTAMP '9999-12-31 23:59:59.999999'"
    return f"CASE WHEN {within} THEN timezone({literal(timezone)}, {local}) END"


def _scale(sql: str) -> str:
    seconds = f"{sql} BETWEEN -{_LAST_UNIX_SECONDS} AND {_LAST_UNIX_SECONDS}"
    return f"CASE WHEN {seconds} THEN 1000 ELSE 1 END"


def _unix(sql: str) -> str:
    return f"({sql} * {_scale(sql)})"


def _time_from_text(text: str, timezone: str) -> str:
    naive = instant("varchar", text, timezone)
    # '2024-01-02 03:04:05 +0200' is how many write it; DuckDB wants no space there.
    joined = f"regexp_replace({text}, ' ([+-][0-9]{{2}}:?[0-9]{{2}})$', '\\1')"
    return (
        f"CASE WHEN regexp_full_match({text}, '-?[0-9]{{9,13}}') "
        f"THEN {_unix(f'TRY_CAST({text} AS BIGINT)')} "
        f"WHEN regexp_full_match({text}, {_NAIVE_TEXT}) THEN {milliseconds_of(naive)} "
        f"ELSE {milliseconds_of(f'TRY_CAST({joined} AS TIMESTAMPTZ)')} END"
    )

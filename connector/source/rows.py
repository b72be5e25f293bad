"""Values as drivers hand them out, as Arrow columns of a settled type."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from datetime import UTC, date, datetime, time
from decimal import ROUND_HALF_EVEN, Decimal
from types import NoneType
from typing import Any

import pyarrow as pa

LOCAL_TIME = pa.timestamp("us")
UTC_TIME = pa.timestamp("us", tz="UTC")
JSON = pa.json_(pa.string())
WHOLE = pa.decimal128(38, 0)

_MAX_WHOLE = 10**38


class NotThatTypeError(ValueError):
    """A value that is not of its column's type; says what kind it is, not what it is."""


def settle(values: Sequence[Any], declared: pa.DataType | None) -> pa.DataType:
    """The type of a column from what it is declared as and from its first values.

    A declaration holds where every value fits it. Without a value or a declaration it is text.
    """
    if declared is not None:
        try:
            to_array(values, declared)
        except NotThatTypeError:
            pass
        else:
            return declared
    return infer(values)


def infer(values: Sequence[Any]) -> pa.DataType:
    """The narrowest type that holds all of `values`; text where they have nothing in common."""
    present = [value for value in values if value is not None]
    kinds = {type(value) for value in present}
    if not kinds or kinds == {str}:
        return pa.string()
    if kinds == {bool}:
        return pa.bool_()
    if kinds <= {bool, int, float, Decimal}:
        return _number(present, kinds)
    if kinds <= {date, datetime}:
        return _time(present, kinds)
    if kinds == {time}:
        return pa.time64("us")
    if kinds <= {bytes, bytearray, memoryview}:
        return pa.binary()
    if kinds <= {list, tuple}:
        return _list(present)
    return JSON if kinds <= {dict, list, tuple} else pa.string()


def _number(present: Sequence[Any], kinds: set[type]) -> pa.DataType:
    if float in kinds:
        return pa.float64()
    if not all(_is_whole(value) for value in present):
        return pa.float64()
    if Decimal not in kinds and all(-(2**63) <= value < 2**63 for value in present):
        return pa.int64()
    return WHOLE


def _is_whole(value: int | Decimal) -> bool:
    if isinstance(value, Decimal) and not value.is_finite():
        return False
    return value == int(value) and abs(int(value)) < _MAX_WHOLE


def _time(present: Sequence[Any], kinds: set[type]) -> pa.DataType:
    if kinds == {date}:
        return pa.date32()
    aware = any(isinstance(value, datetime) and value.tzinfo for value in present)
    return UTC_TIME if aware else LOCAL_TIME


def _list(present: Sequence[Sequence[Any]]) -> pa.DataType:
    items = {type(item) for each in present for item in each if item is not None}
    if items and items <= {int, float, Decimal}:
        return pa.list_(pa.float64())
    return pa.list_(pa.string()) if items <= {str} else JSON


def to_array(values: Sequence[Any], type_: pa.DataType) -> pa.Array:
    """`values` as a column of `type_`; nothing is lost or bent on the way.

    Raises:
        NotThatTypeError: one of them is something else.
    """
    kind, convert = _converter(type_)
    converted: Sequence[Any] = values
    if not {type(value) for value in values} <= {kind, NoneType}:
        converted = [_converted(value, convert) for value in values]
    try:
        return pa.array(converted, type_)
    except (pa.ArrowException, TypeError, ValueError, OverflowError):
        raise NotThatTypeError("a value that does not fit") from None


def _converted(value: Any, convert: Callable[[Any], Any]) -> Any:
    try:
        return None if value is None else convert(value)
    except (TypeError, ValueError, ArithmeticError):
        raise NotThatTypeError(type(value).__name__) from None


def _converter(type_: pa.DataType) -> tuple[type | None, Callable[[Any], Any]]:
    """The Python type that Arrow takes as it is for a column, and what makes it of others."""
    if pa.types.is_timestamp(type_):
        # Arrow takes naive times for UTC, and forgets the zone of others.
        return None, _to_instant if type_.tz else _to_local_time
    if pa.types.is_decimal(type_):
        return Decimal, lambda value: _to_decimal(value, type_.scale)
    for is_type, kind, convert in _CONVERTERS:
        if is_type(type_):
            return kind, convert
    return None, lambda value: value


def _to_text(value: Any) -> str:
    if isinstance(value, (bytes, bytearray, memoryview)):
        return bytes(value).decode()
    if isinstance(value, (dict, list, tuple)):
        return _to_json(value)
    return value.isoformat() if isinstance(value, (date, time)) else str(value)


def _to_json(value: Any) -> str:
    if isinstance(value, str):
        return value
    return json.dumps(value, ensure_ascii=False, allow_nan=False, default=_to_text)


def _to_whole(value: Any) -> int:
    whole = int(value)
    if isinstance(value, str) or whole != value:
        raise ValueError(value)
    return whole


def _to_float(value: Any) -> float:
    if isinstance(value, str):
        raise TypeError(value)
    return float(value)


def _to_boolean(value: Any) -> bool:
    if value not in (0, 1):
        raise ValueError(value)
    return bool(value)


def _to_decimal(value: Any, scale: int) -> Decimal:
    if isinstance(value, float):
        # A database without decimals keeps a declared one as binary: its digits are the declared.
        return Decimal(repr(value)).quantize(Decimal(1).scaleb(-scale), ROUND_HALF_EVEN)
    if isinstance(value, str):
        raise TypeError(value)
    return Decimal(value)


def _to_local_time(value: Any) -> datetime:
    moment = datetime.fromisoformat(value) if isinstance(value, str) else value
    if isinstance(moment, datetime):
        if moment.tzinfo is not None:
            raise ValueError(value)
        return moment
    if isinstance(moment, date):
        return datetime(moment.year, moment.month, moment.day)
    raise TypeError(value)


def _to_instant(value: Any) -> datetime:
    moment = datetime.fromisoformat(value) if isinstance(value, str) else value
    if not isinstance(moment, datetime) or moment.tzinfo is None:
        raise ValueError(value)
    return moment.astimezone(UTC)


def _to_date(value: Any) -> date:
    day = date.fromisoformat(value) if isinstance(value, str) else value
    if isinstance(day, datetime) or not isinstance(day, date):
        raise TypeError(value)
    return day


def _to_time(value: Any) -> time:
    moment = time.fromisoformat(value) if isinstance(value, str) else value
    if not isinstance(moment, time):
        raise TypeError(value)
    return moment


def _is_json(type_: pa.DataType) -> bool:
    return isinstance(type_, pa.JsonType)


_CONVERTERS: tuple[tuple[Callable[[pa.DataType], bool], type, Callable[[Any], Any]], ...] = (
    (_is_json, str, _to_json),
    (pa.types.is_string, str, _to_text),
    (pa.types.is_boolean, bool, _to_boolean),
    (pa.types.is_integer, int, _to_whole),
    (pa.types.is_floating, float, _to_float),
    (pa.types.is_date, date, _to_date),
    (pa.types.is_time, time, _to_time),
    (pa.types.is_binary, bytes, bytes),
)

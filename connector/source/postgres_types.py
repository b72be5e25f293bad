"""What PostgreSQL's types are in Arrow.

Values arrive as what they are: what the driver has no type for is cast in the query, and what it
spells its own way (exact numbers as text, infinite times as overflown ones) is mended batch by
batch.
"""

from __future__ import annotations

import re

import pyarrow as pa
import pyarrow.compute as pc

from connector.sql import identifier, literal

_MAX_DECIMAL_DIGITS = 38
_EMBEDDINGS = {"vector", "halfvec"}
_EPOCH_US, _EPOCH_DAYS = 946_684_800_000_000, 10_957
"""PostgreSQL counts from the year 2000; the driver adds this, and infinity overflows."""

_NESTED = "several dimensions in "
_IS_NESTED = re.compile(rf'invalid input syntax for type integer: "{_NESTED}(.*)"')


def readable(field: pa.Field) -> str:
    """A column as an expression that the driver knows how to read."""
    name = identifier(field.name)
    kind = kind_of(field)
    if kind == "numeric":
        return name if _decimal(field) else f"{name}::float8 AS {name}"
    if kind == "money":
        return f"{name}::numeric::float8 AS {name}"
    if kind == "oid":
        return f"{name}::int8 AS {name}"
    if kind in _EMBEDDINGS:
        return f"{name}::float4[] AS {name}"
    if kind == "hstore":
        return f"{name}::jsonb AS {name}"
    if _holds_struct(field.type):
        # The driver loses which rows of a composite type are null.
        return f"to_json({name}) AS {name}"
    if _is_opaque(field.type):
        return f"{name}::text AS {name}"
    if pa.types.is_list(field.type):
        plain = name
        if _is_opaque(field.type.value_type):
            plain = f"{name}::{'float8' if kind == '_numeric' else 'text'}[]"
        return f"{_flat(field.name, plain)} AS {name}"
    return name


def _flat(column: str, value: str) -> str:
    """An array that fails the read where it has several dimensions: the driver would lose them."""
    name = identifier(column)
    # Of the column, lest the planner works it out beforehand.
    failing = f"(left({name}::text, 0) || {literal(_NESTED + column)})::int = 0"
    refused = f"CASE WHEN {failing} THEN {value} END"
    return f"CASE WHEN array_ndims({name}) > 1 THEN {refused} ELSE {value} END"


def kind_of(field: pa.Field) -> str:
    """PostgreSQL's own name of a column's type."""
    kind: bytes = (field.metadata or {}).get(b"POSTGRESQL:type", b"")
    return kind.decode()


def _is_opaque(type_: pa.DataType) -> bool:
    return isinstance(type_, pa.OpaqueType)


def _holds_struct(type_: pa.DataType) -> bool:
    inner = type_.value_type if pa.types.is_list(type_) else type_
    return isinstance(inner, pa.StructType)


def _decimal(field: pa.Field) -> pa.DataType | None:
    """numeric(p, s) where it fits a DECIMAL; numeric of any size is read as DOUBLE."""
    modifier = int((field.metadata or {}).get(b"POSTGRESQL:typmod", b"-1"))
    if kind_of(field) != "numeric" or modifier < 0:
        return None
    precision = (modifier - 4) >> 16 & 0xFFFF
    scale = ((modifier - 4) & 0x7FF ^ 0x400) - 0x400
    fits = 0 <= scale <= precision <= _MAX_DECIMAL_DIGITS
    return pa.decimal128(precision, scale) if fits else None


def delivered(schema: pa.Schema) -> pa.Schema:
    """The columns once they are mended."""
    return pa.schema([pa.field(each.name, _decimal(each) or each.type) for each in schema])


def spelled(type_: pa.DataType) -> str:
    """An exact number's type in SQL."""
    return f"numeric({type_.precision}, {type_.scale})"


def mended(column: pa.Array, to: pa.DataType) -> pa.Array:
    """Values of one batch as `delivered` says.

    Raises:
        pa.ArrowInvalid: an exact number is NaN.
    """
    if _is_opaque(column.type):
        return column.storage.cast(to)
    if pa.types.is_timestamp(to):
        return _infinite(column, pa.int64(), _EPOCH_US, 2**63)
    if pa.types.is_date(to):
        return _infinite(column, pa.int32(), _EPOCH_DAYS, 2**31)
    return column


def nested_arrays(error: str) -> str | None:
    """What to say of an error that `readable` provoked, None when it is another."""
    found = _IS_NESTED.search(error)
    if found is None:
        return None
    return (
        f"column {found[1]!r} holds arrays of several dimensions, which no field can; "
        f"read it with a `query`, as to_json({identifier(found[1])})"
    )


def _infinite(column: pa.Array, integer: pa.DataType, epoch: int, size: int) -> pa.Array:
    """Infinity as DuckDB has it: the largest number of days or microseconds, or its negative."""
    later, earlier = -size + epoch - 1, -size + epoch
    numbers = column.view(integer)
    lowest = pc.min_max(numbers)["min"].as_py()
    if lowest is None or lowest > earlier:
        return column
    largest = pa.scalar(size - 1, integer)
    smallest = pa.scalar(1 - size, integer)
    numbers = pc.if_else(pc.equal(numbers, pa.scalar(later, integer)), largest, numbers)
    numbers = pc.if_else(pc.equal(numbers, pa.scalar(earlier, integer)), smallest, numbers)
    return numbers.view(column.type)

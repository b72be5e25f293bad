"""Python values as drivers hand them out become Arrow columns."""

from __future__ import annotations

import uuid
from datetime import UTC, date, datetime, time, timedelta, timezone
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from connector.source.rows import (
    JSON,
    LOCAL_TIME,
    UTC_TIME,
    WHOLE,
    NotThatTypeError,
    infer,
    settle,
    to_array,
)

NOON = datetime(2026, 3, 1, 12, 30)
PARIS = timezone(timedelta(hours=1))


@pytest.mark.parametrize(
    ("values", "type_"),
    [
        ([], pa.string()),
        ([None], pa.string()),
        (["a", None], pa.string()),
        ([True, None], pa.bool_()),
        ([1, True], pa.int64()),
        ([2**63 - 1, -(2**63)], pa.int64()),
        ([2**63], WHOLE),
        ([10**38], pa.float64()),
        ([1, 1.5], pa.float64()),
        ([Decimal(5), Decimal("5.0")], WHOLE),
        ([Decimal("1.25"), 1], pa.float64()),
        ([Decimal("NaN")], pa.float64()),
        ([NOON], LOCAL_TIME),
        ([NOON, date(2026, 3, 1)], LOCAL_TIME),
        ([NOON.replace(tzinfo=PARIS)], UTC_TIME),
        ([date(2026, 3, 1)], pa.date32()),
        ([time(1, 2)], pa.time64("us")),
        ([b"a", memoryview(b"b")], pa.binary()),
        ([{"a": 1}, [1, "a"]], JSON),
        ([["a", None], []], pa.list_(pa.string())),
        ([[1, 2.5], (3,)], pa.list_(pa.float64())),
        ([[{"a": 1}]], JSON),
        ([1, "a"], pa.string()),
        ([uuid.UUID(int=1)], pa.string()),
    ],
)
def test_a_type_is_read_off_the_values(values: list[Any], type_: pa.DataType) -> None:
    assert infer(values) == type_
    assert to_array(values, type_).type == type_


@pytest.mark.parametrize(
    ("values", "type_", "arrived"),
    [
        ([0, 1, None], pa.bool_(), [False, True, None]),
        ([Decimal(5)], pa.int64(), [5]),
        ([12.3, 12, Decimal("1.5")], pa.decimal128(10, 2),
         [Decimal("12.30"), Decimal("12.00"), Decimal("1.50")]),
        ([0.1 + 0.2], pa.decimal128(10, 2), [Decimal("0.30")]),
        ([Decimal("0.1")], pa.float64(), [0.1]),
        (["2026-03-01 12:30:00", "2026-03-01T12:30", "2026-03-01"], LOCAL_TIME,
         [NOON, NOON, datetime(2026, 3, 1)]),
        ([date(2026, 3, 1)], LOCAL_TIME, [datetime(2026, 3, 1)]),
        ([NOON.replace(tzinfo=PARIS), "2026-03-01T12:30:00Z"], UTC_TIME,
         [datetime(2026, 3, 1, 11, 30, tzinfo=UTC), NOON.replace(tzinfo=UTC)]),
        (["2026-03-01"], pa.date32(), [date(2026, 3, 1)]),
        (["12:30:00"], pa.time64("us"), [time(12, 30)]),
        ([5, b"a", NOON, {"a": 1}], pa.string(),
         ["5", "a", "2026-03-01T12:30:00", '{"a": 1}']),
        ([{"a": Decimal(1)}, '{"b": 2}'], JSON, ['{"a": "1"}', '{"b": 2}']),
        ([bytearray(b"a")], pa.binary(), [b"a"]),
    ],
)  # fmt: skip
def test_values_become_what_the_column_is(
    values: list[Any], type_: pa.DataType, arrived: list[Any]
) -> None:
    assert to_array(values, type_).to_pylist() == arrived


@pytest.mark.parametrize(
    ("value", "type_"),
    [
        ("5", pa.int64()),
        (1.5, pa.int64()),
        (2**63, pa.int64()),
        ("1.5", pa.float64()),
        ("1", pa.decimal128(10, 2)),
        (Decimal("1.234"), pa.decimal128(10, 2)),
        (10**9, pa.decimal128(10, 2)),
        (2, pa.bool_()),
        ("true", pa.bool_()),
        ("yesterday", LOCAL_TIME),
        (1_700_000_000, LOCAL_TIME),
        ("2026-03-01T12:30:00Z", LOCAL_TIME),
        (NOON, UTC_TIME),
        (NOON, pa.date32()),
        ("noon", pa.time64("us")),
        (b"\xff", pa.string()),
        ({"a": float("nan")}, JSON),
    ],
)
def test_nothing_is_bent_into_a_column(value: Any, type_: pa.DataType) -> None:
    with pytest.raises(NotThatTypeError):
        to_array([None, value], type_)


def test_a_declaration_holds_where_every_value_fits_it() -> None:
    assert settle([1, 0, None], pa.bool_()) == pa.bool_()
    assert settle([1, 2], pa.bool_()) == pa.int64()
    assert settle(["2026-03-01", "n/a"], LOCAL_TIME) == pa.string()
    assert settle([], pa.decimal128(10, 2)) == pa.decimal128(10, 2)


scalars = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(allow_nan=False), st.text(),
    st.binary(), st.dates(), st.datetimes(), st.times(), st.decimals(allow_nan=False),
)  # fmt: skip


@given(st.lists(scalars, max_size=5))
def test_what_was_read_off_values_holds_them(values: list[Any]) -> None:
    try:
        array = to_array(values, infer(values))
    except NotThatTypeError:
        # Bytes that are no text, among values of other kinds: no column holds both.
        assert any(isinstance(value, bytes) for value in values)
    else:
        assert [value is None for value in array.to_pylist()] == [v is None for v in values]

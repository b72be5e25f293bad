"""Whatever a row holds: its payload is JSON and says what the row says, or the row is refused."""

from __future__ import annotations

import struct
from datetime import datetime
from typing import Any

import duckdb
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.support.scanned import exactly
from tests.unit.mapping.conftest import Desk

# Not `@`: an e-mail address would be refused for what it is.
TEXTS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="@"), max_size=40)
LONG_TEXTS = st.builds(lambda text, times: text * times, TEXTS, st.sampled_from([1, 1, 1, 600]))
EDGES = [2**53, 2**53 + 1, -(2**53) - 1, 2**63 - 1, -(2**63), 127, 128, -128, -129]
INTEGERS = st.integers(-300, 300) | st.integers(-(2**63), 2**63 - 1) | st.sampled_from(EDGES)
MILLISECONDS = st.datetimes().map(
    lambda moment: moment.replace(microsecond=moment.microsecond // 1000 * 1000)
)
TIMES = MILLISECONDS | st.datetimes(min_value=datetime(1970, 1, 1))
LISTS = st.lists(TEXTS | st.none(), max_size=4) | st.lists(TEXTS, max_size=4)
VECTORS = st.lists(st.floats(width=32) | st.none(), max_size=4) | st.lists(
    st.floats(-1, 1, width=32)
)

ROWS = st.tuples(
    st.none() | LONG_TEXTS,
    st.none() | INTEGERS,
    st.none() | st.floats(),
    st.none() | TIMES,
    st.none() | LISTS,
    st.none() | VECTORS,
)

FIELDS = """
uid: k::VARCHAR
text: text
number: number
fraction: fraction
time: time
list: list
vector: vector
small: number::TINYINT
"""


def _finite(value: float) -> bool:
    return value == value and abs(value) != float("inf")


def expected(row: tuple[Any, ...]) -> tuple[dict[str, Any], set[tuple[str, str]]]:
    """The fields that the row says, and the rules that it breaks."""
    text, number, fraction, time, list_, vector = row
    broken = set()
    if text is not None and len(text.encode()) > 16 * 1024:
        broken.add(("too_long", "text"))
    if number is not None and abs(number) > 2**53:
        broken.add(("integer_too_large", "number"))
    if number is not None and not -128 <= number <= 127:
        broken.add(("expression_failed", "small"))
    if fraction is not None and not _finite(fraction):
        broken.add(("not_finite", "fraction"))
    if list_ is not None and None in list_:
        broken.add(("not_strings", "list"))
    if vector is not None and None in vector:
        broken.add(("not_an_embedding", "vector"))
    if vector is not None and not all(map(_finite, filter(None, vector))):
        broken.add(("not_finite", "vector"))
    fields = {
        "text": text, "number": number, "fraction": fraction, "small": number, "list": list_,
        "time": None if time is None else time.isoformat(timespec="milliseconds") + "Z",
    }  # fmt: skip
    return fields, broken


@settings(
    max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(rows=st.lists(ROWS, min_size=1, max_size=20))
def test_a_row_arrives_as_it_is_or_is_refused_for_a_rule_it_breaks(
    desk: Desk, rows: list[tuple[Any, ...]]
) -> None:
    with duckdb.connect(str(desk.path / "warehouse.duckdb")) as connection:
        connection.execute(
            "CREATE OR REPLACE TABLE t (k INTEGER, text VARCHAR, number BIGINT, fraction DOUBLE, "
            "time TIMESTAMP, list VARCHAR[], vector FLOAT[])"
        )
        numbered = [(number, *row) for number, row in enumerate(rows)]
        connection.executemany("INSERT INTO t VALUES (?, ?, ?, ?, ?, ?, ?)", numbered)
    found = desk.users(FIELDS)
    assert [row.key for row in found] == [str(number) for number in range(len(rows))]
    for given_row, row in zip(rows, found, strict=True):
        fields, broken = expected(given_row)
        if broken:
            assert (row.code, row.field) in broken
            continue
        assert row.payload is not None, row
        payload = dict(row.payload)
        # The shortest decimal of a FLOAT is another number than the FLOAT as a double.
        _assert_same_floats(payload.pop("vector"), given_row[5])
        assert exactly(payload) == exactly({"uid": row.key, "is_deleted": False, **fields})


def _assert_same_floats(sent: list[float] | None, vector: list[float] | None) -> None:
    if sent is None or vector is None:
        assert sent is None
        assert vector is None
        return
    assert [struct.pack("f", each) for each in sent] == [struct.pack("f", each) for each in vector]


TYPES = ("string", "number", "boolean", "time", "array<string>", "embedding", "object")
LIKE_JSON = st.recursive(
    st.sampled_from(["null", "true", "NaN", "-Infinity", "1e999", "9007199254740993", '"a"', '""'])
    | st.floats().map(str),
    lambda inner: (
        st.lists(inner, max_size=3).map(lambda items: f"[{', '.join(items)}]")
        | st.lists(inner, max_size=3).map(
            lambda items: "{" + ", ".join(f'"{n}": {item}' for n, item in enumerate(items)) + ",}"
        )
    ),
    max_leaves=6,
)
LIKE_TIMES = st.from_regex(
    r"-?[0-9]{1,6}[-/ T:][0-9]{1,2}[-/]?[0-9]{0,3}([T ]?[0-9]{1,2}:?[0-9]{0,2}(:[0-9.]{0,9})?)?"
    r"( ?(Z|UTC|PM|CEST|[+-][0-9]{2}:?[0-9]{0,2}))?",
    fullmatch=True,
)
LIKE_NUMBERS = st.from_regex(r"\s?[+-]?[0-9_.]{0,45}([eE][+-]?[0-9]{1,4})?\s?", fullmatch=True)


@settings(
    max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(texts=st.lists(TEXTS | LIKE_JSON | LIKE_TIMES | LIKE_NUMBERS, min_size=1, max_size=30))
def test_text_declared_as_anything_is_sent_as_that_or_refused(desk: Desk, texts: list[str]) -> None:
    with duckdb.connect(str(desk.path / "warehouse.duckdb")) as connection:
        connection.execute("CREATE OR REPLACE TABLE t (k INTEGER, text VARCHAR)")
        connection.executemany("INSERT INTO t VALUES (?, ?)", list(enumerate(texts)))
    fields = ["id: k::VARCHAR", "sid: {value: s}", "original_timestamp: {value: '2024-01-01'}"]
    fields += [f"'{name}': {{expr: text, type: {name}, on_invalid: drop_field}}" for name in TYPES]
    for text, row in zip(texts, desk.events("\n".join(fields)), strict=True):
        assert row.payload is not None, row
        payload = row.payload
        assert payload["string"] == text
        for name, types in (("number", (int, float)), ("boolean", bool), ("object", dict)):
            assert isinstance(payload.get(name), (types, type(None)))  # type: ignore[arg-type]
        assert all(isinstance(item, str) for item in payload.get("array<string>", []))
        assert all(isinstance(item, float) for item in payload.get("embedding", []))
        if "time" in payload:
            datetime.strptime(payload["time"], "%Y-%m-%dT%H:%M:%S.%fZ")

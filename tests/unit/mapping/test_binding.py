"""A mapping against the columns that its source really has: every mistake, at its place."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pytest

from connector.errors import ConfigError, Place
from connector.mapping.compile import compile_mapping
from connector.mapping.mapping import Expression, Field, Mapping
from connector.mapping.rules import Kind
from tests.unit.mapping.conftest import Desk

TABLE = """SELECT 'u' AS user_id, 'de' AS country_code, 5 AS orders, [1.5] AS vector,
    {'a': 1} AS nested, '\\x00'::BLOB AS raw, TIME '01:00' AS clock, true AS flag, 'x' AS größe,
    DATE '2024-01-01' AS day, [['a']] AS lists, union_value(num := 1) AS either"""

USERS = """\
kind: users
source: w
table: t
fields:
  uid: user_id
  x: {x}
"""


def _said(x: str) -> str:
    return USERS.replace("{x}", x)


@pytest.mark.parametrize(
    ("x", "said"),
    [
        # Where it stands, in every way that YAML can write it
        ("contry_code", "6:6: 'contry_code' is no column of t; did you mean 'country_code'?"),
        ("upper(contry_code)", "6:12: 'contry_code' is no column of t;"
         " did you mean 'country_code'?"),
        ('"upper(contry_code)"', "6:13: 'contry_code' is no column of t;"
         " did you mean 'country_code'?"),
        ("'upper(contry_code)'", "6:13: 'contry_code' is no column of t;"
         " did you mean 'country_code'?"),
        ("{expr: upper(contry_code)}", "6:19: 'contry_code' is no column of t;"
         " did you mean 'country_code'?"),
        ("größe || ordrs", "6:15: 'ordrs' is no column of t; did you mean 'orders'?"),
        ("|\n    concat(\n      country_code,\n      ordrs)", "9:7: 'ordrs' is no column of t;"
         " did you mean 'orders'?"),
        ("|\n    'one' || nope ||\n\n    orders", "7:14: 'nope' is no column of t"),
        (">\n    concat(country_code,\n    ordrs)", "7:5: 'ordrs' is no column of t;"
         " did you mean 'orders'?"),
        ("concat(country_code,\n    ordrs)", "6:6: 'ordrs' is no column of t;"
         " did you mean 'orders'?"),
        ('"\\"ordrs\\" + 1"', "6:7: 'ordrs' is no column of t; did you mean 'orders'?"),
        # What it is
        ("orders +", '6:13: syntax error at or near "+"'),
        ("orders; DROP TABLE t", "6:6: an expression is a value over one row, not a statement"),
        ("orders + (SELECT 1)", "6:15: a subquery is not allowed in an expression"),
        ("sum(orders)", "6:6: sum() is over many rows; an expression is a value over one row"),
        ("t.orders", "6:6: 't' is no column of t"),
        ("source.orders", "6:6: 'source' is no column of t"),
        ("rowid", "6:6: 'rowid' is no column of t"),
        ("nope(orders)", "6:6: Scalar Function with name nope does not exist!"),
        ("upper(orders, 1)", "6:6: No function matches the given name and argument types"
         " 'upper(INTEGER, INTEGER_LITERAL)'. You might need to add explicit type casts."),
        ("nested", "6:3: 'x' is STRUCT(a INTEGER), an object; users have none;"
         " take single values out of it, or declare another `type:`"),
        ("either", "6:3: 'x' is UNION(num INTEGER), which is none of the platform's field types;"
         " declare a `type:` and write an expression that yields it"),
        ("clock", "6:3: 'x' is TIME, which is none of the platform's field types;"
         " declare a `type:` and write an expression that yields it"),
        ("lists", "6:3: 'x' is VARCHAR[][], which is none of the platform's field types;"
         " declare a `type:` and write an expression that yields it"),
        ("raw", "6:3: 'x' is BLOB, which is none of the platform's field types;"
         " declare a `type:` and write an expression that yields it"),
        ("{expr: raw, type: string}", "6:13: 'x' is BLOB, which cannot be sent as string;"
         " write base64(…) or decode(…) around it"),
        ("{expr: day, type: number}", "6:13: 'x' is DATE, which cannot be sent as number;"
         " write an expression that yields a number"),
        ("{expr: day, type: boolean}", "6:13: 'x' is DATE, which cannot be sent as boolean;"
         " write a comparison that yields true or false"),
        ("{expr: flag, type: time}", "6:13: 'x' is BOOLEAN, which cannot be sent as time;"
         " a time is a date, a timestamp, text or Unix time"),
        ("{expr: vector, type: array<string>}", "6:13: 'x' is DECIMAL(2,1)[], which cannot be sent"
         " as array<string>; write list_transform(…) to make its items text"),
        ("{expr: orders, type: array<string>}", "6:13: 'x' is INTEGER, which cannot be sent"
         " as array<string>; write a list, or string_split(…) of a text"),
        ("{expr: nested, type: string}", "6:13: 'x' is STRUCT(a INTEGER), which cannot be sent as"
         " string; write to_json(…) or array_to_string(…) around it"),
        ("{expr: flag, type: embedding}", "6:13: 'x' is BOOLEAN, which cannot be sent as embedding;"
         " an embedding is a list of numbers"),
        ("orders\n  IS_DELETED: flag", "7:3: 'is_deleted' and 'IS_DELETED' differ only by case"),
        ("orders\n  X: flag", "7:3: 'x' and 'X' differ only by case"),
        ("orders\n  is_deleted: orders", "7:15: 'is_deleted' is INTEGER, not true or false"),
        ("orders\ndeletes: {soft_when: orders}", "7:22: `soft_when` is INTEGER,"
         " not true or false"),
        ("orders\ndeletes: {hard_when: nope}", "7:22: 'nope' is no column of t"),
        ("orders\nconsent: {when: country_code}", "7:17: `consent` is VARCHAR, not true or false"),
    ],
)  # fmt: skip
def test_a_mistake_is_named_where_it_stands(desk: Desk, x: str, said: str) -> None:
    desk.table(TABLE)
    (mistake,) = desk.mistakes(_said(x))
    assert mistake.startswith(f"m.yaml:{said}")


def test_all_mistakes_are_shown_at_once_in_the_order_of_the_file(desk: Desk) -> None:
    desk.table(TABLE)
    mistakes = desk.mistakes("""\
        kind: events
        source: w
        table: t
        type: {expr: evnt}
        fields:
          id: day
          original_timestamp: flag
          uid: user_id
          a: nope_a || nope_b
          b: random()
          rank: country_code || (SELECT 1)
        types:
          click:
            fields: {item_id: nope_c, click_type: raw}
            filter: orders
        cursor: clock
        lookback: 1h
        """)
    places = [mistake.removeprefix("m.yaml:").split(": ", 1)[0] for mistake in mistakes]
    assert places == ["4:14", "6:7", "7:23", "9:6", "9:16", "10:6", "11:25", "14:23",
                      "14:43", "15:13", "16:9"]  # fmt: skip


def test_a_click_type_that_is_binary_is_refused_at_its_place(desk: Desk) -> None:
    desk.table(TABLE)
    mistakes = desk.mistakes("""\
        kind: events
        source: w
        table: t
        type: click
        fields: {uid: user_id, original_timestamp: day, item_id: user_id, click_type: raw}
        """)
    assert mistakes == [
        "m.yaml:5:79: 'click_type' is BLOB, which cannot be sent as string;"
        " write base64(…) or decode(…) around it"
    ]


def test_a_field_has_one_type_in_all_of_a_mapping(desk: Desk) -> None:
    desk.table(TABLE)
    mistakes = desk.mistakes("""\
        kind: events
        source: w
        table: t
        type: {expr: country_code}
        fields: {uid: user_id, original_timestamp: day, x: orders}
        types: {a: {fields: {x: country_code}}}
        """)
    assert mistakes == [
        "m.yaml:6:22: 'x' is string here and number elsewhere in this mapping;"
        " a field has one type on the platform: declare a `type:`"
    ]


def test_the_place_follows_a_file_that_was_edited(desk: Desk) -> None:
    desk.table(TABLE)
    assert desk.mistakes(_said("upper(nope)"))[0].startswith("m.yaml:6:12:")
    assert desk.mistakes("# one more line\n" + _said("'upper(nope)'"))[0].startswith("m.yaml:7:13:")


def _users(**fields: str) -> Mapping:
    place = Place(Path("m.yaml"))
    made = tuple(Field(name, Expression(sql, place), place) for name, sql in fields.items())
    return Mapping("m", Kind.USERS, place, "w", made, table="t")


@pytest.mark.parametrize("sql", ["a", '"A"', "upper(a)"])
def test_a_name_that_several_columns_have_but_for_case_is_refused(sql: str) -> None:
    schema = pa.schema([("k", pa.string()), ("A", pa.string()), ("a", pa.string())])
    with pytest.raises(ConfigError, match="several columns, which differ only by case"):
        compile_mapping(_users(uid="k", x=sql), schema)
    assert compile_mapping(_users(uid="k"), schema).columns == ("k",)


@pytest.mark.parametrize("sql", ["rowid", '"ROWID"', "upper(rowid)"])
def test_a_column_called_rowid_is_refused_for_it_would_be_mistaken(sql: str) -> None:
    schema = pa.schema([("k", pa.string()), ("rowid", pa.string())])
    with pytest.raises(ConfigError, match="DuckDB's own name for a row"):
        compile_mapping(_users(uid="k", x=sql), schema)


def test_letters_beyond_ascii_tell_columns_apart() -> None:
    schema = pa.schema([("k", pa.string()), ("É", pa.string()), ("é", pa.string())])
    assert compile_mapping(_users(uid="k", x="é"), schema).columns == ("k", "é")
    assert compile_mapping(_users(uid="K", x="É"), schema).columns == ("k", "É")

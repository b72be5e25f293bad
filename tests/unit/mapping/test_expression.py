"""Expressions: one value over one row, whatever SQL there is besides; and where they go wrong."""

from __future__ import annotations

from collections.abc import Iterator

import duckdb
import pytest

from connector.mapping.expression import ExpressionError, Parser


@pytest.fixture(scope="module")
def parser() -> Iterator[Parser]:
    with duckdb.connect() as connection:
        yield Parser(connection)


@pytest.mark.parametrize(
    ("sql", "columns"),
    [
        ("country", {"country": 0}),
        ("upper(country)", {"country": 6}),
        ('"Order ID" || \'-\' || "quo""te"', {"Order ID": 0, 'quo"te': 21}),
        ("été + naïve * größe", {"été": 0, "naïve": 6, "größe": 14}),
        ("'👋' || b", {"b": 7}),
        ("CASE WHEN a THEN b END", {"a": 10, "b": 17}),
        ("a.b.c", {"a": 0}),
        ("a['b'][1:2]", {"a": 0}),
        ("{'k': a, 'l': [b]}", {"a": 6, "b": 15}),
        ("map {'k': a}", {"a": 10}),
        ("j -> '$.x'", {"j": 0}),
        ("j ->> k", {"j": 0, "k": 6}),
        ("country.upper()", {"country": 0}),
        ("list_transform(xs, lambda x: x + y)", {"xs": 15, "y": 33}),
        ("list_transform(xs, lambda x, i: x + i)", {"xs": 15}),
        ("list_transform(xs, lambda x: x.upper() || x -> '$')", {"xs": 15}),
        ("list_transform(xs, lambda x: y)", {"xs": 15, "y": 29}),
        ("[x + z for x in xs if x > y]", {"z": 5, "xs": 16, "y": 26}),
        ("a::DECIMAL(10, 2)", {"a": 0}),
        ("try_cast(a AS DATE) + INTERVAL 1 DAY", {"a": 9}),
        ("a AT TIME ZONE 'Europe/Berlin'", {"a": 0}),
        ("coalesce(a, 'x') -- a comment", {"a": 9}),
        ("/* one */ a /* two */", {"a": 10}),
        ("a\n  + b", {"a": 0, "b": 6}),
        ("main.upper(a)", {"a": 11}),
        ("now() - a", {"a": 8}),
        ("'gold'", {}),
        ("42", {}),
        ("NULL", {}),
        ("$$it's; -- text$$", {}),
    ],
)
def test_a_value_over_one_row_names_the_columns_it_reads_and_where(
    parser: Parser, sql: str, columns: dict[str, int]
) -> None:
    uses = parser.parse(sql).columns
    found: dict[str, int] = {}
    for use in uses:
        found.setdefault(use.name, use.offset)
    assert found == columns


QUERY = "an expression is a value over one row, not a query"
STATEMENT = "an expression is a value over one row, not a statement"


@pytest.mark.parametrize(
    ("sql", "message", "offset"),
    [
        ("", "the expression is empty", 0),
        (" \n ", "the expression is empty", 0),
        ("-- nothing", "the expression is empty", 0),
        # More than a value
        ("a; DROP TABLE source", STATEMENT, 0),
        ("1; COPY source TO 'x.csv'", STATEMENT, 0),
        ("1; ATTACH 'x.db'", STATEMENT, 0),
        ("a, b", "one expression was expected, not 2", 0),
        ("a FROM other", QUERY, 0),
        ("a FROM 'x.csv'", QUERY, 0),
        ("a FROM read_text('/etc/passwd')", QUERY, 0),
        ("a WHERE true", QUERY, 0),
        ("a GROUP BY ALL", QUERY, 0),
        ("a ORDER BY 1", QUERY, 0),
        ("a LIMIT 1", QUERY, 0),
        ("DISTINCT a", QUERY, 0),
        ("a UNION ALL SELECT 1", "one expression was expected, not a query", 0),
        ("a AS b", "leave out the name ('b')", 0),
        ("a b", "leave out the name ('b')", 0),
        # Not of one row, not of this row
        ("(SELECT 1)", "a subquery is not allowed", 0),
        ("a + (SELECT max(b) FROM other)", "a subquery is not allowed", 4),
        ("été IN (SELECT b FROM other)", "a subquery is not allowed", 7),
        ("EXISTS (FROM other)", "a subquery is not allowed", 0),
        ("ARRAY(SELECT 1)", "a subquery is not allowed", 0),
        ("*", "a star is not allowed", 0),
        ("a.*", "a star is not allowed", 0),
        ("COLUMNS('a')", "a star is not allowed", 0),
        ("coalesce(*COLUMNS(*))", "a star is not allowed", 18),
        ("?", "a parameter is not allowed", 0),
        ("a + $1", "a parameter is not allowed", 4),
        ("$pii_inner", "a parameter is not allowed", 0),
        ("#1", "a column by its number is not allowed", 0),
        ("DEFAULT", "DEFAULT is not allowed", 0),
        ("sum(a)", "sum() is over many rows", 0),
        ("1 + count(*)", "count_star() is over many rows", 4),
        ("max(a)", "max() is over many rows", 0),
        ("string_agg(a, ',')", "string_agg() is over many rows", 0),
        ("row_number() OVER ()", "a window function is not allowed", 0),
        ("lag(a) OVER (ORDER BY b)", "a window function is not allowed", 0),
        ("unnest(xs)", "unnest() makes several rows of one", 0),
        ("[unnest(xs)]", "unnest() makes several rows of one", 1),
        # Different every time
        ("random()", "random() differs at every call", 0),
        ("a || uuid()", "uuid() differs at every call", 5),
        ("gen_random_uuid()", "gen_random_uuid() differs at every call", 0),
        ("nextval('s')", "nextval() differs at every call", 0),
        ("write_log('x')", "write_log() differs at every call", 0),
        ("list_transform(xs, lambda x: random())", "random() differs at every call", 29),
        # Not SQL
        ("a +", "syntax error", 2),
        ("upper(a", "syntax error", 6),
        ("a)", "syntax error", 1),
        ("größe + nope(", "syntax error", 12),
        ("'a", "unterminated string", 0),
        ("a /* b", "unterminated", 2),
        ("order", "syntax error", 0),
    ],
)
def test_anything_else_is_refused_where_it_stands(
    parser: Parser, sql: str, message: str, offset: int
) -> None:
    with pytest.raises(ExpressionError) as caught:
        parser.parse(sql)
    assert message in caught.value.message
    assert caught.value.offset == offset

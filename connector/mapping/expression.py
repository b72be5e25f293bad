"""Mapping expressions: parsed by DuckDB itself, kept to what a value over one row may do.

An expression sees the columns of its row and nothing else. Statements, subqueries, parameters,
aggregates and functions that differ at every call are refused before anything runs; files and the
network are out of reach besides (`enable_external_access`).
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from functools import cache
from typing import Any

import duckdb

from connector.mapping.scratch import scratch

_REFUSED = {
    "SUBQUERY": "a subquery",
    "STAR": "a star",
    "PARAMETER": "a parameter",
    "WINDOW": "a window function",
    "DEFAULT": "DEFAULT",
    "POSITIONAL_REFERENCE": "a column by its number",
}
"""Classes of DuckDB's syntax tree that are no value over one row."""

_MULTIPLYING = {"unnest", "unlist"}
"""Functions that make several rows of one."""

_NO_COLUMNS = {"main", "system", "pg_catalog"}
"""What may qualify the name of a function; anything else is a column it is called on."""

_EMPTY = "the expression is empty"
_EXPLAINED = {
    "Only SELECT": "an expression is a value over one row, not a statement",
    "SELECT clause without": _EMPTY,
}
"""What the beginning of DuckDB's message means for an expression."""

_CLAUSES = ("where_clause", "having", "qualify", "sample")


class ExpressionError(ValueError):
    """An expression that cannot be used; `offset` is where in its text, in characters."""

    def __init__(self, message: str, offset: int = 0, hint: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.offset = offset
        self.hint = hint


@dataclass(frozen=True, slots=True)
class ColumnUse:
    """A column that an expression reads, as written, and where in its text."""

    name: str
    offset: int


@dataclass(frozen=True, slots=True)
class Parsed:
    """An expression that is fit for use, and what it reads."""

    sql: str
    columns: tuple[ColumnUse, ...]


_PREFIX = "SELECT "


@cache
def _functions() -> tuple[frozenset[str], frozenset[str]]:
    """Names of DuckDB's volatile functions, and of those that are aggregates only."""
    with closing(scratch()) as connection:
        rows = connection.execute(
            "SELECT lower(function_name), bool_or(stability = 'VOLATILE'), "
            "bool_and(function_type = 'aggregate') FROM duckdb_functions() GROUP BY 1"
        ).fetchall()
    volatile = frozenset(name for name, is_volatile, _ in rows if is_volatile)
    return volatile, frozenset(name for name, _, is_aggregate in rows if is_aggregate)


class Parser:
    """Parses expressions with the DuckDB of `connection`, which never runs them."""

    def __init__(self, connection: duckdb.DuckDBPyConnection) -> None:
        self._connection = connection

    def parse(self, sql: str) -> Parsed:
        """Check the form of an expression.

        Raises:
            ExpressionError: it does not parse, or is more than a value over one row.
        """
        if not sql.strip():
            raise ExpressionError(_EMPTY)
        node = self._select_node(sql)
        selected = node["select_list"]
        if len(selected) != 1:
            raise ExpressionError(f"one expression was expected, not {len(selected)}")
        if _is_query(node):
            raise ExpressionError("an expression is a value over one row, not a query")
        if selected[0].get("alias"):
            raise ExpressionError(
                f"leave out the name ({selected[0]['alias']!r}): the field's name is the key"
            )
        uses = [
            ColumnUse(use.name, _characters(sql, use.offset))
            for use in self._columns(selected[0], sql, frozenset())
        ]
        return Parsed(sql.strip(), tuple(uses))

    def _select_node(self, sql: str) -> dict[str, Any]:
        row = self._connection.execute("SELECT json_serialize_sql(?)", [_PREFIX + sql]).fetchone()
        tree: dict[str, Any] = json.loads(row[0]) if row else {"error": True}
        if tree["error"]:
            offset = int(tree.get("position") or 0) - len(_PREFIX)
            message = tree.get("error_message", "it does not parse")
            for says, means in _EXPLAINED.items():
                message = means if message.startswith(says) else message
            raise ExpressionError(message, _characters(sql, offset))
        statements = tree["statements"]
        if len(statements) != 1 or statements[0]["node"]["type"] != "SELECT_NODE":
            raise ExpressionError("one expression was expected, not a query")
        node: dict[str, Any] = statements[0]["node"]
        return node

    def _columns(self, node: Any, sql: str, bound: frozenset[str]) -> Iterator[ColumnUse]:
        """Every column below `node`; `bound` holds the parameters of lambdas around it."""
        if isinstance(node, list):
            for item in node:
                yield from self._columns(item, sql, bound)
        if not isinstance(node, dict):
            return
        match node.get("class"):
            case "COLUMN_REF":
                if node["column_names"][0] not in bound:
                    yield ColumnUse(node["column_names"][0], _offset(node))
                return
            case "LAMBDA" if node["syntax_type"] != "SINGLE_ARROW":  # an arrow reads JSON
                inner = bound | frozenset(_lambda_parameters(node["lhs"]))
                yield from self._columns(node["expr"], sql, inner)
                return
            case kind:
                self._check(kind, node, sql)
                on = _called_on(node)
                if on and on not in bound:
                    yield ColumnUse(on, _offset(node))
        for value in node.values():
            yield from self._columns(value, sql, bound)

    def _check(self, kind: str | None, node: dict[str, Any], sql: str) -> None:
        refusal = None
        if kind in _REFUSED:
            refusal = f"{_REFUSED[kind]} is not allowed in an expression"
        elif kind == "FUNCTION":
            name = node["function_name"].lower()
            volatile, aggregates = _functions()
            if name in volatile:
                refusal = f"{name}() differs at every call: every row would be sent every time"
            elif name in aggregates:
                refusal = f"{name}() is over many rows; an expression is a value over one row"
            elif name in _MULTIPLYING:
                refusal = f"{name}() makes several rows of one; an expression is one value"
        if refusal is not None:
            raise ExpressionError(refusal, _characters(sql, _offset(node)))


def _called_on(node: dict[str, Any]) -> str | None:
    """`country.upper()` is upper(country), though it reads like a function of a schema."""
    on: str | None = node.get("catalog") or node.get("schema")
    return on if node.get("class") == "FUNCTION" and on not in _NO_COLUMNS else None


def _is_query(node: dict[str, Any]) -> bool:
    return bool(
        node["from_table"]["type"] != "EMPTY"
        or any(node.get(clause) for clause in _CLAUSES)
        or node["group_expressions"]
        or node["aggregate_handling"] != "STANDARD_HANDLING"
        or node["modifiers"]
        or node["cte_map"]["map"]
    )


def _lambda_parameters(node: Any) -> Iterator[str]:
    if isinstance(node, list):
        for item in node:
            yield from _lambda_parameters(item)
    elif isinstance(node, dict):
        if node.get("class") == "COLUMN_REF":
            yield node["column_names"][0]
        else:
            for value in node.values():
                yield from _lambda_parameters(value)


def _offset(node: dict[str, Any]) -> int:
    location = int(node.get("query_location", 0))
    # DuckDB says 2^64 - 1 where it does not know.
    return location - len(_PREFIX) if location < 2**32 else 0


def _characters(sql: str, offset: int) -> int:
    """DuckDB counts bytes; people and editors count characters."""
    return len(sql.encode()[: max(offset, 0)].decode(errors="ignore"))

"""Where expressions of a mapping read the clock: rows change there though nobody changed them."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

import duckdb

from connector.errors import Place
from connector.mapping.bind import KEYWORD_VALUES, folded
from connector.mapping.lineage import sent_fields
from connector.mapping.mapping import Constant, Expression, Mapping

_BESIDES = frozenset({"ago", "current_localtime", "current_localtimestamp"})
"""Functions of the clock of which DuckDB's catalog does not say so."""

_OF_ONE_MOMENT = frozenset({"age"})
"""Functions that measure from today where they are given one moment, not two."""


@dataclass(frozen=True, slots=True)
class ClockRead:
    """A function or keyword of the clock, and the expression it stands in."""

    name: str
    place: Place


def clock_reads(mapping: Mapping, columns: Sequence[str]) -> Iterator[ClockRead]:
    """Every expression of a mapping that reads the clock; `columns` are those of its source."""
    known = {folded(name) for name in columns}
    for expression in _expressions(mapping):
        # A column's plain name means the column, though it be a reserved word.
        if folded(expression.sql.strip()) not in known:
            name = next(_reads(_tree(expression.sql), known), None)
            if name is not None:
                yield ClockRead(name, expression.place)


def _expressions(mapping: Mapping) -> Iterator[Expression]:
    given: list[Expression | Constant | None] = [field.value for _, field in sent_fields(mapping)]
    given += [each.filter for each in mapping.types]
    given += [mapping.deletes.soft_when, mapping.deletes.hard_when]
    given += [mapping.consent.when if mapping.consent else None]
    yield from (each for each in given if isinstance(each, Expression))


def _reads(node: Any, columns: set[str]) -> Iterator[str]:
    if isinstance(node, list):
        for item in node:
            yield from _reads(item, columns)
    if not isinstance(node, dict):
        return
    kind = node.get("class")
    if kind == "COLUMN_REF":
        name = folded(node["column_names"][0])
        if name in KEYWORD_VALUES and name not in columns:
            yield name
    elif kind == "FUNCTION":
        name = node["function_name"].lower()
        # `seen.age()` is age(seen).
        arguments = len(node["arguments"]) + bool(node.get("schema"))
        if name in _of_the_clock() or (name in _OF_ONE_MOMENT and arguments == 1):
            yield f"{name}()"
    for value in node.values():
        yield from _reads(value, columns)


def _tree(sql: str) -> Any:
    with duckdb.connect(config={"threads": 1}) as connection:
        row = connection.execute("SELECT json_serialize_sql(?)", [f"SELECT {sql}\n"]).fetchone()
    return json.loads(row[0]) if row else None


@cache
def _of_the_clock() -> frozenset[str]:
    """Names of functions that are the same within one query only."""
    with duckdb.connect(config={"threads": 1}) as connection:
        rows = connection.execute(
            "SELECT DISTINCT lower(function_name) FROM duckdb_functions() "
            "WHERE stability = 'CONSISTENT_WITHIN_QUERY'"
        ).fetchall()
    return _BESIDES | {name for (name,) in rows}

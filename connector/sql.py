"""Quoting for DuckDB SQL: the only place where names and constants become SQL text."""

from __future__ import annotations

import re
from collections.abc import Sequence

_PART = re.compile(r'"((?:[^"]|"")+)"|([^".\s]+)')


def identifier(name: str) -> str:
    """`name` as a quoted identifier, whatever it holds."""
    return '"' + name.replace('"', '""') + '"'


def literal(value: str | float | bool | Sequence[str] | None) -> str:
    """`value` as a constant; a sequence of texts becomes a list."""
    match value:
        case None:
            return "NULL"
        case bool():
            return "true" if value else "false"
        case str():
            # chr(0) cannot stand in a literal; DuckDB's text may hold it all the same.
            pieces = ("'" + part.replace("'", "''") + "'" for part in value.split("\0"))
            return " || chr(0) || ".join(pieces)
        case int() | float():
            return repr(value)
        case _:
            return "[" + ", ".join(literal(item) for item in value) + "]"


def table_parts(name: str) -> tuple[str, ...]:
    """`analytics."Dim Users"` as its parts.

    Raises:
        ValueError: `name` is not a dotted name.
    """
    parts: list[str] = []
    position = 0
    while True:
        match = _PART.match(name, position)
        if match is None:
            raise ValueError(name)
        parts.append(match[1].replace('""', '"') if match[1] is not None else match[2])
        position = match.end()
        if position == len(name):
            return tuple(parts)
        if name[position] != ".":
            raise ValueError(name)
        position += 1

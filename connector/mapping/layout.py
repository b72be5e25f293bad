"""How compiled SQL is laid out, so that people can read it."""

from __future__ import annotations

import re
from collections.abc import Iterable

from connector.sql import identifier

_QUOTED_OR_BREAK = re.compile(
    r"""[eE]'(?:[^'\\]|\\.|'')*'|'(?:[^']|'')*'|"(?:[^"]|"")*"|\$(\w*)\$.*?\$\1\$"""
    r"""|--[^\n]*|/\*.*?\*/|\n""",
    re.DOTALL,
)


def select(columns: Iterable[tuple[str, str]], table: str, where: str | None = None) -> str:
    """A query of columns, each an expression and its alias; none where that is empty."""
    selected = [f"{sql} AS {identifier(alias)}" if alias else sql for sql, alias in columns]
    condition = f"\nWHERE {where}" if where else ""
    return f"{lines('SELECT', selected, '', separator=',').rstrip()}\nFROM {table}{condition}"


def lines(head: str, items: list[str], tail: str, separator: str = "") -> str:
    """Items a line each and two further in, between a head and a tail."""
    between = f"{separator}\n"
    return f"{head}\n{indent(between.join(items))}\n{tail}"


def indent(text: str) -> str:
    """`text` two further in; what is quoted stays as it is, line breaks and all."""
    return "  " + _QUOTED_OR_BREAK.sub(lambda found: "\n  " if found[0] == "\n" else found[0], text)

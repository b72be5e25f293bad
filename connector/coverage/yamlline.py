"""One field as a line of YAML."""

from __future__ import annotations

import json

from connector.mapping.rules import FieldType
from connector.mapping.yamlfile import plain_scalar

_BEFORE_PLAIN = "-?:,[]{}#&*!|>'\"%@`= \t"


def field_line(name: str, expression: str, type_: FieldType | None = None) -> str:
    """`age: birth_age`, or with a type `labels: {expr: "…", type: array<string>}`."""
    if type_ is None:
        return f"{scalar(name)}: {scalar(expression)}"
    return f"{scalar(name)}: {{expr: {_quoted(expression)}, type: {type_}}}"


def scalar(text: str) -> str:
    """Text that YAML reads back as the same text, without quotes where it can do without."""
    plain = (
        text
        and text[0] not in _BEFORE_PLAIN
        and text == text.strip()
        and ": " not in text
        and not text.endswith(":")
        and " #" not in text
        and text.isprintable()
        and isinstance(plain_scalar(text), str)
    )
    return text if plain else _quoted(text)


def _quoted(text: str) -> str:
    """Quoted with as few escapes as can be; what cannot be printed needs double quotes."""
    doubled = json.dumps(text, ensure_ascii=not text.isprintable())
    if text.isprintable() and text.count("'") < doubled.count("\\"):
        return "'" + text.replace("'", "''") + "'"
    return doubled

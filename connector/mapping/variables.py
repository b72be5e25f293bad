"""`${VAR}` and `${VAR:-default}` in the texts of a YAML file, expanded after it is parsed.

A value can therefore never change the shape of the file. `$${` stands for the characters `${`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from connector.errors import Place, Problem
from connector.mapping.yamlfile import Document, KeyPath, Opaque, locate

_VARIABLE = re.compile(r"\$(?:\$\{|\{(?:([A-Za-z_][A-Za-z0-9_]*)(?::-([^}]*))?\})?)")


class Expanded(str):
    """A text that came out of variables: possibly secret, so no message ever shows it; and read as
    a number or a boolean where one is asked for, since a variable is always text."""

    __slots__ = ()


def expand(
    document: Document, data: Any, path: KeyPath, environment: Mapping[str, str] | None
) -> tuple[Any, list[Problem]]:
    """`data`, which stands at `path`, with its variables expanded, and what is wrong with them.

    A text whose variables are unset becomes Opaque; without an environment all of them do, and
    nothing is wrong: that is how a part is checked that nobody has asked for yet.
    """
    problems: list[Problem] = []

    def walk(value: Any, path: KeyPath) -> Any:
        if isinstance(value, dict):
            return {key: walk(each, (*path, key)) for key, each in value.items()}
        if isinstance(value, list):
            return [walk(each, (*path, index)) for index, each in enumerate(value)]
        if isinstance(value, str) and "${" in value:
            if environment is None:
                return Opaque(value)
            expanded, wrong = _expand_text(document, value, path, environment)
            problems.extend(wrong)
            return Opaque(value) if wrong else Expanded(expanded)
        return value

    return walk(data, path), problems


def opaque_places(document: Document, data: Any, path: KeyPath = ()) -> set[Place]:
    """Where the texts begin that could not be expanded."""
    if isinstance(data, Opaque):
        return {document.value(path)}
    entries: Any = ()
    if isinstance(data, dict):
        entries = data.items()
    elif isinstance(data, list):
        entries = enumerate(data)
    below = [opaque_places(document, each, (*path, key)) for key, each in entries]
    return set().union(*below)


def _expand_text(
    document: Document, text: str, path: KeyPath, environment: Mapping[str, str]
) -> tuple[str, list[Problem]]:
    problems: list[Problem] = []

    def replace(match: re.Match[str]) -> str:
        if match[0] == "$${":
            return "${"
        name, default = match[1], match[2]
        if name is None:
            hint = "write ${NAME} or ${NAME:-default}; $${ stands for the characters themselves"
            problems.append(Problem(_place(document, path, "${"), "'${' begins no variable", hint))
            return ""
        value = environment.get(name)
        if default is not None:
            return value or default
        if value is None:
            message = f"the environment variable {name} is not set"
            hint = f"set it, or give a default: ${{{name}:-…}}"
            problems.append(Problem(_place(document, path, f"${{{name}}}"), message, hint))
            return ""
        return value

    return _VARIABLE.sub(replace, text), problems


def _place(document: Document, path: KeyPath, written: str) -> Place:
    """Where in the file a variable stands: in the middle of a long query, not at its beginning."""
    start, end = document.spots[path].span
    found = document.text.find(written, start, end)
    return document.value(path) if found < 0 else locate(document.file, document.text, found)

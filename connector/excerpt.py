"""The line of a YAML file that a problem is in, fit to be shown: its secrets are covered."""

from __future__ import annotations

import re
from pathlib import Path

from connector.errors import Problem
from connector.mapping.yamlfile import lines, read_document

_SECRETS = frozenset(
    {
        "api_key",
        "proxy",
        "control_url",
        "webhook",
        "password",
        "token",
        "secret",
        "private_key_passphrase",
    }
)
_SECRET_ENTRY = re.compile(
    rf"""(?P<before>\b(?:{"|".join(sorted(_SECRETS))})["']?\s*:\s*)"""
    r"""(?P<value>"[^"]*"?|'(?:[^']|'')*'?|\S.*?(?=,\s|\s*}|\s#|$))"""
)
_CREDENTIALS = re.compile(r"""(?P<before>://)(?P<value>[^/\s"'@]*)(?=@)""")
_MAX_EXCERPT = 160


def excerpt(problem: Problem) -> str | None:
    """The line a problem is in and a caret below its column; None when there is no such line.

    What stands behind a key for secrets is covered, unless it is a variable.
    """
    place = problem.place
    if not place.line:
        return None
    try:
        text = place.file.read_text("utf-8", errors="replace")
    except OSError:
        return None
    written = lines(_without_secrets(place.file, text))
    if place.line > len(written) or not written[place.line - 1].strip():
        return None
    line = "".join(each if each.isprintable() else " " for each in written[place.line - 1])
    start = max(0, place.column - _MAX_EXCERPT // 2) if len(line) > _MAX_EXCERPT else 0
    return f"{line[start : start + _MAX_EXCERPT]}\n{' ' * (place.column - 1 - start)}^"


def _without_secrets(file: Path, text: str) -> str:
    """The text of a file with every secret covered: found as YAML, which knows of values over
    several lines, and as text, for a file that is no YAML."""
    document, _ = read_document(file)
    if document is not None and document.text == text:
        for path, spot in document.spots.items():
            start, end = spot.span
            if path and path[-1] in _SECRETS and isinstance(document.get(path), str):
                text = text[:start] + _covered(text[start:end]) + text[end:]
    for pattern in (_SECRET_ENTRY, _CREDENTIALS):
        text = pattern.sub(lambda match: match["before"] + _covered(match["value"]), text)
    return text


def _covered(value: str) -> str:
    return value if value.strip("\"'").startswith("${") else re.sub(r"\S", "*", value)

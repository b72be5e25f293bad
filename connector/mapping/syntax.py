"""What a YAML parser's complaint means, in the words of someone who edits the file."""

from __future__ import annotations

from pathlib import Path

import yaml

from connector.errors import Place

_QUOTE_ALL = (
    "check the indentation; a value that begins with a quote or a bracket ends at the matching one:"
    " put the whole value in quotes"
)
_EXPLAINED: tuple[tuple[str, str, str], ...] = (
    ("mapping values are not allowed", "a ':' where no key can stand",
     "put a value that holds ': ' in quotes, or check the indentation"),
    ("could not find expected ':'", "this line has no ':'", "a key is written `key: value`"),
    ("unexpected end of stream", "a quote is opened here and never closed", "close it"),
    ("unexpected document separator", "a quote is opened here and never closed", "close it"),
    ("',' or '}'", "a '{' is opened here and not closed, or a comma is missing",
     "put a value that holds one of , : { } [ ] in quotes"),
    ("',' or ']'", "a '[' is opened here and not closed, or a comma is missing",
     "put a value that holds one of , : { } [ ] in quotes"),
    ("did not find expected key", "this line fits nowhere", _QUOTE_ALL),
    ("expected <block end>", "this line fits nowhere", _QUOTE_ALL),
    ("did not find expected '-' indicator", "this line fits nowhere", _QUOTE_ALL),
    ("chomping or indentation indicators", "a value cannot go on here", _QUOTE_ALL),
    ("comment or line break", "a value cannot go on here", _QUOTE_ALL),
    ("block sequence entries are not allowed", "a list cannot begin here",
     "begin it on a line of its own"),
    ("unknown escape character", "an unknown escape after a backslash",
     "use single quotes, where a backslash is just that"),
)  # fmt: skip


def explain_syntax_error(
    error: yaml.YAMLError, file: Path, text: str
) -> tuple[Place, str, str | None]:
    """The place, the message and the hint of a YAML error."""
    if not isinstance(error, yaml.MarkedYAMLError) or error.problem_mark is None:
        return Place(file, 1, 1), "is no YAML", None
    problem = error.problem or ""
    mark = error.problem_mark
    character = text[mark.index : mark.index + 1]
    if "cannot start any token" in problem:
        place = Place(file, mark.line + 1, mark.column + 1)
        if character == "\t":
            return place, "a tab in the indentation", "YAML is indented with spaces"
        return place, f"a value cannot begin with '{character}'", "put it in quotes"
    for words, message, hint in _EXPLAINED:
        if words in problem:
            if "opened here" in message and error.context_mark is not None:
                mark = error.context_mark
            return Place(file, mark.line + 1, mark.column + 1), message, hint
    return Place(file, mark.line + 1, mark.column + 1), f"is no YAML: {problem}", None

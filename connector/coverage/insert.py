"""Fields added to a mapping file: line by line, so that comments, order and style stay."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from connector.coverage.suggest import Suggestion
from connector.errors import ConfigError, ConnectorError, UsageError
from connector.mapping.mapping import Mapping
from connector.mapping.yamlfile import Document, read_document
from connector.prepare import bind
from connector.project import Project, load_project


@dataclass(frozen=True, slots=True)
class FileVersion:
    """A mapping file as it was when the suggestions were made."""

    path: Path
    content: bytes

    @classmethod
    def of(cls, mapping: Mapping) -> FileVersion:
        """The file of a mapping as it is now."""
        return cls(mapping.place.file, mapping.place.file.read_bytes())


def insert(
    project: Project, mapping: Mapping, seen: FileVersion, new: Sequence[Suggestion]
) -> None:
    """Add suggested fields to a mapping's file, behind the last of its fields.

    The file is written whole or not at all, and only if the mapping is valid with them.

    Raises:
        UsageError: the file is not as it was seen.
        ConfigError: the mapping would not be valid.
    """
    file = seen.path
    if file.read_bytes() != seen.content:
        raise UsageError(f"{file} was changed meanwhile", hint="run it again")
    document, problems = read_document(file)
    if document is None:
        raise ConfigError(problems)
    changed = with_lines(document, [each.line for each in new]).encode()
    handle, name = tempfile.mkstemp(dir=file.parent, prefix=f".{file.name}.")
    try:
        with os.fdopen(handle, "wb") as stream:
            stream.write(changed)
        Path(name).chmod(file.stat().st_mode)
        Path(name).replace(file)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise
    try:
        again = load_project(project.folder)
        with bind(again, again.mapping(mapping.name)):
            return
    except ConnectorError:
        file.write_bytes(seen.content)
        raise


def with_lines(document: Document, new: Sequence[str]) -> str:
    """The text of a mapping file with lines added to its `fields`."""
    text = document.text
    names = [path for path in document.spots if len(path) == 2 and path[0] == "fields"]
    start, end = document.spots[("fields",)].span
    if text[start : start + 1] == "{":
        before = text[:end].rstrip()[:-1].rstrip()
        comma = "" if before.endswith(("{", ",")) else ","
        return f"{before}{comma} {', '.join(new)}}}{text[end:]}"
    last = max(names, key=lambda path: document.spots[path].span)
    column = document.spots[names[0]].key.column
    # A block ends where the next thing begins: the blanks in between are not its own.
    begins, ends = document.spots[last].span
    at = _line_end(text, begins + len(text[begins:ends].rstrip()))
    indent = " " * (column - 1)
    newline = "\r\n" if "\r\n" in text else "\n"
    added = "".join(f"{newline}{indent}{line}" for line in new)
    return text[:at] + added + text[at:]


def _line_end(text: str, index: int) -> int:
    ends = [found for each in ("\n", "\r") if (found := text.find(each, index)) >= 0]
    return min(ends, default=len(text))

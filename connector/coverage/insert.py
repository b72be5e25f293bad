"""Fields added to a mapping file: line by line, so that comments, order and style stay."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from connector.coverage.suggest import Suggestion
from connector.errors import ConnectorError, UsageError
from connector.mapping.mapping import Mapping
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
    changed = with_lines(seen.content.decode(), [each.line for each in new]).encode()
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


def with_lines(text: str, new: Sequence[str]) -> str:
    """The text of a valid mapping file with lines added to its `fields`."""
    fields = _fields(text)
    if fields.flow_style or not fields.value:
        before = text[: fields.end_mark.index].rstrip()[:-1].rstrip()
        comma = "" if before.endswith(("{", ",")) else ","
        between = "" if before.endswith("{") else " "
        return f"{before}{comma}{between}{', '.join(new)}}}{text[fields.end_mark.index :]}"
    at = _line_end(text, _last_character(text, fields))
    indent = " " * fields.value[0][0].start_mark.column
    newline = "\r\n" if "\r\n" in text else "\n"
    return text[:at] + "".join(f"{newline}{indent}{line}" for line in new) + text[at:]


def _fields(text: str) -> yaml.MappingNode:
    top: Any = yaml.compose(text, Loader=yaml.SafeLoader)
    fields: yaml.MappingNode = next(node for key, node in top.value if key.value == "fields")
    return fields


def _last_character(text: str, node: yaml.Node) -> int:
    """Where a node ends in truth: blocks reach to the next thing, over blanks and comments."""
    while isinstance(node, yaml.CollectionNode) and node.value and not node.flow_style:
        last = node.value[-1]
        node = last[1] if isinstance(last, tuple) else last
    begins, ends = node.start_mark.index, node.end_mark.index
    return int(begins + len(text[begins:ends].rstrip()))


def _line_end(text: str, index: int) -> int:
    ends = [found for each in ("\n", "\r") if (found := text.find(each, index)) >= 0]
    return min(ends, default=len(text))

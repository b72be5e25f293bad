"""A YAML file as plain data, with the place of every key and value.

The YAML understood here is a small and unsurprising part of YAML 1.2: mappings, lists and scalars,
without anchors, aliases or tags (a few hundred bytes of aliases can grow to gigabytes), without
duplicate keys (the last one would win in silence), and where only `true`, `false`, `null` and plain
decimal numbers are anything but text: `NO`, `0123`, `12:30:45` and dates stay what was written.
"""

from __future__ import annotations

import math
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import yaml
from yaml.events import (
    AliasEvent,
    DocumentStartEvent,
    Event,
    MappingEndEvent,
    MappingStartEvent,
    NodeEvent,
    ScalarEvent,
    SequenceEndEvent,
    SequenceStartEvent,
    StreamEndEvent,
)

from connector.errors import Place, Problem
from connector.mapping.syntax import explain_syntax_error

MAX_BYTES = 1_000_000
MAX_DEPTH = 32
_MAX_MESSAGE = 500

KeyPath = tuple[str | int, ...]
"""The way from the top of a file to a value: keys of mappings, indexes of lists."""

_LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_BREAK = re.compile(r"\r\n|[\n\r\x85\u2028\u2029]")
_UNPRINTABLE = re.compile(
    "[^\t\n\r\x20-\x7e\x85\xa0-\ud7ff\ue000-\ufefe\uff00-\ufffd\U00010000-\U0010ffff]"
)
_NO_CHARACTER = re.compile("[\0\ud800-\udfff]")
_INTEGER = re.compile(r"[-+]?(0|[1-9][0-9]{0,30})")
_FLOAT = re.compile(r"[-+]?(?=.*[.eE])(\.[0-9]+|(0|[1-9][0-9]*)(\.[0-9]*)?)([eE][-+]?[0-9]+)?")
_WORDS: dict[str, bool | None] = {
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
    **dict.fromkeys(("null", "Null", "NULL", "~", ""), None),
}


class Opaque(str):
    """A text that cannot be judged yet: it holds variables that are not expanded."""

    __slots__ = ()


@dataclass(frozen=True, slots=True)
class Spot:
    """Where an entry stands. `value` is the first character of the text itself: behind an opening
    quote, on the first line of a block; `span` is its extent in the file, in characters."""

    key: Place
    value: Place
    span: tuple[int, int]


@dataclass(frozen=True, slots=True)
class Document:
    """One YAML file: `data` in plain dicts, lists and scalars, and the spot of every entry."""

    file: Path
    text: str
    data: dict[str, Any]
    spots: dict[KeyPath, Spot]

    def key(self, path: KeyPath) -> Place:
        """Where the key of `path` stands, or of the nearest thing around it that exists."""
        return self._spot(path).key

    def value(self, path: KeyPath) -> Place:
        """Where the value of `path` begins, or that of the nearest thing around it."""
        return self._spot(path).value

    def get(self, path: KeyPath) -> Any:
        """The value at `path` as it was read; None when there is none."""
        found: Any = self.data
        for part in path:
            if not path_exists(found, part):
                return None
            found = found[part]
        return found

    def keys(self, path: KeyPath) -> frozenset[str]:
        """The keys of the mapping at `path`; none where it is no mapping."""
        found = self.get(path)
        return frozenset(found) if isinstance(found, dict) else frozenset()

    def _spot(self, path: KeyPath) -> Spot:
        while path not in self.spots:
            path = path[:-1]
        return self.spots[path]


def path_exists(container: Any, part: str | int) -> bool:
    """Whether a value is a container that holds this key or index."""
    if isinstance(container, dict):
        return part in container
    return isinstance(container, list) and isinstance(part, int) and 0 <= part < len(container)


def shown(file: Path) -> Path:
    """A path as messages show it: relative to the current directory when below it."""
    absolute = Path(os.path.abspath(file))  # noqa: PTH100 - resolve() would follow links
    here = Path.cwd()
    return absolute.relative_to(here) if absolute.is_relative_to(here) else absolute


def printable(problem: Problem) -> Problem:
    """The same problem with what it quotes of the file made fit for a terminal: a key may hold
    escape sequences, or be a page long."""
    return replace(problem, message=_fit(problem.message), hint=problem.hint and _fit(problem.hint))


def _fit(text: str) -> str:
    shortened = text if len(text) <= _MAX_MESSAGE else text[:_MAX_MESSAGE] + "…"
    return "".join(each if each.isprintable() else "�" for each in shortened)


def lines(text: str) -> list[str]:
    """The lines of a text, by YAML's idea of a line break."""
    return _BREAK.split(text)


def locate(file: Path, text: str, index: int) -> Place:
    """The place of character `index` of a file's text."""
    before = lines(text[:index])
    return Place(file, len(before), len(before[-1]) + 1)


def read_document(path: Path) -> tuple[Document | None, list[Problem]]:
    """Read one file. The document is None where nothing could be made of it."""
    file = shown(path)
    try:
        text = _read_text(file)
        return _Reader(file, text).read()
    except _Unreadable as unreadable:
        return None, [unreadable.problem]


class _Unreadable(Exception):  # noqa: N818 - never leaves this module
    def __init__(self, place: Place, message: str, hint: str | None = None) -> None:
        super().__init__(message)
        self.problem = Problem(place, message, hint)


def _read_text(file: Path) -> str:
    try:
        with file.open("rb") as stream:
            content = stream.read(MAX_BYTES + 1)
    except OSError as error:
        raise _Unreadable(Place(file), f"the file cannot be read: {error.strerror}") from None
    if len(content) > MAX_BYTES:
        raise _Unreadable(
            Place(file), f"the file is larger than {MAX_BYTES:,} bytes", "is it the right one?"
        )
    if content.startswith((b"\xef\xbb\xbf", b"\xff\xfe", b"\xfe\xff")):
        raise _Unreadable(
            Place(file, 1, 1),
            "the file begins with a byte order mark",
            "save it as UTF-8 without one",
        )
    try:
        text = content.decode("utf-8")
    except UnicodeDecodeError as error:
        before = content[: error.start].decode("utf-8")
        place = locate(file, before, len(before))
        raise _Unreadable(place, "this is not UTF-8", "save the file as UTF-8") from None
    if found := _UNPRINTABLE.search(text):
        place = locate(file, text, found.start())
        raise _Unreadable(place, f"the unprintable character U+{ord(found[0]):04X} stands here")
    return text


class _Reader:
    def __init__(self, file: Path, text: str) -> None:
        self.file = file
        self.text = text
        self.spots: dict[KeyPath, Spot] = {}
        self.problems: list[Problem] = []
        self.events: Iterator[Event] = yaml.parse(text, Loader=_LOADER)

    def read(self) -> tuple[Document | None, list[Problem]]:
        top = Place(self.file, 1, 1)
        try:
            data = self._top()
        except yaml.YAMLError as error:
            place, message, hint = explain_syntax_error(error, self.file, self.text)
            return None, [*self.problems, Problem(place, message, hint)]
        except ValueError:  # the scanner in Python, on escapes such as "\U00110000"
            return None, [*self.problems, Problem(top, "an escape that is no character")]
        if data is None:
            return None, [Problem(top, "the file is empty")]
        if not isinstance(data, dict):
            place = self.spots[()].value
            hint = "begin with a line such as `version: 1`"
            return None, [Problem(place, "the file must be a mapping of keys to values", hint)]
        return Document(self.file, self.text, data, self.spots), self.problems

    def _top(self) -> Any:
        data: Any = None
        documents = 0
        while not isinstance(event := next(self.events), StreamEndEvent):
            if isinstance(event, DocumentStartEvent):
                documents += 1
                if documents > 1:
                    place = self._place(event)
                    raise _Unreadable(place, "a second document begins here", "one a file")
            elif isinstance(event, NodeEvent):
                data = self._node(event, (), self._place(event))
        return data

    def _node(self, event: Event, path: KeyPath, key: Place) -> Any:
        place = self._place(event)
        if len(path) > MAX_DEPTH:
            raise _Unreadable(place, f"this is nested deeper than {MAX_DEPTH} levels")
        self._refuse_anchors_and_tags(event, place)
        span = _span(event)
        if isinstance(event, ScalarEvent):
            value_place = self._text_place(event)
            if not event.style and not event.value:
                value_place = key
            self.spots[path] = Spot(key, value_place, span)
            return self._scalar(event, place)
        self.spots[path] = Spot(key, place, span)
        if isinstance(event, MappingStartEvent):
            return self._mapping(path)
        if isinstance(event, SequenceStartEvent):
            return self._sequence(path)
        return Opaque()  # an alias: refused above, and nothing more to say about it

    def _refuse_anchors_and_tags(self, event: Event, place: Place) -> None:
        if isinstance(event, AliasEvent):
            self._problem(place, "aliases are not supported", "quote text that begins with '*'")
            return
        if isinstance(event, NodeEvent) and event.anchor is not None:
            self._problem(place, "anchors are not supported", "quote text that begins with '&'")
        if getattr(event, "tag", None) is not None:
            self._problem(place, "tags are not supported", "quote text that begins with '!'")

    def _mapping(self, path: KeyPath) -> dict[str, Any]:
        entries: dict[str, Any] = {}
        while not isinstance(event := next(self.events), MappingEndEvent):
            place = self._place(event)
            if not isinstance(event, ScalarEvent):
                self._problem(place, "a key must be plain text", "put it in quotes")
                self._skip(event, path)
                self._skip(next(self.events), path)
                continue
            self._refuse_anchors_and_tags(event, place)
            key: str = event.value
            if key in entries:
                first = self.spots[(*path, key)].key
                self._problem(place, f"'{key}' is given twice", f"first in line {first.line}")
                self._skip(next(self.events), path)
                continue
            entries[key] = self._node(next(self.events), (*path, key), place)
        return entries

    def _sequence(self, path: KeyPath) -> list[Any]:
        items: list[Any] = []
        while not isinstance(event := next(self.events), SequenceEndEvent):
            items.append(self._node(event, (*path, len(items)), self._place(event)))
        return items

    def _skip(self, event: Event, path: KeyPath) -> None:
        kept = self.spots
        self.spots = {}
        self._node(event, (*path, ""), self._place(event))
        self.spots = kept

    def _scalar(self, event: ScalarEvent, place: Place) -> Any:
        text: str = event.value
        if _NO_CHARACTER.search(text):
            self._problem(place, "an escape that is no character")
            return Opaque()
        if event.style:
            return text
        if text.count("'") % 2 and self._rest_of_line(event).count("'") % 2:
            hint = "the value ends before ' #': put all of it in quotes"
            self._problem(place, "a '#' within quotes begins a comment here", hint)
        return plain_scalar(text)

    def _rest_of_line(self, event: ScalarEvent) -> str:
        return lines(self.text[_span(event)[1] :])[0]

    def _place(self, event: Event) -> Place:
        mark: Any = event.start_mark
        return Place(self.file, mark.line + 1, mark.column + 1)

    def _text_place(self, event: ScalarEvent) -> Place:
        place = self._place(event)
        if event.style in ("'", '"'):
            return Place(self.file, place.line, place.column + 1)
        if event.style in ("|", ">"):
            block = lines(self.text[slice(*_span(event))])[1:]
            written = next((line for line in block if line.strip()), "")
            indent = len(written) - len(written.lstrip(" "))
            return Place(self.file, place.line + 1, indent + 1)
        return place

    def _problem(self, place: Place, message: str, hint: str | None = None) -> None:
        self.problems.append(Problem(place, message, hint))


def _span(event: Event) -> tuple[int, int]:
    start: Any = event.start_mark
    end: Any = event.end_mark
    return start.index, end.index


def plain_scalar(text: str) -> str | int | float | bool | None:
    """What an unquoted scalar means."""
    if text in _WORDS:
        return _WORDS[text]
    if _INTEGER.fullmatch(text):
        return int(text)
    if _FLOAT.fullmatch(text) and math.isfinite(number := float(text)):
        return number
    return text

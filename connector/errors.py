"""Everything this package raises on purpose, sorted by what the caller should do about it.

    ConnectorError
    ├── UsageError           call it differently                         exit 2
    ├── ConfigError          mend the YAML, at the places named          exit 1
    ├── SourceError          mend the warehouse, or access to it         exit 1
    ├── StateError           mend the state folder                       exit 1
    ├── DestinationError     mend the target: key, address, permission   exit 1
    ├── RequestRefused       mend what was sent (of the client alone)    exit 1
    ├── GuardTripped         look, then let it through or mend the data  exit 5
    └── Locked               wait for the other process                  exit 6

A message is one line that stands alone; a hint says what to do next. Neither ever holds a secret.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar


class ConnectorError(Exception):
    """Base of all of them: a message, a hint, and the exit code of the command line."""

    exit_code: ClassVar[int] = 1

    def __init__(self, message: str, *, hint: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint

    def __str__(self) -> str:
        return f"{self.message}; {self.hint}" if self.hint else self.message


class UsageError(ConnectorError):
    """The command was called in a way that cannot work."""

    exit_code = 2


_OF_A_VALUE = re.compile(
    r"could not (convert|cast|parse)|can't be cast|invalid input|invalid [\w ]*format|malformed"
    r"|out of range|overflow|is not recognized|unknown timezone|duplicate key",
    re.IGNORECASE,
)
_VALUES = re.compile(r"'.*'|\".*\"|-?\b\d[\d.,:+-]*")


def without_values(text: str) -> str:
    """What a database says is wrong with a value, without the value: it may be somebody's.

    Such a text goes into logs, run records and other systems' stores, which no erasure reaches.
    """
    return _masked(text) if _OF_A_VALUE.search(text) else text


def _masked(text: str) -> str:
    return _VALUES.sub("…", text)


class SourceError(ConnectorError):
    """The source could not be read; `transient` where it is away or busy, and may come back."""

    def __init__(self, message: str, *, hint: str | None = None, transient: bool = False) -> None:
        source, colon, said = message.partition(": ")
        super().__init__(f"{source}{colon}{without_values(said)}", hint=hint)
        self.transient = transient


class StateError(ConnectorError):
    """The state folder cannot be used."""


class DestinationError(ConnectorError):
    """The target refuses us whatever the row: a wrong key, address or permission."""


class RequestRefused(ConnectorError):  # noqa: N818 - named for what happened
    """The API refused a request for what is in it: `status` and its own `code`, if it gave one.

    `field` is the one it complained of, where it said so.
    """

    def __init__(
        self, message: str, *, status: int, code: str | None = None, field: str | None = None
    ) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.field = field


class GuardTripped(ConnectorError):  # noqa: N818 - named for what happened, as in the contract
    """A guard stopped the mapping before the first byte was sent.

    `guard` is its name, `numbers` what it saw in words without keys, `deletes` how many would have
    to be allowed.
    """

    exit_code = 5

    def __init__(
        self, message: str, *, hint: str | None = None, guard: str, numbers: str, deletes: int
    ) -> None:
        super().__init__(message, hint=hint)
        self.guard = guard
        self.numbers = numbers
        self.deletes = deletes


class Locked(ConnectorError):  # noqa: N818 - named for what happened, as in the contract
    """Another process is syncing this mapping."""

    exit_code = 6


_KIND = re.compile(r"(?:[A-Z][A-Za-z]* )+Error: ")
_VALUE_KINDS = ("Conversion Error", "Out of Range Error", "Invalid Input Error")


def first_line(error: BaseException) -> str:
    """What an error says in one line, without what DuckDB puts around it: its name for the kind of
    error, and hints and excerpts on further lines; and without the value that it is about."""
    said = (str(error).splitlines() or [""])[0]
    text = _KIND.sub("", said, count=1)
    return (_masked(text) if said.startswith(_VALUE_KINDS) else text) or type(error).__name__


@dataclass(frozen=True, slots=True, order=True)
class Place:
    """Where in a YAML file something was said; line and column count from 1, 0 when unknown."""

    file: Path
    line: int = 0
    column: int = 0

    def __str__(self) -> str:
        return f"{self.file}:{self.line}:{self.column}" if self.line else str(self.file)


@dataclass(frozen=True, slots=True)
class Problem:
    """One mistake in the configuration: `mappings/users.yaml:9:12: 'contry' is no column …`."""

    place: Place
    message: str
    hint: str | None = None

    def __str__(self) -> str:
        text = f"{self.place}: {self.message}"
        return f"{text}; {self.hint}" if self.hint else text


class ConfigError(ConnectorError):
    """The configuration is wrong: every mistake found, in the order of the file."""

    def __init__(self, problems: list[Problem]) -> None:
        self.problems = sorted(problems, key=lambda problem: problem.place)
        super().__init__("\n".join(str(problem) for problem in self.problems))

"""What project.yaml says of those who are told of runs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from enum import StrEnum
from typing import Any

from pydantic import SecretStr


class Event(StrEnum):
    """What a run of a mapping may be worth an alert for."""

    FAILED = "failed"
    INCOMPLETE = "incomplete"
    BLOCKED = "blocked"
    REJECTS = "rejects"
    """More rows were rejected than the mapping puts up with."""
    RECOVERED = "recovered"
    """All is well again, after one of the others."""


@dataclass(frozen=True, slots=True)
class SyncLog:
    """Keep a log of runs as tables of a source, in a schema of their own or in its default one."""

    source: str
    schema: str | None = None


@dataclass(frozen=True, slots=True)
class Alert:
    """Post to a webhook on some events.

    The texts within `template` are Jinja; without one the payload is the usual. Trouble that goes
    on is posted again with every run, or once in every `repeat`.
    """

    webhook: SecretStr
    on: frozenset[Event] = frozenset(Event)
    template: Mapping[str, Any] | None = field(default=None, repr=False)
    timeout: float = 10.0
    repeat: timedelta = timedelta(0)

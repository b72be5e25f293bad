"""Faults on request: what a network and a busy API do to a client now and then.

    e500=0.01,e503=0.05,reset=0.01,hang=0.001,latency=20ms

A rate is the share of requests (0 to 1) that meet the fault; a request meets at most one, drawn in
order of arrival from a seeded generator. Which faults there are, and whether the request was
processed before the client is left in the dark:

| fault | the client sees | processed |
|---|---|---|
| `eNNN` | status NNN (400 to 599) with the usual error body | no |
| `reset` | the connection reset | no |
| `hang` | nothing, until it hangs up or `hang_seconds` have passed | no |
| `redirect` | 302 to a page that answers 200 to a GET | no |
| `reset_after` | the connection reset | yes |
| `hang_after` | nothing, as with `hang` | yes |
| `drip` | the answer, byte by byte, over about `drip_seconds` | yes |
| `truncate` | the right headers, half the body, the connection closed | yes |
| `garbage` | the right status, a body that is not JSON | yes |
| `no_body` | the right status, an empty body | yes |

`latency` holds every request for that time (`20ms`, `1.5s`) before it is looked at; with
`capacity=N` only N are held at a time and the others queue, so that a knee can be found.
"""

from __future__ import annotations

import asyncio
import random
import re
from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from typing import Any

BEFORE = ("reset", "hang", "redirect")
AFTER = ("reset_after", "hang_after", "drip", "truncate", "garbage", "no_body")
KNOWN = ("e<status>", *BEFORE, *AFTER, "latency", "drip_seconds", "capacity")

_STATUS = re.compile(r"e[45]\d\d")
_DURATION = re.compile(r"(\d+(?:\.\d+)?)(ms|s)?")


def _seconds(name: str, value: object) -> float:
    match = _DURATION.fullmatch(str(value).strip())
    if match is None:
        raise ValueError(f"{name} is a time such as 20ms or 1.5s, not {value!r}")
    return float(match[1]) / (1000 if match[2] == "ms" else 1)


def _rate(name: str, value: object) -> float:
    try:
        rate = float(str(value))
    except ValueError:
        rate = -1.0
    if not 0 <= rate <= 1:
        raise ValueError(f"the rate of {name} is a number from 0 to 1, not {value!r}")
    return rate


class Faults:
    """The faults of now, and the draw for each request. Raises `ValueError` in plain words."""

    def __init__(self, wanted: Mapping[str, object], *, seed: int, hang_seconds: float) -> None:
        self.wanted = dict(wanted)
        self.hang_seconds = hang_seconds
        self.latency = 0.0
        self.drip_seconds = 2.0
        self._capacity: asyncio.Semaphore | None = None
        self._rates: list[tuple[float, str]] = []
        self._random = random.Random(seed)  # noqa: S311 - repeatable is the point
        total = 0.0
        for name, value in wanted.items():
            if name == "latency":
                self.latency = _seconds(name, value)
            elif name == "drip_seconds":
                self.drip_seconds = _seconds(name, value)
            elif name == "capacity":
                self._capacity = asyncio.Semaphore(_at_least_one(value))
            elif name in BEFORE or name in AFTER or _STATUS.fullmatch(name):
                total += _rate(name, value)
                self._rates.append((total, name))
            else:
                raise ValueError(f"{name!r} is no fault; there are {', '.join(KNOWN)}")
        if total > 1 + 1e-9:
            raise ValueError(f"the rates of the faults add up to {total:g}, more than 1")

    @classmethod
    def parse(cls, text: str, *, seed: int, hang_seconds: float) -> Faults:
        """From the text of `--fault`: `name=value` joined by commas; empty for none."""
        wanted: dict[str, object] = {}
        for part in filter(None, (part.strip() for part in text.split(","))):
            name, given, value = part.partition("=")
            if not given:
                raise ValueError(f"{part!r} is no fault; write name=rate, such as e503=0.05")
            wanted[name.strip()] = value.strip()
        return cls(wanted, seed=seed, hang_seconds=hang_seconds)

    def draw(self) -> str | None:
        """The fault of the next request, or None."""
        if not self._rates:
            return None
        number = self._random.random()
        return next((name for limit, name in self._rates if number < limit), None)

    async def hold(self) -> None:
        """Spend the latency, after queueing for a place when there are only so many."""
        async with self._capacity or nullcontext():
            if self.latency:
                await asyncio.sleep(self.latency)


def _at_least_one(value: object) -> int:
    text = str(value)
    if not text.isdecimal() or int(text) < 1:
        raise ValueError(f"capacity is a number of requests, at least 1, not {value!r}")
    return int(text)


@dataclass(frozen=True, slots=True)
class Poison:
    """A rule that only the API knows: refuse records whose `field` equals `value`.

    `tell_index` decides whether the refusal of a batch names the culprit, as in `events[17].rank`.
    """

    resource: str
    field: str
    equals: Any
    status: int = 422
    code: str = "validation_failed"
    message: str = "is not accepted"
    tell_index: bool = True

    def __post_init__(self) -> None:
        if self.resource not in ("users", "events"):
            raise ValueError(f"resource is users or events, not {self.resource!r}")
        if not isinstance(self.status, int) or not 400 <= self.status <= 599:
            raise ValueError(f"status is 400 to 599, not {self.status!r}")

    def hits(self, record: Mapping[str, Any]) -> bool:
        """Whether the record is refused by this rule."""
        return self.field in record and bool(record[self.field] == self.equals)


def poison_rules(document: object) -> Sequence[Poison]:
    """Rules from a JSON array of objects with the fields of `Poison`. Raises `ValueError`."""
    if not isinstance(document, list) or not all(isinstance(rule, dict) for rule in document):
        raise ValueError("poison is an array of rules")
    try:
        return [Poison(**rule) for rule in document]
    except TypeError as error:
        raise ValueError(f"a rule has resource, field, equals and maybe more: {error}") from None

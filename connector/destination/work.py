"""What the writer is given, and what it gives back.

Rows come in batches straight from Arrow buffers: a row is two slices, never a Python object, until
its bytes are handed to HTTP.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import NamedTuple


class Operation(StrEnum):
    """What one request (or one entry of a batch) does to one row."""

    UPSERT = "upsert"
    SOFT_DELETE = "soft_delete"
    HARD_DELETE = "hard_delete"
    EVENT = "event"
    RECOMMENDATION = "recommendation"
    """Asks rather than tells: what the API answers is handed back."""


@dataclass(frozen=True, slots=True)
class Slices:
    """Byte strings laid end to end: string i is `data[offsets[i]:offsets[i + 1]]`."""

    data: memoryview
    offsets: Sequence[int]

    def __len__(self) -> int:
        return max(len(self.offsets) - 1, 0)

    def __getitem__(self, index: int) -> bytes:
        return bytes(self.data[self.offsets[index] : self.offsets[index + 1]])

    def text(self, index: int) -> str:
        """String `index`, decoded."""
        return str(self.data[self.offsets[index] : self.offsets[index + 1]], "utf-8")


@dataclass(frozen=True, slots=True)
class WorkBatch:
    """Rows of one operation, numbered consecutively from `first`.

    `payloads` holds the JSON object of each row *followed by one comma*, so that the array of rows
    i to j is the single slice `data[offsets[i]:offsets[j] - 1]`; it is empty for hard deletes.
    `keys` holds the uid of each user, the id of each event, or what a request is told by. A key
    occurs once in a delivery.
    """

    operation: Operation
    first: int
    keys: Slices
    payloads: Slices

    def __len__(self) -> int:
        return len(self.keys)


@dataclass(frozen=True, slots=True)
class Rejection:
    """A row the API refused for its own sake. `code` and `message` are the API's words if any."""

    sequence: int
    status: int
    code: str
    message: str
    field: str | None = None


class Reply(NamedTuple):
    """What the API answered to a row that asks: seconds since 1970 when it was asked, and the body
    as it came."""

    asked_at: float
    body: bytes


@dataclass(frozen=True, slots=True)
class Settlement:
    """Rows whose fate is known since the last settlement, in no order.

    `acknowledged` are runs of sequences. `answers` holds the status that confirmed each hard
    delete, by its sequence: 404 says that there was nobody to delete. `replies` holds the answer to
    each acknowledged row that asks.
    """

    acknowledged: Sequence[range]
    rejected: Sequence[Rejection]
    answers: Mapping[int, int] = field(default_factory=dict)
    replies: Mapping[int, Reply] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Progress:
    """Where a delivery stands, for a bar or a log line. `rate` is rows a second, lately."""

    settled: int
    rate: float
    in_flight: int
    throttled: bool


@dataclass(frozen=True, slots=True)
class Delivery:
    """How a delivery went.

    `incomplete` says why rows were left pending, None when none were; `outage` that the API was
    away, or wanted more patience than we have: there is no point in trying others at once.
    """

    requests: int
    retries: int
    throttled: int
    seconds: float
    incomplete: str | None = None
    outage: bool = False

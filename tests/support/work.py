"""Work batches for tests and measurements, made of plain values."""

from __future__ import annotations

import json
from array import array
from collections.abc import Iterable, Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import Any

from connector.destination.work import Operation, Slices, WorkBatch


def slices(parts: Sequence[bytes]) -> Slices:
    """The parts laid end to end."""
    offsets = array("q", [0])
    for part in parts:
        offsets.append(offsets[-1] + len(part))
    return Slices(memoryview(b"".join(parts)), offsets)


def batch(operation: Operation, first: int, keys: Sequence[str], rows: Sequence[Any]) -> WorkBatch:
    """One batch; `rows` are the JSON objects, empty for hard deletes."""
    payloads = [json.dumps(row, separators=(",", ":")).encode() + b"," for row in rows]
    return WorkBatch(operation, first, slices([key.encode() for key in keys]), slices(payloads))


def users(count: int, size: int = 1000) -> Iterator[WorkBatch]:
    """Upserts of u0, u1, …, in batches of `size`."""
    for first in range(0, count, size):
        keys = [f"u{i}" for i in range(first, min(first + size, count))]
        yield batch(
            Operation.UPSERT, first, keys, [{"uid": key, "country": "DE", "n": 1} for key in keys]
        )


def events(
    count: int, size: int = 5000, extra: Mapping[str, Any] = MappingProxyType({})
) -> Iterator[WorkBatch]:
    """Events e0, e1, …, in batches of `size`, with `extra` fields."""
    for first in range(0, count, size):
        ids = [f"e{i}" for i in range(first, min(first + size, count))]
        yield batch(
            Operation.EVENT, first, ids, [{"id": i, "type": "scroll", **extra} for i in ids]
        )


def erasures(uids: Iterable[str]) -> WorkBatch:
    """Hard deletes of these."""
    return batch(Operation.HARD_DELETE, 0, list(uids), [])

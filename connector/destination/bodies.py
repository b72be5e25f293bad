"""What goes into the client's requests and comes out of their answers."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from typing import Any

from connector.errors import DestinationError, UsageError


@dataclass(frozen=True, slots=True)
class Item:
    """One recommended item. `attributes` are those that tell items of one id apart."""

    id: str
    score: float | None
    attributes: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Recommendation:
    """An answer, the best item first. Events about it carry `rec_id`."""

    rec_id: str
    items: tuple[Item, ...]


def encoded(value: Mapping[str, Any]) -> bytes:
    """An object as JSON, times included.

    Raises:
        UsageError: it holds what JSON does not.
    """
    try:
        text = json.dumps(value, ensure_ascii=False, allow_nan=False, default=_plain)
        return text.encode()
    except (TypeError, ValueError) as error:
        raise UsageError(f"this cannot be sent as JSON: {error}") from None


def _plain(value: object) -> object:
    """Times as the API has them, in UTC and with milliseconds; without a zone they are UTC."""
    if isinstance(value, datetime):
        utc = value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)
        return utc.replace(tzinfo=None).isoformat(timespec="milliseconds") + "Z"
    if isinstance(value, date):
        return f"{value.isoformat()}T00:00:00.000Z"
    if isinstance(value, Mapping):
        return dict(value)
    raise TypeError(f"a value is {type(value).__name__}")


def batches(objects: Iterable[bytes], most: int, size: int) -> Iterable[list[bytes]]:
    """Objects in lists of at most so many, and so many bytes."""
    batch: list[bytes] = []
    held = 0
    for each in objects:
        if batch and (len(batch) >= most or held + len(each) > size):
            yield batch
            batch, held = [], 0
        batch.append(each)
        held += len(each) + 1
    if batch:
        yield batch


def recommendation(body: bytes) -> Recommendation:
    """An answer, read.

    Raises:
        DestinationError: it is not what the API documents.
    """
    try:
        document = json.loads(body)
        items = tuple(_item(dict(each)) for each in document["items"])
        return Recommendation(str(document["rec_id"]), items)
    except (ValueError, KeyError, TypeError):
        raise DestinationError(
            "the answer is not a JSON object with `rec_id` and `items`",
            hint="check base_url, and what stands between here and it",
        ) from None


def _item(members: dict[str, Any]) -> Item:
    return Item(str(members.pop("id")), members.pop("score", None), members)

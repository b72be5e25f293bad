"""The API's documented rules for users and events, as data and as checks.

Written from the platform's documents, and on purpose not shared with the mapping compiler: two
readings of the same documents that agree are worth more than one.

A field's type is the type of its first value, per resource, for all event types together:

- `null` and `[]` tell nothing; an `[]` fits both kinds of array.
- A string that is a full ISO-8601 date and time with a `T` makes the field a `time`, any other a
  `string`. A `string` field takes such a text later; a `time` field takes no other text, but it
  takes numbers (Unix seconds or milliseconds).
- A relation is an id in another table: a `string`.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NoReturn

MAX_STRING_BYTES = 16 * 1024
MAX_OBJECT_BYTES = 4 * 1024
MAX_EMBEDDING = 1024
MAX_UNIX = 8.64e15
"""The last Unix millisecond that common date types can hold, either side of 1970."""
EXACT = 2**53
"""Numbers are 64-bit floats: integers beyond this are stored as the nearest float."""

PLATFORM_FIELDS = ("ingest_timestamp", "_table")

USER_TYPES = {"uid": "string", "created_at": "time", "updated_at": "time", "is_deleted": "boolean"}

EVENT_TYPES = {
    "id": "string",
    "type": "string",
    "original_timestamp": "time",
    "server_timestamp": "time",
    "uid": "string",
    "sid": "string",
    "cid": "string",
    "rec_id": "string",
    "page_view_id": "string",
    "module_view_id": "string",
    "impression_id": "string",
    "rank": "integer",
    "item_id": "string",
    "item_ids": "array<string>",
    "item_id_relation": "string",
    "page_type": "string",
    "click_type": "string",
    "conversion_type": "string",
    "dwell_ms": "number",
}

MANDATORY = {
    "page_view": ("page_type",),
    "module_view": ("rank",),
    "impression": ("item_id", "rank"),
    "click": ("item_id", "click_type"),
    "conversion": ("conversion_type", "item_ids"),
    "dwell_time": ("dwell_ms",),
    "scroll": (),
}

NOT_EMPTY = ("id", "type", "uid", "sid", "cid")


class Refusal(Exception):  # noqa: N818 - an answer, not a failure
    """The request is answered with an error: status, and `{"code", "message"}`."""

    def __init__(self, status: int, code: str, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.message = message


class FieldError(Exception):
    """One field of one record breaks a rule; becomes a 422 that names it."""

    def __init__(self, field: str, message: str) -> None:
        super().__init__(message)
        self.field = field
        self.message = message


def load(body: bytes) -> Any:
    """A request's JSON. Raises `Refusal` (400) for what is none, NaN and Infinity included."""
    try:
        return json.loads(body, parse_constant=_no_constant)
    except (ValueError, RecursionError) as error:
        raise Refusal(400, "malformed_json", f"the body is not JSON: {error}") from None


def _no_constant(text: str) -> NoReturn:
    raise ValueError(f"{text} is not JSON")


_encoder = json.JSONEncoder(ensure_ascii=False, allow_nan=False, separators=(",", ":"))


def dump(record: dict[str, Any]) -> str:
    """The text a record is stored as. Raises `FieldError` for what JSON cannot hold."""
    try:
        text = _encoder.encode(record)
        text.encode()
    except (ValueError, RecursionError):
        for name, value in record.items():
            _encodable(name, name)
            _encodable(name, value)
        raise
    return text


def _encodable(name: str, value: object) -> None:
    try:
        _encoder.encode(value).encode()
    except UnicodeEncodeError:
        shown = name.encode(errors="replace").decode()
        raise FieldError(shown, "is not text in UTF-8: it holds a lone surrogate") from None
    except (ValueError, RecursionError):
        raise FieldError(name, "holds a number that is not finite, or is nested too deep") from None


def is_time(value: str) -> bool:
    """Whether a text is a full ISO-8601 date and time: date, `T`, time, perhaps a zone."""
    if len(value) < 16 or value[10] != "T":
        return False
    try:
        datetime.fromisoformat(value)
    except ValueError:
        return False
    return True


def _array_kind(name: str, value: list[Any]) -> str:
    if not value:
        return "array"
    kinds = {type(entry) for entry in value}
    if kinds == {str}:
        for entry in value:
            _string(name, entry)
        return "array<string>"
    if kinds <= {int, float}:
        if len(value) > MAX_EMBEDDING:
            raise FieldError(
                name, f"an embedding has at most {MAX_EMBEDDING} dimensions, not {len(value)}"
            )
        return "embedding"
    raise FieldError(name, "an array holds only strings, or only numbers (an embedding)")


def _string(name: str, value: str) -> None:
    if len(value) * 4 > MAX_STRING_BYTES:
        size = len(value.encode(errors="replace"))
        if size > MAX_STRING_BYTES:
            raise FieldError(name, f"a string has at most 16 KB, not {size} bytes")


def _string_kind(name: str, value: str) -> str:
    _string(name, value)
    return "time" if is_time(value) else "string"


def _object_kind(name: str, value: dict[str, Any]) -> str:
    _encodable(name, value)
    size = len(_encoder.encode(value).encode())
    if size > MAX_OBJECT_BYTES:
        raise FieldError(name, f"an object has at most 4 KB, not {size} bytes")
    return "object"


_KINDS: dict[type, Callable[[str, Any], str]] = {
    str: _string_kind,
    bool: lambda _name, _value: "boolean",
    int: lambda _name, _value: "number",
    float: lambda _name, _value: "number",
    list: _array_kind,
    dict: _object_kind,
}


def _fits(expected: str, kind: str, value: Any) -> bool:
    if expected == kind:
        return True
    if kind == "number":
        whole = expected == "integer" and value == value // 1
        return whole or (expected == "time" and abs(value) <= MAX_UNIX)
    if kind == "array":
        return expected in ("array<string>", "embedding")
    return expected == "string" and kind == "time"


@dataclass(frozen=True, slots=True)
class Resource:
    """The rules of one kind of record, and the types its custom fields have been given so far."""

    name: str
    fixed: Mapping[str, str]
    objects: bool
    known: dict[str, str]

    @classmethod
    def users(cls) -> Resource:
        """Users, before the first custom field."""
        return cls("users", USER_TYPES, objects=False, known=dict(USER_TYPES))

    @classmethod
    def events(cls) -> Resource:
        """Events, before the first custom field."""
        return cls("events", EVENT_TYPES, objects=True, known=dict(EVENT_TYPES))

    def check(self, record: dict[str, Any], fresh: dict[str, str]) -> None:
        """Check every field's type and limits; types seen for the first time go into `fresh`.

        Integers beyond 2^53 become floats in place. Raises `FieldError`.
        """
        known = self.known
        for name, value in record.items():
            if value is None:
                continue
            kind = known.get(name)
            of = type(value)
            if of is str:
                if kind == "string" and len(value) <= MAX_STRING_BYTES // 4:
                    continue
            elif of is float:
                if kind == "number":
                    continue
            elif of is int and kind == "number" and -EXACT <= value <= EXACT:
                continue
            self._check_closely(name, value, kind or fresh.get(name), fresh)
            if of is int and not -EXACT <= value <= EXACT:
                record[name] = float(value)

    def _check_closely(
        self, name: str, value: Any, expected: str | None, fresh: dict[str, str]
    ) -> None:
        if name in PLATFORM_FIELDS:
            raise FieldError(name, "is the platform's own and is never sent")
        kind = _KINDS[type(value)](name, value)
        if kind == "object" and not self.objects:
            raise FieldError(name, "objects are for events only")
        if type(value) is int:
            _finite(name, value)
        if expected is None:
            if kind != "array":
                fresh[name] = kind
        elif not _fits(expected, kind, value):
            if name in self.fixed:
                raise FieldError(name, f"must be of type {expected}, not {kind}")
            raise FieldError(
                name, f"is of type {expected} since its first value; this one is of type {kind}"
            )


def _finite(name: str, value: int) -> None:
    try:
        float(value)
    except OverflowError:
        raise FieldError(name, "is beyond what a 64-bit float can hold") from None


def check_user(record: dict[str, Any]) -> None:
    """What a user must have, beyond the types of its fields. Raises `FieldError`."""
    _present(record, "uid")
    _platform_absent(record)


def check_event(record: dict[str, Any]) -> None:
    """What an event must have, by its type, beyond the types of its fields. Raises `FieldError`."""
    if not isinstance(record.get("type"), str):
        _present(record, "type")
        raise FieldError("type", "must be of type string")
    for name in ("type", "original_timestamp", *MANDATORY.get(record["type"], ())):
        if record.get(name) is None:
            raise FieldError(name, f"is mandatory for {record['type'] or 'every event'!r}")
    if record.get("uid") is None and record.get("sid") is None and record.get("cid") is None:
        raise FieldError("uid", "at least one of uid, sid and cid is required")
    for name in NOT_EMPTY:
        if record.get(name) == "":
            raise FieldError(name, "must not be empty")
    _platform_absent(record)


def _present(record: dict[str, Any], name: str) -> None:
    if record.get(name) is None:
        raise FieldError(name, "is required")
    if record[name] == "":
        raise FieldError(name, "must not be empty")


def _platform_absent(record: dict[str, Any]) -> None:
    for name in PLATFORM_FIELDS:
        if name in record:
            raise FieldError(name, "is the platform's own and is never sent")

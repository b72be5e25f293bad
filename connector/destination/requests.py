"""Requests as plain values: which path, which body. Nothing here sends anything."""

from __future__ import annotations

import re
from typing import NamedTuple
from urllib.parse import quote, unquote

_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]")


class UnaddressableKeyError(ValueError):
    """No request can name this key: empty, `.`, `..`, control characters or broken text."""


class Request(NamedTuple):
    """One HTTP request, relative to the target's base_url. Its repr shows no key and no content."""

    method: str
    path: str
    body: bytes | None = None
    asks: bool = False
    """Whether the body of a success is wanted: without it there is no success."""

    def __repr__(self) -> str:
        size = "" if self.body is None else f", {len(self.body)} bytes"
        return f"<{self.method} /{self.path.split('/')[1]}{size}>"


def user(payload: bytes) -> Request:
    """Upsert one user, the soft delete included; `payload` is its JSON object."""
    return Request("POST", "/users", payload)


def events(payload: bytes | memoryview) -> Request:
    """Append events; `payload` is their JSON objects, separated by commas."""
    return Request("POST", "/events", b"".join((b'{"events":[', payload, b"]}")))


def recommend(payload: bytes) -> Request:
    """Ask for recommendations; `payload` is the JSON object of the request."""
    return Request("POST", "/recommend", payload, asks=True)


def is_addressable(uid: str) -> bool:
    """Whether a request can name this user."""
    try:
        erase(uid)
    except UnaddressableKeyError:
        return False
    return True


def erase(uid: str) -> Request:
    """Delete one user for good. Raises UnaddressableKeyError where the address could mean another.

    Clients collapse `.` and `..` even percent-encoded, an empty uid is the whole collection, and a
    raw slash another path: hence the check that exactly one segment decodes back to the uid.
    """
    try:
        segment = quote(uid, safe="")
    except UnicodeEncodeError:
        raise UnaddressableKeyError("the key is not valid Unicode") from None
    if segment in ("", ".", "..") or _CONTROL.search(uid):
        raise UnaddressableKeyError("the key is empty, '.', '..' or holds control characters")
    if "/" in segment or unquote(segment) != uid:
        raise UnaddressableKeyError("the key does not survive percent-encoding")
    return Request("DELETE", f"/users/{segment}")

"""A sandbox on a free port, and a caller that sends exactly what it is told to."""

from __future__ import annotations

import http.client
import json
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from dataclasses import dataclass
from typing import Any

import pytest

from connector.sandbox import Handle, Sandbox, Settings
from tests.support.far import far, running_sandbox

__all__ = ["far", "running_sandbox"]


@dataclass(frozen=True)
class Reply:
    status: int
    headers: http.client.HTTPMessage
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def message(self) -> str:
        return self.json["message"]


class Caller:
    """Talks to one sandbox, a new connection a request."""

    def __init__(self, handle: Handle) -> None:
        self.handle = handle

    def __call__(
        self,
        method: str,
        path: str,
        document: Any = None,
        *,
        raw: bytes | None = None,
        headers: dict[str, str] | None = None,
        timeout: float = 10,
    ) -> Reply:
        body = json.dumps(document).encode() if document is not None else raw
        sent = {"Authorization": "Bearer sandbox", "Content-Type": "application/json"}
        sent |= headers or {}
        address = (self.handle.host, self.handle.port)
        with closing(http.client.HTTPConnection(*address, timeout=timeout)) as connection:
            connection.request(method, path, body, {k: v for k, v in sent.items() if v})
            response = connection.getresponse()
            return Reply(response.status, response.headers, response.read())

    def user(self, **fields: Any) -> Reply:
        return self("POST", "/v1/users", fields)

    def events(self, *events: dict[str, Any]) -> Reply:
        return self("POST", "/v1/events", {"events": list(events)})


@pytest.fixture
def calling() -> Callable[[Handle], Caller]:
    """Turns the handle of a running sandbox into its caller."""
    return Caller


@pytest.fixture
def start() -> Iterator[Callable[..., Caller]]:
    """Start a sandbox with the given settings; it stops with the test."""
    with ExitStack() as stack:
        yield lambda **settings: Caller(stack.enter_context(Sandbox(Settings(**settings))))


@pytest.fixture
def api(far: Sandbox) -> Caller:
    """A sandbox with default settings, as good as new."""
    return Caller(far)


@pytest.fixture
def click() -> Callable[..., dict[str, Any]]:
    """A valid event."""
    return lambda **fields: {
        "type": "click",
        "original_timestamp": "2025-07-14T09:15:22.401Z",
        "uid": "u",
        "item_id": "sku",
        "click_type": "like",
        **fields,
    }

"""Who may look: this machine, others with the key, no pages of other origins."""

import asyncio

import pytest

from connector.sandbox import Settings
from connector.sandbox.admin import application
from connector.sandbox.api import Api
from connector.sandbox.store import Store
from connector.sandbox.traffic import Traffic


def status(tmp_path, client: str, headers: dict[str, str]) -> int:
    """The status of GET /_sandbox/counts for a client at that address."""
    sent: list[dict] = []

    async def receive() -> dict:
        return {"type": "http.request"}

    async def send(message: dict) -> None:
        sent.append(message)

    scope = {
        "type": "http",
        "method": "GET",
        "path": "/_sandbox/counts",
        "query_string": b"",
        "client": (client, 50000),
        "headers": [(name.encode(), value.encode()) for name, value in headers.items()],
    }
    store = Store(tmp_path / "sandbox.sqlite", "merge")
    try:
        asyncio.run(application(Api(Settings(), store, Traffic()))(scope, receive, send))
    finally:
        store.close()
    return sent[0]["status"]


@pytest.mark.parametrize(
    ("client", "headers", "expected"),
    [
        ("127.0.0.1", {"host": "127.0.0.1:8787"}, 200),
        ("::1", {"host": "[::1]:8787"}, 200),
        ("127.0.0.1", {"host": "rebound.test"}, 403),
        ("127.0.0.1", {}, 403),
        ("192.0.2.7", {"host": "here.test"}, 401),
        ("192.0.2.7", {"host": "127.0.0.1"}, 401),
        ("192.0.2.7", {"host": "here.test", "authorization": "Bearer wrong"}, 401),
        ("192.0.2.7", {"host": "here.test", "authorization": "Bearer sandbox"}, 200),
        (
            "192.0.2.7",
            {"host": "a.test", "origin": "http://b.test", "authorization": "Bearer sandbox"},
            403,
        ),
    ],
)
def test_who_may_look(tmp_path, client, headers, expected):
    assert status(tmp_path, client, headers) == expected

"""What tests and the demo ask a running sandbox, wherever it runs. Standard library only."""

from __future__ import annotations

import http.client
import json
from collections.abc import Iterator, Mapping, Sequence
from types import TracebackType
from typing import Any, Self
from urllib.parse import quote


def address(host: str, port: int) -> str:
    """The URL of a server: `http://127.0.0.1:8787`."""
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


class Handle:
    """A running sandbox at `host`:`port`. A context manager: leaving it stops the sandbox."""

    host: str
    port: int

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        _kind: type[BaseException] | None,
        _error: BaseException | None,
        _trace: TracebackType | None,
    ) -> None:
        self.stop()

    def stop(self) -> None:
        """Stop in an orderly way: answer what is being served, commit, close."""
        raise NotImplementedError

    @property
    def url(self) -> str:
        """Where it is: `http://127.0.0.1:8787`."""
        return address(self.host, self.port)

    @property
    def base_url(self) -> str:
        """The `base_url` of a target: `http://127.0.0.1:8787/v1`."""
        return f"{self.url}/v1"

    def counts(self) -> dict[str, Any]:
        """What is stored and what came in, see `/_sandbox/counts`."""
        counts: dict[str, Any] = json.loads(self._ask("GET", "counts") or "{}")
        return counts

    def requests(self, limit: int = 100) -> list[dict[str, Any]]:
        """The latest requests, newest first."""
        seen: list[dict[str, Any]] = json.loads(self._ask("GET", f"requests?limit={limit}") or "[]")
        return seen

    def user(self, uid: str) -> dict[str, Any] | None:
        """A stored user, or None."""
        return self._stored(f"users/{quote(uid, safe='')}")

    def event(self, event_id: str) -> dict[str, Any] | None:
        """A stored event, or None."""
        return self._stored(f"events/{quote(event_id, safe='')}")

    def users(self) -> Iterator[dict[str, Any]]:
        """All stored users, ordered by uid."""
        return self._export("users")

    def events(self) -> Iterator[dict[str, Any]]:
        """All stored events, ordered by id."""
        return self._export("events")

    def set_faults(self, faults: Mapping[str, object]) -> None:
        """Replace the faults: `{"e503": 1.0}` is an outage, `{}` ends it."""
        self._ask("PUT", "faults", faults)

    def set_quota(self, **quota: object) -> None:
        """Replace the quota, with the fields of `Quota`; without any there is none."""
        self._ask("PUT", "quota", quota)

    def set_poison(self, rules: Sequence[Mapping[str, object]]) -> None:
        """Replace the poison rules, each with the fields of `Poison`."""
        self._ask("PUT", "poison", list(rules))

    def reset(self) -> None:
        """Forget all rows, types and counts; faults, quota and poison stay."""
        self._ask("POST", "reset")

    def _stored(self, path: str) -> dict[str, Any] | None:
        text = self._ask("GET", path)
        return None if text is None else json.loads(text)

    def _connect(self) -> http.client.HTTPConnection:
        return http.client.HTTPConnection(self.host, self.port, timeout=60)

    def _ask(self, method: str, path: str, document: object = None) -> bytes | None:
        """The body of the answer, None for a 404. Raises `ValueError` when refused."""
        connection = self._connect()
        try:
            body = None if document is None else json.dumps(document)
            connection.request(method, f"/_sandbox/{path}", body)
            response = connection.getresponse()
            text = response.read()
        finally:
            connection.close()
        if response.status == 404:
            return None
        if response.status >= 400:
            raise ValueError(json.loads(text)["message"])
        return text

    def _export(self, resource: str) -> Iterator[dict[str, Any]]:
        connection = self._connect()
        try:
            connection.request("GET", f"/_sandbox/export/{resource}")
            for line in connection.getresponse():
                yield json.loads(line)
        finally:
            connection.close()

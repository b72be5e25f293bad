"""What came in: recent requests, counts, and requests of one user that overtook each other."""

from __future__ import annotations

import asyncio
from collections import Counter, deque
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from typing import Any

KEPT = 1000


@dataclass(frozen=True, slots=True)
class Seen:
    """One request: when it came, what was answered. Status 0 is no answer at all."""

    time: str
    method: str
    path: str
    status: int
    bytes: int
    ms: float
    fault: str | None = None


class Traffic:
    """Requests since the process started (or since the last reset)."""

    def __init__(self) -> None:
        self.recent: deque[Seen] = deque(maxlen=KEPT)
        self.requests: Counter[tuple[str, int]] = Counter()
        self.faults: Counter[str] = Counter()
        self.order_violations = 0
        self.violated: deque[str] = deque(maxlen=20)
        self._users: dict[str, list[asyncio.Transport]] = {}

    def saw(self, route: str, seen: Seen) -> None:
        """Record a finished request."""
        self.recent.append(seen)
        self.requests[route, seen.status] += 1
        if seen.fault:
            self.faults[seen.fault] += 1

    @contextmanager
    def of_user(self, uid: str, transport: asyncio.Transport) -> Iterator[None]:
        """A request that writes this user is in flight on this connection.

        Another one at the same time is an order violation, unless the client of the earlier has
        hung up: it cannot know what became of that request, and is right to ask again.
        """
        flying = self._users.setdefault(uid, [])
        if any(not other.is_closing() for other in flying):
            self.order_violations += 1
            self.violated.append(uid)
        flying.append(transport)
        try:
            yield
        finally:
            flying.remove(transport)
            if not flying and self._users.get(uid) is flying:
                del self._users[uid]

    def counts(self) -> dict[str, Any]:
        """The counters, ready for JSON."""
        by_route: dict[str, dict[str, int]] = {}
        for (route, status), count in sorted(self.requests.items()):
            by_route.setdefault(route, {})[str(status)] = count
        return {
            "requests": by_route,
            "requests_total": sum(self.requests.values()),
            "faults": dict(self.faults),
            "order_violations": self.order_violations,
            "order_violation_uids": list(self.violated),
        }

    def last(self, limit: int) -> list[dict[str, Any]]:
        """The latest requests, newest first."""
        seen = list(self.recent)[-limit:] if limit > 0 else []
        return [asdict(one) for one in reversed(seen)]

    def reset(self) -> None:
        """Forget the past; what is in flight stays in flight."""
        self.recent.clear()
        self.requests.clear()
        self.faults.clear()
        self.violated.clear()
        self.order_violations = 0

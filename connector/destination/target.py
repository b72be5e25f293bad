"""Where rows are delivered to, and within which limits."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from pydantic import SecretStr


class Auth(StrEnum):
    """How the key is presented: `Authorization: Bearer KEY`, or `X-API-Key: KEY` (older)."""

    BEARER = "bearer"
    API_KEY = "api_key"


@dataclass(frozen=True, slots=True)
class RateLimit:
    """A quota that is paid for: never exceeded, used to the full."""

    requests_per_second: float
    burst: int = 1


@dataclass(frozen=True, slots=True)
class Target:
    """One target of the project, ready to be called.

    `base_url` has no trailing slash; it is https unless the host is loopback. Times in seconds.
    """

    name: str
    base_url: str
    api_key: SecretStr
    auth: Auth = Auth.BEARER
    rate_limit: RateLimit | None = None
    max_in_flight: int = 64
    events_per_request: int = 500
    bytes_per_request: int = 1_000_000
    connect_timeout: float = 10.0
    timeout: float = 30.0
    proxy: SecretStr | None = None
    """A proxy is only ever taken from here, never from the environment; it may hold a password."""
    max_wait: float = 300.0
    """The longest `Retry-After` that is waited for; beyond it a run ends incomplete."""
    give_up_after: float = 60.0
    """How long the API may fail without a single success before a run ends incomplete."""

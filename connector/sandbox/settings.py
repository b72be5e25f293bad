"""How one sandbox behaves, as settled at its start; faults and quota can change while it runs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal

Upsert = Literal["merge", "replace"]


@dataclass(frozen=True, slots=True)
class Quota:
    """A token bucket over all requests to /v1 that carry a known key, and how a 429 words itself.

    `retry_after`: `seconds`, `date` or `none`; any other text is sent as the header's value, so
    that a client can be shown past, negative, huge and malformed ones. `rate_headers`: `ietf` for
    `RateLimit` and `RateLimit-Policy`, `x` for `X-RateLimit-*`, sent with every answer. `headers`
    are sent as they are with every answer, over those.
    """

    requests_per_second: float | None = None
    burst: int | None = None
    """Requests that may come at once; default one second's worth."""
    retry_after: str = "seconds"
    rate_headers: Literal["none", "ietf", "x"] = "none"
    headers: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        rate = self.requests_per_second
        if rate is not None and not 0 < rate < float("inf"):
            raise ValueError(f"a rate limit is a number above 0, not {rate!r}")
        if self.burst is not None and self.burst < 1:
            raise ValueError(f"a burst is at least 1, not {self.burst!r}")
        if self.rate_headers not in ("none", "ietf", "x"):
            raise ValueError(f"rate headers are none, ietf or x, not {self.rate_headers!r}")


@dataclass(frozen=True, slots=True)
class Settings:
    """Everything a sandbox is started with. Sizes in bytes, times in seconds.

    `database` is the SQLite file; None keeps it in a temporary folder that goes with the sandbox.
    `port` 0 takes a free one. `faults` is the text of `--fault`, see `Faults.parse`.
    """

    host: str = "127.0.0.1"
    port: int = 0
    database: Path | None = None
    api_key: str = field(default="sandbox", repr=False)
    read_only_key: str | None = field(default=None, repr=False)
    """A key that may ask for recommendations and nothing else: 403 elsewhere."""
    upsert: Upsert = "merge"
    max_batch: int = 1000
    max_bytes: int = 10_000_000
    quota: Quota = field(default_factory=Quota)
    faults: str = ""
    seed: int = 0
    hang_seconds: float = 60.0

    def __post_init__(self) -> None:
        if self.upsert not in ("merge", "replace"):
            raise ValueError(f"upsert is merge or replace, not {self.upsert!r}")
        if self.max_batch < 1 or self.max_bytes < 1:
            raise ValueError("batch limits are at least 1")

    def to_json(self) -> dict[str, Any]:
        """The settings as JSON values, for another process to start from."""
        document = asdict(self)
        document["database"] = None if self.database is None else str(self.database)
        return document

    @classmethod
    def from_json(cls, document: dict[str, Any]) -> Settings:
        """The reverse of `to_json`."""
        database = document["database"]
        return cls(
            **{
                **document,
                "database": None if database is None else Path(database),
                "quota": Quota(**document["quota"]),
            }
        )

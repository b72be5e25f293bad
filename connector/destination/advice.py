"""What an API says about waiting, in each of the ways APIs say it.

`Retry-After` (RFC 9110, 10.2.3) as seconds or a date wins over everything else. Then come
`RateLimit` and `RateLimit-Policy` (draft-ietf-httpapi-ratelimit-headers-10: `"default";r=0;t=30`
and `"default";q=100;w=60`), their older forms (`limit=100, remaining=0, reset=30`,
`RateLimit-Remaining` with `RateLimit-Reset`) and `X-RateLimit-*`. What cannot be parsed is ignored;
the past is now.
"""

from __future__ import annotations

import math
import re
import time
from collections.abc import Callable
from dataclasses import dataclass
from email.utils import parsedate_to_datetime

from connector.destination.target import RateLimit

Header = Callable[[str], str | None]

_SECONDS = re.compile(r"[+-]?[0-9]{1,18}")
_PARAMETER = re.compile(r'(?:^|[;,])\s*([a-z]+)\s*=\s*"?(-?[0-9]{1,18})"?(?=\s*(?:[;,]|$))')
_EPOCH = 1e9
_EPOCH_MILLISECONDS = 1e12


@dataclass(frozen=True, slots=True)
class Allowance:
    """So many requests are left until `seconds` from now."""

    remaining: int
    seconds: float


def retry_after(header: Header) -> float | None:
    """Seconds to wait by `Retry-After`, 0 or more; None where it is absent or malformed.

    A date is measured against the answer's own `Date`, so that a wrong clock here does not matter.
    """
    value = (header("retry-after") or "").strip()
    if _SECONDS.fullmatch(value):
        return max(0.0, float(value))
    moment = _date(value)
    if moment is None:
        return None
    now = _date((header("date") or "").strip())
    return max(0.0, moment - (time.time() if now is None else now))


def allowance(header: Header) -> Allowance | None:
    """What is left of the quota and when it is renewed; None where it is not said in full."""
    said = (header("ratelimit") or "").lower()
    if said:
        quotas = [_named(part, "r", "t") for part in said.split(",")]
        quotas.append(_named(said, "remaining", "reset"))
        return min(filter(None, quotas), key=_by_severity, default=None)
    for prefix in ("ratelimit", "x-ratelimit"):
        found = _allowance(header(f"{prefix}-remaining"), header(f"{prefix}-reset"))
        if found is not None:
            return found
    return None


def policy(header: Header) -> RateLimit | None:
    """The strictest policy of `RateLimit-Policy`, all of whose quota may be used at once."""
    said = header("ratelimit-policy")
    if not said:
        return None
    limits = []
    for part in said.lower().split(","):
        parameters = dict(_PARAMETER.findall(part))
        quota, window = float(parameters.get("q", 0)), float(parameters.get("w", 0))
        if quota > 0 and window > 0:
            limits.append(RateLimit(quota / window, int(quota)))
    return min(limits, key=lambda limit: limit.requests_per_second, default=None)


def _named(said: str, remaining: str, reset: str) -> Allowance | None:
    parameters = dict(_PARAMETER.findall(said))
    return _allowance(parameters.get(remaining), parameters.get(reset))


def _by_severity(left: Allowance) -> tuple[int, float]:
    return left.remaining, -left.seconds


def _allowance(remaining: str | None, reset: str | None) -> Allowance | None:
    left, until = _number(remaining), _number(reset)
    if left is None or until is None:
        return None
    if until >= _EPOCH_MILLISECONDS:
        until = until / 1000 - time.time()
    elif until >= _EPOCH:
        until -= time.time()
    return Allowance(max(0, int(left)), max(0.0, until))


def _number(value: str | None) -> float | None:
    try:
        number = float(value) if value is not None else math.nan
    except ValueError:
        return None
    return number if math.isfinite(number) else None


def _date(value: str) -> float | None:
    try:
        return parsedate_to_datetime(value).timestamp()
    except (TypeError, ValueError, OverflowError):
        return None

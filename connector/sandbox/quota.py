"""The quota: a token bucket, and the headers in which an API may speak about it."""

from __future__ import annotations

import math
import time
from email.utils import formatdate

from connector.sandbox.settings import Quota

Headers = list[tuple[bytes, bytes]]


class Bucket:
    """Takes a token per request; refills evenly, holds at most `burst`."""

    def __init__(self, quota: Quota) -> None:
        self.quota = quota
        rate = quota.requests_per_second or math.inf
        self._rate = rate
        self._burst = float(quota.burst or (max(1, int(rate)) if rate < math.inf else 1))
        self._tokens = self._burst
        self._filled = time.monotonic()

    def take(self) -> bool:
        """Whether the request is within the quota; one above it costs nothing."""
        if self._rate == math.inf:
            return True
        moment = time.monotonic()
        self._tokens = min(self._burst, self._tokens + (moment - self._filled) * self._rate)
        self._filled = moment
        if self._tokens < 1:
            return False
        self._tokens -= 1
        return True

    def retry_after(self) -> Headers:
        """The header of a 429, in the chosen form; whole seconds, as the header has them."""
        form = self.quota.retry_after
        if form == "none":
            return []
        wait = max(1, math.ceil((1 - self._tokens) / self._rate))
        if form == "seconds":
            form = str(wait)
        elif form == "date":
            form = formatdate(math.ceil(time.time()) + wait, usegmt=True)
        return [(b"retry-after", form.encode("latin-1", "replace"))]

    def headers(self) -> Headers:
        """The headers of every answer."""
        spoken: dict[str, str] = {}
        if self._rate < math.inf:
            left = max(0, int(self._tokens))
            refill = max(1, math.ceil((self._burst - self._tokens) / self._rate))
            window = max(1, math.ceil(self._burst / self._rate))
            limit = max(1, int(self._rate * window))  # units a window, whatever may come at once
            if self.quota.rate_headers == "ietf":
                spoken = {
                    "ratelimit-policy": f'"default";q={limit};w={window}',
                    "ratelimit": f'"default";r={left};t={refill}',
                }
            elif self.quota.rate_headers == "x":
                spoken = {
                    "x-ratelimit-limit": str(limit),
                    "x-ratelimit-remaining": str(left),
                    "x-ratelimit-reset": str(refill),
                }
        spoken |= {name.lower(): value for name, value in self.quota.headers.items()}
        return [(n.encode("latin-1"), v.encode("latin-1", "replace")) for n, v in spoken.items()]

"""Keyed hashes of uids: what stands for an erased user wherever one must still be recognised."""

from __future__ import annotations

import hashlib
import hmac

_BLOCK = 64


class UidHasher:
    """HMAC-SHA256 of a uid, in hex (RFC 2104).

    `inner` and `outer` are the padded keys, so that DuckDB can compute the same, set-wise. `mark`
    tells the key from others, and nothing more of it.
    """

    def __init__(self, key: bytes) -> None:
        self._key = key
        self.inner, self.outer = padded(key)
        self.mark = hmac.new(key, b"mark", hashlib.sha256).hexdigest()[:16]

    def __call__(self, uid: str) -> str:
        """The hash of one uid."""
        return hmac.new(self._key, uid.encode(), hashlib.sha256).hexdigest()


def padded(key: bytes) -> tuple[bytes, bytes]:
    """The inner and outer key of HMAC-SHA256."""
    short = hashlib.sha256(key).digest() if len(key) > _BLOCK else key
    block = short.ljust(_BLOCK, b"\0")
    return bytes(byte ^ 0x36 for byte in block), bytes(byte ^ 0x5C for byte in block)

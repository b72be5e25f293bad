"""Shards: a mapping cut into parts that different processes and machines sync side by side.

A row belongs to a shard by its key alone, and the same key to the same shard on every machine and
in every version: the first 32 bits of the key's MD5, modulo the number of shards. A row without a
usable key belongs to the shard of the empty text, so that each is counted once.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass

from connector.errors import UsageError

MOST_SHARDS = 256

_WRITTEN = re.compile(r"(\d{1,9})/(\d{1,9})")
_DIGITS = 8


@dataclass(frozen=True, slots=True, order=True)
class Shard:
    """Shard `number` (counted from 1) of `of`."""

    number: int
    of: int

    def __str__(self) -> str:
        return f"{self.number}/{self.of}"

    def holds(self, key: str | None) -> bool:
        """Whether a key belongs to it."""
        digest = hashlib.md5((key or "").encode(), usedforsecurity=False).hexdigest()
        return int(digest[:_DIGITS], 16) % self.of == self.number - 1

    def condition(self, key: str) -> str:
        """The same as DuckDB's SQL over a text expression; never null."""
        bits = f"('0x' || left(md5(coalesce({key}, '')), {_DIGITS}))::UBIGINT"
        return f"{bits} % {self.of:d} = {self.number - 1:d}"


def parse_shard(text: str) -> Shard:
    """`3/16`, the third of sixteen.

    Raises:
        UsageError: it is written otherwise, or there is no such shard.
    """
    written = _WRITTEN.fullmatch(text.strip())
    if written is None:
        raise UsageError(f"{text!r} is no shard", hint="write 3/16 for the third of sixteen")
    shard = Shard(int(written[1]), int(written[2]))
    if not 1 <= shard.number <= shard.of <= MOST_SHARDS:
        raise UsageError(
            f"there is no shard {shard}",
            hint=f"the first of four is 1/4, the last 4/4; there may be {MOST_SHARDS} at most",
        )
    return shard


def shard_name(mapping: str, shard: Shard) -> str:
    """What a shard of a mapping is called in state, leases, runs and reports: `users 3/16`."""
    return f"{mapping} {shard}"


def siblings(name: str) -> list[str]:
    """All shards of the mapping that a shard's name names; any other name alone."""
    mapping, shard = split_name(name)
    if shard is None:
        return [name]
    return [shard_name(mapping, Shard(number, shard.of)) for number in range(1, shard.of + 1)]


def selection(name: str) -> str:
    """The options that select a mapping, or a shard, by such a name."""
    mapping, shard = split_name(name)
    return f"--select {mapping!r}" + (f" --shard {shard}" if shard else "")


def split_name(name: str) -> tuple[str, Shard | None]:
    """The mapping and the shard in a name; no mapping may be called like a shard of another."""
    mapping, _, end = name.rpartition(" ")
    written = _WRITTEN.fullmatch(end)
    if not mapping or written is None:
        return name, None
    return mapping, Shard(int(written[1]), int(written[2]))

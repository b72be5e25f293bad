"""What a plan stands on, as digests: equal where nothing moved, and naming no row.

A digest is a count and sums of hashes over a set of rows, made by DuckDB in one pass: the order of
the rows does not matter, and nothing of them is held.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass

import duckdb

from connector.snapshot.stage import Stage, Suppressions

_DECISIONS = """
SELECT count(*), sum(md5_number_lower(said)::HUGEINT), sum(md5_number_upper(said)::HUGEINT)
FROM (SELECT to_json([key, decision, reason, fingerprint::VARCHAR]) AS said FROM decisions)
"""
_SOURCE = """
SELECT count(*), sum(hash(key, fingerprint, verdict, violation, cursor)::HUGEINT) FROM scanned
"""
_FEED = "SELECT count(*), sum(hash(key)::HUGEINT) FROM feed"
_STATE = """
SELECT count(*), sum(said::HUGEINT) FROM (
  SELECT hash('snapshot', key, fingerprint, deleted) AS said FROM state.snapshot
  UNION ALL SELECT hash('unsettled', key) FROM state.unsettled
  UNION ALL SELECT hash('reject', key, fingerprint, mapping, retry) FROM state.rejects
    WHERE origin = 'api'
  UNION ALL SELECT hash(name, value) FROM state.meta WHERE name IN ('watermark', 'horizon', 'types')
)
"""


@dataclass(frozen=True, slots=True)
class Ground:
    """The digests of one mapping's plan. `decisions` and `mapping` say what it does; the others
    serve to say what moved. `window` is where an incremental read began, in milliseconds."""

    decisions: str
    mapping: str
    engine: str
    suppressions: str
    feed: str
    state: str
    source: str
    window: int | None

    def holds(self, now: Ground) -> bool:
        """Whether the same would be done."""
        return (self.decisions, self.mapping) == (now.decisions, now.mapping)

    def moved(self, now: Ground) -> list[str]:
        """In words, what is not as it was."""
        words = {
            "engine": f"DuckDB is {now.engine}, which compares rows otherwise than {self.engine}",
            "mapping": "the mapping says something else",
            "suppressions": "other users are suppressed",
            "feed": "the feed of erasures lists other users",
            "state": "the state moved on: something was sent or refused meanwhile",
        }
        found = [said for name, said in words.items() if getattr(self, name) != getattr(now, name)]
        # Under another mapping, or from another row on, the same source reads otherwise.
        like = (self.engine, self.mapping, self.window) == (now.engine, now.mapping, now.window)
        if (like and self.source != now.source) or not found:
            found.append("rows of the source, or what the mapping makes of them, changed")
        return found


def ground(
    stage: Stage,
    suppressions: Suppressions,
    *,
    mapping: str,
    window: int | None,
    keyed: Callable[[str], str],
) -> Ground:
    """What a comparison stands on. `mapping` is what the mapping says, `keyed` a keyed hash."""
    listed = sorted([*suppressions.confirmed, *suppressions.pending, *suppressions.asked])

    def digest(sql: str) -> str:
        return keyed(str(stage.store.fetch(sql)))

    return Ground(
        decisions=digest(_DECISIONS),
        mapping=keyed(mapping),
        engine=duckdb.__version__,
        suppressions=keyed(hashlib.sha256("\n".join(listed).encode()).hexdigest()),
        feed=digest(_FEED),
        state=digest(_STATE),
        source=digest(_SOURCE),
        window=window,
    )

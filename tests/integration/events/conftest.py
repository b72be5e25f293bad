"""A sandbox at the far side, emptied for each test, and a road with one mapping of events."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import duckdb
import pytest

from connector.report import MappingReport
from connector.sandbox import Sandbox
from tests.support.far import far, running_sandbox
from tests.support.road import IMPATIENT, Road, entry

__all__ = ["far", "running_sandbox"]

SCHEMA = "create table taps (id varchar, who varchar, what varchar, seen timestamp)"

TAPS = """\
kind: events
source: warehouse
table: taps
type: tap
cursor: seen
lookback: {lookback}
fields:
  id: id
  original_timestamp: seen
  uid: who
  what: what
"""


class Taps(Road):
    """A road with the one mapping `taps`, one hour of lookback unless told otherwise."""

    def tap(self, *rows: str) -> None:
        """Write rows `id what at`, at being a time of 1 March 2026."""
        split = (row.split() for row in rows)
        self.put(*((name, what, f"2026-03-01 {at}") for name, what, at in split))

    def put(self, *rows: tuple[str, str, object]) -> None:
        """Write rows of id, what and when."""
        with duckdb.connect(str(self.warehouse)) as connection:
            connection.executemany(
                "insert into taps (id, who, what, seen) values (?, 'u', ?, ?)",
                [(name, what, None if at is None else str(at)) for name, what, at in rows],
            )

    def lookback(self, text: str, **replaced: str) -> None:
        """Another lookback; `replaced` are texts of the mapping and what stands for them."""
        mapping = TAPS.format(lookback=text)
        for old, new in replaced.items():
            mapping = mapping.replace(old, new)
        self.map("taps", mapping)

    def run(self, **options: Any) -> MappingReport:
        """Sync; everything has to be well."""
        report = self.sync(**options)
        assert report.exit_code == 0, report.mappings[0].error
        return entry(report, "taps")

    def sent(self, **options: Any) -> int:
        """Sync, and count the events that were acknowledged."""
        return self.run(**options).changes["event"].acknowledged

    def known(self) -> set[str]:
        """The keys that the state file holds."""
        with duckdb.connect(str(self.state / "taps.duckdb"), read_only=True) as connection:
            return {key for (key,) in connection.execute("select key from snapshot").fetchall()}

    def far_ids(self) -> set[str]:
        return {event["id"] for event in self.far.events()}

    def repeats(self) -> int:
        """Events that reached the far side more than once."""
        repeats: int = self.far.counts()["repeats"]
        return repeats


@pytest.fixture
def taps(tmp_path: Path, far: Sandbox) -> Taps:
    return Taps(
        tmp_path,
        far,
        mappings={"taps": TAPS.format(lookback="1h")},
        target=IMPATIENT,
        schema=SCHEMA,
    )


@pytest.fixture
def road_with(tmp_path: Path, far: Sandbox) -> Callable[..., Taps]:
    """A road with another schema and mapping."""

    def make(schema: str, mapping: str, target: str = IMPATIENT) -> Taps:
        return Taps(tmp_path, far, mappings={"taps": mapping}, target=target, schema=schema)

    return make

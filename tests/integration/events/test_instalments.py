"""Events that come in instalments, late and twice: after each sync the far side is exact.

`make chaos` does the same with 2,000,000 events.
"""

from __future__ import annotations

import sqlite3
from contextlib import closing
from datetime import datetime, timedelta
from pathlib import Path

import duckdb
import pyarrow as pa
import pytest

from connector.backfill import BackfillOptions, backfill
from connector.sandbox import Handle, Settings, spawn
from connector.windows import Span
from tests.integration.events.conftest import TAPS, Taps

START = datetime(2026, 1, 1)
DAYS, INSTALMENTS = 60, 40

# An instalment is a day and a half, the lookback three days: what comes one instalment late is
# found, what comes four late is not.
ARRIVALS = """
create table arrivals as
with events as (
  select
    i, 'e' || i as id, timestamp '2026-01-01' + to_microseconds(i * $step) as seen,
    i * {instalments} // $count as due, hash(i, 'fate') % 1000 as fate
  from range($count) t(i)
),
arriving as (
  select
    id, seen, due,
    case
      when fate < 30 then 'late' when fate = 30 and due < {instalments} - 4 then 'too_late'
      else 'in_time'
    end as fate,
    case
      when fate < 30 then least(due + 1, {instalments} - 1)
      when fate = 30 and due < {instalments} - 4 then due + 4
      else due
    end as instalment
  from events
)
select * from arriving
union all
select id, seen, due, 'copy', least(instalment + hash(id, 'when') % 2, {instalments} - 1)
from arriving
where hash(id, 'copy') % 50 = 0 and fate <> 'too_late'
"""


class Instalments:
    """Events of 60 days that arrive in a warehouse in 40 instalments, each in random order."""

    def __init__(self, taps: Taps, count: int) -> None:
        self.taps = taps
        self._source = duckdb.connect(str(taps.folder / "arrivals.duckdb"))
        step = DAYS * 86_400_000_000 // count
        self._source.execute(
            ARRIVALS.format(instalments=INSTALMENTS), {"step": step, "count": count}
        )

    def arrive(self, number: int) -> int:
        """Write one instalment; returns how many events must be at the far side after a sync."""
        rows = self._source.sql(
            "select id, 'u' || ascii(id) as who, 'x' as what, seen from arrivals "
            "where instalment = ? order by hash(id, 'order')",
            params=[number],
        ).to_arrow_table()
        with duckdb.connect(str(self.taps.warehouse)) as warehouse:
            warehouse.register("rows", rows)
            warehouse.execute("insert into taps from rows")
        return self._count("instalment <= ? and fate <> 'too_late'", number)

    def _count(self, condition: str, *values: object) -> int:
        query = f"select count(distinct id) from arrivals where {condition}"  # noqa: S608 - ours
        return int(self._source.execute(query, list(values)).fetchall()[0][0])

    def assert_exact(self, file: Path) -> None:
        """The far side has every event, and no other."""
        with closing(sqlite3.connect(file)) as far:
            ids = pa.table({"id": [row[0] for row in far.execute("select id from events")]})
        assert ids.num_rows == self._count("true")
        self._source.register("far", ids)
        assert self._count("id in (select id from far)") == ids.num_rows


def walk(taps: Taps, far: Handle, file: Path, count: int) -> list[int]:
    """All instalments, a sync after each, and a backfill; returns sizes of the state file."""
    instalments, sizes = Instalments(taps, count), []
    for number in range(INSTALMENTS):
        expected = instalments.arrive(number)
        taps.run()
        assert far.counts()["events"] == expected, number
        sizes.append((taps.state / "taps.duckdb").stat().st_size)
    assert far.counts()["repeats"] == 0
    project = taps.project()
    report = backfill(
        project,
        project.mapping("taps"),
        Span(START, START + timedelta(days=DAYS)),
        target=project.target(),
        options=BackfillOptions(chunk=timedelta(days=10)),
    )
    assert report.exit_code == 0
    instalments.assert_exact(file)
    assert taps.sent() == 0
    with duckdb.connect(str(taps.state / "taps.duckdb"), read_only=True) as state:
        known = state.execute("select count(*) from snapshot").fetchone()
    assert known is not None
    assert known[0] <= count * 3.1 / DAYS
    return sizes


@pytest.mark.parametrize(
    "count", [8_000, pytest.param(2_000_000, marks=[pytest.mark.chaos, pytest.mark.timeout(3600)])]
)
def test_late_early_and_double_events_are_each_there_once(tmp_path: Path, count: int) -> None:
    file = tmp_path / "far.db"
    with spawn(Settings(database=file)) as far:
        taps = Taps(
            tmp_path,
            far,
            mappings={"taps": TAPS.format(lookback="3 days")},
            target="",
            schema="create table taps (id varchar, who varchar, what varchar, seen timestamp)",
        )
        sizes = walk(taps, far, file, count)
    (tmp_path / "sizes.txt").write_text(str(sizes))
    # The state is as large in the end as when the lookback was full for the first time.
    assert sizes[-1] <= 1.5 * max(sizes[:8])

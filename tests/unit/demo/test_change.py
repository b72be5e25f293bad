from pathlib import Path

import duckdb
import pytest

from connector.demo.change import Changes, change
from connector.demo.generate import generate
from connector.errors import SourceError
from connector.mapping.mapping import Guards

USERS = """
select user_id, t::varchar as line, status, erasure_requested_at, city, tier
from analytics.dim_users as t
where not is_test and gdpr_consent
"""
WITHOUT_CONSENT = """
select user_id from analytics.dim_users where not is_test and gdpr_consent is not true
"""
EVENT_TABLES = {
    "page_views": "page_view_id",
    "impressions": "impression_id",
    "clicks": "event_id",
    "orders": "order_id",
    "searches": "search_id",
    "dwell": "dwell_id",
    "app_events": "event_id",
}


class Snapshot:
    """The users who may be sent or not, and the ids of all events read, at one moment."""

    def __init__(self, path: Path) -> None:
        with duckdb.connect(path, read_only=True) as connection:
            self.users = {
                (row[0], index): row[1:]
                for index, row in enumerate_per_key(connection.execute(USERS).fetchall())
            }
            self.without_consent = set(connection.execute(WITHOUT_CONSENT).fetchall())
            self.events = {
                table: set(
                    connection.table(f"analytics.{table}")
                    .filter("state = 'placed'" if table == "orders" else "true")
                    .project(key)
                    .fetchall()
                )
                for table, key in EVENT_TABLES.items()
            }


def enumerate_per_key(
    rows: list[tuple[object, ...]],
) -> list[tuple[int, tuple[object, ...]]]:
    seen: dict[object, int] = {}
    numbered = []
    for row in sorted(rows, key=str):
        seen[row[0]] = seen.get(row[0], 0) + 1
        numbered.append((seen[row[0]], row))
    return numbered


def observe(path: Path) -> tuple[Snapshot, Changes, Snapshot]:
    before = Snapshot(path)
    changes = change(path)
    return before, changes, Snapshot(path)


def seen(before: Snapshot, after: Snapshot) -> Changes:
    """What a comparison of both moments finds, with nothing taken from the changes' own count."""
    both = before.users.keys() & after.users.keys()
    changed = [key for key in both if before.users[key] != after.users[key]]
    closed = [key for key in changed if after.users[key][1] == "closed"]
    erased = [key for key in changed if after.users[key][2] is not None]
    cleared = [key for key in changed if after.users[key][3:] == (None, None)]
    return Changes(
        updated=len(changed) - len(closed) - len(erased) - len(cleared),
        cleared=len(cleared),
        new=len(after.users.keys() - before.users.keys()),
        gone=len(before.users.keys() - after.users.keys()),
        closed=len(closed),
        erased=len(erased),
        without_consent=len(after.without_consent - before.without_consent),
        events={table: len(after.events[table] - before.events[table]) for table in EVENT_TABLES},
    )


@pytest.fixture(scope="module")
def story(tmp_path_factory: pytest.TempPathFactory) -> tuple[Snapshot, Changes, Snapshot]:
    path = tmp_path_factory.mktemp("changed") / "warehouse.duckdb"
    generate(path)
    return observe(path)


def test_the_numbers_returned_are_what_a_comparison_finds(
    story: tuple[Snapshot, Changes, Snapshot],
) -> None:
    before, changes, after = story
    assert seen(before, after) == changes


def test_every_part_of_the_story_is_played(story: tuple[Snapshot, Changes, Snapshot]) -> None:
    changes = story[1]
    assert changes.upserts == changes.updated + changes.cleared + changes.new
    assert changes.soft_deletes == changes.gone + changes.closed
    assert min(changes.updated, changes.cleared, changes.new, changes.gone, changes.closed) > 0
    assert changes.erased == 1
    assert all(changes.events.values())


def test_no_event_that_was_there_changes_or_leaves(
    story: tuple[Snapshot, Changes, Snapshot],
) -> None:
    before, _, after = story
    assert all(before.events[table] <= after.events[table] for table in EVENT_TABLES)


def test_deletes_stay_below_the_default_guard_even_in_a_tiny_warehouse(tmp_path: Path) -> None:
    path = tmp_path / "tiny.duckdb"
    counts = generate(path, users=30, events=200)
    changes = change(path)
    sent = counts.tables["dim_users"].read - counts.without_consent - counts.closed
    assert (changes.soft_deletes + changes.erased) / sent < (Guards().max_delete_fraction or 1)


def test_a_second_day_goes_on_where_the_first_one_ended(tmp_path: Path) -> None:
    path = tmp_path / "two.duckdb"
    generate(path, users=500, events=3_000, seed=11)
    observe(path)
    second = observe(path)
    assert seen(second[0], second[2]) == second[1]
    newest = {user_id for user_id, _ in second[2].users.keys() - second[0].users.keys()}
    assert newest <= {f"u_{number:06d}" for number in range(506, 511)}


def test_the_same_day_is_the_same_for_everyone(
    story: tuple[Snapshot, Changes, Snapshot], tmp_path: Path
) -> None:
    path = tmp_path / "again.duckdb"
    generate(path)
    again = observe(path)
    assert again[1] == story[1]
    assert again[2].users == story[2].users


def test_who_asks_to_be_forgotten_has_no_events_on_that_day(tmp_path: Path) -> None:
    path = tmp_path / "busy.duckdb"
    generate(path, users=30, events=20_000, days=5)
    change(path)
    with duckdb.connect(path, read_only=True) as connection:
        found = connection.execute(
            "select count(distinct user_id),"
            " count(*) filter (v.loaded_at >= timestamp '2026-03-01')"
            " from analytics.page_views as v join analytics.dim_users as u using (user_id)"
            " where u.erasure_requested_at is not null"
        ).fetchall()
    assert found == [(1, 0)]


def test_a_file_that_is_missing_is_named(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match=r"nowhere\.duckdb is no warehouse"):
        change(tmp_path / "nowhere.duckdb")

from pathlib import Path

import duckdb
import pytest

from connector.demo.defects import EVENT_DEFECTS, USER_DEFECTS
from connector.demo.generate import TODAY, Counts, generate
from connector.demo.warehouse import TableCount
from connector.errors import UsageError

LINKS = """
select
  (select count(*) from analytics.impressions where page_view_id not in
    (select page_view_id from analytics.page_views)),
  (select count(*) from analytics.clicks where impression_id not in
    (select impression_id from analytics.impressions)),
  (select count(*) from analytics.clicks join analytics.impressions using (impression_id)
    where clicks.item_id <> impressions.item_id or clicks.occurred_at <= impressions.occurred_at)
"""


@pytest.fixture(scope="module")
def warehouse(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Counts]:
    path = tmp_path_factory.mktemp("generated") / "data" / "warehouse.duckdb"
    return path, generate(path)


def rows(path: Path, sql: str) -> list[tuple[object, ...]]:
    with duckdb.connect(path, read_only=True) as connection:
        return connection.execute(sql).fetchall()


def number(path: Path, table: str, condition: str = "true") -> int:
    with duckdb.connect(path, read_only=True) as connection:
        matching = connection.table(f"analytics.{table}").filter(condition)
        return int(matching.aggregate("count(*)").fetchall()[0][0])


def content(path: Path) -> dict[str, list[str]]:
    """All rows of all tables, in an order that does not depend on how they were written."""
    with duckdb.connect(path, read_only=True) as connection:
        tables = connection.execute(
            "select schema_name || '.' || table_name from duckdb_tables()"
        ).fetchall()
        return {table: sorted(map(str, connection.table(table).fetchall())) for (table,) in tables}


def test_the_defaults_make_a_small_shop(warehouse: tuple[Path, Counts]) -> None:
    path, counts = warehouse
    events = sum(table.total for name, table in counts.tables.items() if name != "dim_users")
    assert counts.tables["dim_users"].total == 2000
    assert 19_000 < events < 21_000
    assert rows(path, "select count(*) from gdpr.erasure_requests") == [(0,)]


def test_the_same_arguments_make_the_same_rows_whatever_the_threads(
    warehouse: tuple[Path, Counts], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    connect = duckdb.connect
    monkeypatch.setattr(duckdb, "connect", lambda path: connect(path, config={"threads": 1}))
    assert generate(tmp_path / "again.duckdb") == warehouse[1]
    monkeypatch.undo()
    assert content(tmp_path / "again.duckdb") == content(warehouse[0])


def test_another_seed_makes_other_rows(warehouse: tuple[Path, Counts], tmp_path: Path) -> None:
    generate(tmp_path / "other.duckdb", seed=8)
    ours, theirs = content(warehouse[0]), content(tmp_path / "other.duckdb")
    assert all(theirs[table] != ours[table] for table in ours if "erasure" not in table)


def test_a_few_values_are_known_by_heart_so_that_a_change_of_data_is_noticed(
    warehouse: tuple[Path, Counts],
) -> None:
    path, counts = warehouse
    assert rows(
        path,
        "select user_id, country_code, tier, signup_ts::varchar, total_spent::varchar"
        " from analytics.dim_users order by rowid limit 2",
    ) == [
        ("u_000001", "PT", "gold", "2023-06-22 17:25:49", "476.42"),
        ("u_000002", "CH", "silver", "2023-11-15 17:50:38", "1699.06"),
    ]
    assert counts.tables["page_views"] == TableCount(4822, 4822)


def test_events_arrive_within_the_days_asked_for_and_a_few_happened_before(
    tmp_path: Path,
) -> None:
    generate(tmp_path / "week.duckdb", users=100, events=10_000, days=7)
    first, last, late, total = rows(
        tmp_path / "week.duckdb",
        "select min(loaded_at)::date, max(loaded_at),"
        " count(*) filter (loaded_at - occurred_at > interval 20 hours), count(*)"
        " from analytics.page_views",
    )[0]
    assert str(first) == "2026-02-22"
    assert last < TODAY  # type: ignore[operator]
    assert 0 < late < total / 20  # type: ignore[operator]


def test_linked_ids_lead_to_rows_that_exist_and_fit(tmp_path: Path) -> None:
    generate(tmp_path / "clean.duckdb", users=300, events=9_000)
    assert rows(tmp_path / "clean.duckdb", LINKS) == [(0, 0, 0)]


def test_anonymous_visitors_have_a_session_and_a_client_but_no_user(
    warehouse: tuple[Path, Counts],
) -> None:
    share, sessions, clients = rows(
        warehouse[0],
        "select avg((user_id is null)::int),"
        " count(*) filter (user_id is null and session_id is null),"
        " count(*) filter (user_id is null and client_id is null) from analytics.page_views",
    )[0]
    assert 0.1 < share < 0.3  # type: ignore[operator]
    assert (sessions, clients) == (1, 1)  # the spoiled row


def test_the_data_are_messy_as_data_are(warehouse: tuple[Path, Counts]) -> None:
    mess = rows(
        warehouse[0],
        "select count(*) filter (country_code is null),"
        " count(*) filter (country_code <> upper(country_code)),"
        " count(*) filter (country_code <> trim(country_code)),"
        " count(*) filter (tier <> trim(tier)),"
        " count(*) filter (birth_date = date '1900-01-01'),"
        " count(*) filter (gdpr_consent is null),"
        " count(*) filter (len(labels) = 0)"
        " from analytics.dim_users",
    )[0]
    assert all(mess)
    assert rows(
        warehouse[0],
        "select count(*) > 0 from analytics.searches where search_query like '%🎁%'",
    ) == [(True,)]


def test_nobody_looks_like_a_real_person(warehouse: tuple[Path, Counts]) -> None:
    assert rows(
        warehouse[0],
        "select count(*) from analytics.dim_users where email not like 'user%@example.com'"
        " or phone not like '+1555%' or street not like '% Example Street'",
    ) == [(0,)]


def test_counts_are_those_of_the_tables(warehouse: tuple[Path, Counts]) -> None:
    path, counts = warehouse
    for table, counted in counts.tables.items():
        assert number(path, table) == counted.total
    assert rows(
        path,
        "select count(*) filter (gdpr_consent is not true),"
        " count(*) filter (gdpr_consent and status = 'closed')"
        " from analytics.dim_users where not is_test",
    ) == [(counts.without_consent, counts.closed)]


def test_every_spoiled_row_is_there_and_can_be_told_from_the_others(
    warehouse: tuple[Path, Counts],
) -> None:
    path, counts = warehouse
    spoiled = {
        "dim_users": "coalesce(user_id, '') = '' or user_id like '%' || chr(10) or"
        " length(city) > 16384 or isnan(churn_score) or user_id in"
        " (select user_id from analytics.dim_users group by user_id having count(*) > 1)",
        "page_views": "page_type is null or coalesce(user_id, session_id, client_id) is null",
        "impressions": "position is null",
        "clicks": "item_id is null",
        "orders": "item_ids is null and state = 'placed'",
        "searches": "try_cast(searched_at as timestamp) is null or length(search_query) > 16384",
        "dwell": "isinf(dwell_ms)",
        "app_events": "event_name is null",
    }
    found = {table: number(path, table, condition) for table, condition in spoiled.items()}
    assert found == counts.invalid
    assert sum(counts.invalid.values()) == sum(d.rows for d in (*USER_DEFECTS, *EVENT_DEFECTS))


def test_spoiled_rows_stay_below_one_percent_of_every_table(
    warehouse: tuple[Path, Counts],
) -> None:
    for table, invalid in warehouse[1].invalid.items():
        assert 0 < invalid < warehouse[1].tables[table].read / 100


def test_a_tiny_warehouse_is_clean(tmp_path: Path) -> None:
    counts = generate(tmp_path / "tiny.duckdb", users=30, events=0)
    assert counts.tables["dim_users"].total == 30
    assert not any(counts.invalid.values())


def test_a_warehouse_that_is_there_is_replaced_and_leaves_nothing_beside_it(
    tmp_path: Path,
) -> None:
    path = tmp_path / "warehouse.duckdb"
    generate(path, users=50, events=100)
    counts = generate(path, users=30, events=100)
    assert counts.tables["dim_users"].total == 30
    assert rows(path, "select count(*) from analytics.dim_users") == [(30,)]
    assert [file.name for file in tmp_path.iterdir()] == ["warehouse.duckdb"]


@pytest.mark.parametrize(("users", "events", "days"), [(29, 0, 1), (30, -1, 1), (30, 0, 0)])
def test_sizes_that_make_no_story_are_refused(
    tmp_path: Path, users: int, events: int, days: int
) -> None:
    with pytest.raises(UsageError, match="30 users"):
        generate(tmp_path / "none.duckdb", users=users, events=events, days=days)
    assert not list(tmp_path.iterdir())

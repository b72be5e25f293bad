from __future__ import annotations

from datetime import timedelta
from typing import Any

import dagster as dg
import pytest

from connector.backfill import BackfillOptions, backfill
from connector.windows import Span, parse_moment
from dagster_defs.backfill import Backfills
from dagster_defs.outcome import Retries
from tests.dagster.conftest import Shop

CLICKS = dg.AssetKey(["sequen", "clicks"])
BY_DAY = dg.AssetKey(["sequen", "clicks", "by_day"])
PER_DAY = [10, 20, 30, 0, 40, 50, 60]
DAYS = [f"2026-01-{day:02}" for day in range(5, 12)]


@pytest.fixture(autouse=True)
def _a_week_of_clicks(shop: Shop) -> None:
    rows = ", ".join(
        f"('{day}', {count})" for day, count in zip(DAYS, PER_DAY, strict=True) if count
    )
    shop.execute(
        f"CREATE TABLE days AS FROM (VALUES {rows}) AS d(day, n)",
        "CREATE OR REPLACE TABLE clicks AS SELECT day || '-' || i AS click_id, 'u1' AS user_id, "
        "day::TIMESTAMP + to_minutes(i::INT * 20) AS at, 'i1' AS item, 'buy' AS click_type "
        "FROM days, range(60) AS r(i) WHERE i < n",
    )


def run(
    shop: Shop,
    instance: dg.DagsterInstance | None = None,
    *,
    first: str = DAYS[0],
    last: str = DAYS[-1],
    config: dict[str, Any] | None = None,
    key: dg.AssetKey = BY_DAY,
    **attributes: Any,
) -> dg.ExecuteInProcessResult:
    """One run over a range of partitions, as a backfill from the UI starts it."""
    asset = shop.defs(**attributes).get_assets_def(key)
    return dg.materialize(
        [asset],
        instance=instance,
        tags={
            "dagster/asset_partition_range_start": first,
            "dagster/asset_partition_range_end": last,
        },
        run_config={"ops": {asset.op.name: {"config": config or {}}}},
        raise_on_error=False,
    )


def by_partition(result: dg.ExecuteInProcessResult) -> dict[str, dict[str, Any]]:
    return {
        str(event.partition): {
            key: value.value for key, value in event.materialization.metadata.items()
        }
        for event in result.get_asset_materialization_events()
    }


def test_a_week_is_one_run_with_the_true_counts_of_each_day(
    shop: Shop, instance: dg.DagsterInstance
) -> None:
    result = run(shop, instance)
    assert result.success
    found = by_partition(result)
    assert list(found) == DAYS
    assert [each["rows_read"] for each in found.values()] == PER_DAY
    assert [each["acknowledged"] for each in found.values()] == PER_DAY
    assert [each["dagster/partition_row_count"] for each in found.values()] == PER_DAY
    assert shop.sandbox.counts()["events"] == sum(PER_DAY)
    assert instance.get_materialized_partitions(BY_DAY) == set(DAYS)


def test_what_is_outside_of_the_range_stays_where_it_is(shop: Shop) -> None:
    found = by_partition(run(shop, first=DAYS[1], last=DAYS[2]))
    assert list(found) == DAYS[1:3]
    assert shop.sandbox.counts()["events"] == 50


def test_days_that_are_done_are_not_sent_again_and_keep_their_counts(shop: Shop) -> None:
    run(shop, last=DAYS[2])
    before = shop.sandbox.counts()["requests_total"]
    found = by_partition(run(shop, last=DAYS[2]))
    assert shop.sandbox.counts()["requests_total"] == before
    assert [each["acknowledged"] for each in found.values()] == PER_DAY[:3]
    assert {each["status"] for each in found.values()} == {"done before"}


def test_they_are_sent_again_when_asked(shop: Shop) -> None:
    run(shop, last=DAYS[2])
    before = shop.sandbox.counts()["requests_total"]
    found = by_partition(run(shop, last=DAYS[2], config={"resend": True}))
    assert [each["acknowledged"] for each in found.values()] == PER_DAY[:3]
    assert shop.sandbox.counts()["requests_total"] > before


def test_the_next_sync_knows_what_a_backfill_sent(shop: Shop) -> None:
    run(shop)
    result = shop.materialize("clicks")
    assert result.success
    metadata = result.asset_materializations_for_node("sequen__clicks")[0].metadata
    assert metadata["acknowledged"].value == 0


def test_a_day_that_was_sent_in_longer_chunks_is_done_without_counts_of_its_own(
    shop: Shop,
) -> None:
    project = shop.component().sync_project
    (clicks,) = project.choose(["clicks"])
    window = Span(parse_moment(DAYS[0]), parse_moment(DAYS[4]))
    options = BackfillOptions(chunk=timedelta(days=4))
    backfill(project.project, clicks, window, target=project.target(), options=options)
    found = by_partition(run(shop, last=DAYS[1]))
    assert list(found) == DAYS[:2]
    assert all(each == {"status": "done before"} for each in found.values())


def test_an_outage_leaves_the_days_that_are_done_and_the_next_run_the_others(
    shop: Shop, instance: dg.DagsterInstance
) -> None:
    run(shop, instance, last=DAYS[1])
    shop.sandbox.set_faults({"e503": 1.0})
    result = run(shop, instance, retries=Retries(max_retries=1, seconds=0.01))
    assert not result.success
    assert result.retry_attempts_for_node("sequen__clicks__by_day") == 1
    assert instance.get_materialized_partitions(BY_DAY) == set(DAYS[:2])
    shop.sandbox.set_faults({})
    assert run(shop, instance).success
    assert instance.get_materialized_partitions(BY_DAY) == set(DAYS)
    assert shop.sandbox.counts()["events"] == sum(PER_DAY)


def test_hours_are_partitions_where_they_are_asked_for(shop: Shop) -> None:
    found = by_partition(
        run(
            shop,
            first="2026-01-05-00:00",
            last="2026-01-05-03:00",
            key=dg.AssetKey(["sequen", "clicks", "by_hour"]),
            backfills=Backfills(by="hour", start="2026-01-01"),
        )
    )
    assert [each["rows_read"] for each in found.values()] == [3, 3, 3, 1]


def test_partitions_live_beside_the_asset_of_the_syncs(shop: Shop) -> None:
    graph = shop.defs().resolve_asset_graph()
    by_day = graph.get(BY_DAY)
    assert graph.get(CLICKS).partitions_def is None
    assert by_day.partitions_def == dg.DailyPartitionsDefinition("2024-01-01")
    assert by_day.backfill_policy == dg.BackfillPolicy.single_run()
    assert by_day.parent_keys == graph.get(CLICKS).parent_keys
    assert by_day.automation_condition is None
    pools = {shop.defs().get_assets_def(key).op.pool for key in (CLICKS, BY_DAY)}
    assert pools == {"sequen__sandbox", "sequen__sandbox__backfill"}


@pytest.mark.parametrize("attributes", [{"backfills": Backfills(enabled=False)}, {}])
def test_there_are_none_where_they_are_not_wanted_or_have_no_cursor(
    shop: Shop, attributes: dict[str, Any]
) -> None:
    if not attributes:
        clicks = shop.folder.path / "clicks.yaml"
        clicks.write_text(clicks.read_text().replace("cursor: at\n", ""))
    assert BY_DAY not in shop.defs(**attributes).resolve_asset_graph().materializable_asset_keys

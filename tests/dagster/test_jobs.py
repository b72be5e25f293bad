from __future__ import annotations

from typing import Any, ClassVar

import dagster as dg
import pytest

from dagster_defs.outcome import Retries
from tests.dagster.conftest import CLICKS, USERS, Shop


def run(
    shop: Shop,
    job: str,
    config: dict[str, Any] | None = None,
    *,
    instance: dg.DagsterInstance | None = None,
    **attributes: Any,
) -> dg.ExecuteInProcessResult:
    definition = shop.defs(**attributes).resolve_job_def(f"sequen_{job}")
    ops = {f"sequen_{job}_op": {"config": config or {}}}
    return definition.execute_in_process(
        run_config={"ops": ops}, instance=instance, raise_on_error=False
    )


def observations(result: dg.ExecuteInProcessResult) -> dict[str, dict[str, Any]]:
    return {
        event.asset_observation_data.asset_observation.asset_key.path[-1]: {
            key: value.value
            for key, value in event.asset_observation_data.asset_observation.metadata.items()
        }
        for event in result.get_asset_observation_events()
    }


def test_a_plan_says_what_would_be_sent_and_sends_nothing(shop: Shop) -> None:
    planned = observations(run(shop, "plan"))
    assert planned["users"]["planned"] == planned["users"]["requests"] == USERS
    assert f"**{CLICKS}** event ({CLICKS} new)" in planned["clicks"]["summary"]
    assert shop.sandbox.counts()["requests_total"] == 0


def test_a_plan_counts_the_fields_that_changed(shop: Shop) -> None:
    shop.materialize("users")
    shop.execute("UPDATE users SET country = 'FR' WHERE orders < 3")
    planned = observations(run(shop, "plan", {"mappings": ["users"]}))
    assert planned["users"]["planned"] == 3


def test_a_plan_that_a_guard_would_stop_fails(shop: Shop, instance: dg.DagsterInstance) -> None:
    shop.materialize("users")
    shop.execute("DELETE FROM users WHERE orders >= 30")
    result = run(shop, "plan", {"mappings": ["users"]}, instance=instance)
    assert not result.success
    key = dg.AssetKey(["sequen", "users"])
    observation = instance.fetch_observations(key, limit=1).records[0].asset_observation
    assert observation is not None
    assert observation.metadata["status"].value == "blocked"


def test_a_full_refresh_sends_everything_of_the_chosen_mappings(shop: Shop) -> None:
    shop.materialize("users", "clicks")
    result = run(shop, "full_refresh", {"mappings": ["users"]})
    (event,) = result.get_asset_materialization_events()
    assert event.asset_key == dg.AssetKey(["sequen", "users"])
    assert event.materialization.metadata["acknowledged"].value == USERS


def test_a_full_refresh_without_names_is_of_all_of_them(shop: Shop) -> None:
    events = run(shop, "full_refresh").get_asset_materialization_events()
    assert {event.asset_key.path[-1] for event in events if event.asset_key} == {"users", "clicks"}


def test_a_rebaseline_wants_names(shop: Shop) -> None:
    result = run(shop, "rebaseline", {"mappings": ["users"]})
    assert (
        result.get_asset_materialization_events()[0].materialization.metadata["adopted"].value
        == USERS
    )
    with pytest.raises(dg.DagsterInvalidConfigError, match="mappings"):
        run(shop, "rebaseline")


def test_rejected_rows_are_tried_again_when_asked(shop: Shop) -> None:
    shop.sandbox.set_poison([{"resource": "users", "field": "orders", "equals": 5}])
    shop.materialize("users")
    shop.sandbox.set_poison([])
    shop.materialize("users")
    assert shop.sandbox.counts()["live"] == USERS - 1
    result = run(shop, "retry_rejects")
    assert (
        result.get_asset_materialization_events()[0].materialization.metadata["acknowledged"].value
        == 1
    )
    assert shop.sandbox.counts()["live"] == USERS


def test_nothing_to_try_again_is_no_failure(shop: Shop) -> None:
    shop.materialize("users")
    assert run(shop, "retry_rejects", {"codes": ["validation_failed"]}).success


def test_a_failed_sync_fails_the_job_and_says_of_which_mapping(shop: Shop) -> None:
    shop.execute("DROP TABLE clicks")
    result = run(shop, "full_refresh")
    assert not result.success
    (failure,) = result.get_step_failure_events()
    assert failure.step_failure_data.user_failure_data is not None
    assert str(failure.step_failure_data.user_failure_data.description).startswith("clicks: ")
    assert shop.sandbox.counts()["live"] == USERS


def test_a_name_that_matches_nothing_is_refused(shop: Shop) -> None:
    result = run(shop, "plan", {"mappings": ["usres"]})
    data = result.get_step_failure_events()[0].step_failure_data.user_failure_data
    assert data is not None
    assert "did you mean 'users'?" in str(data.description)


def test_mappings_of_another_component_are_out_of_reach(shop: Shop) -> None:
    result = run(shop, "plan", {"mappings": ["clicks"]}, select=["users"])
    assert not result.success


def test_coverage_is_measured_without_sending(shop: Shop) -> None:
    measured = observations(run(shop, "coverage"))
    assert measured["users"]["coverage_tier"] == "no tier"
    assert 0 <= measured["users"]["coverage_good"] < 1
    assert measured["clicks"]["rows"] == CLICKS
    assert shop.sandbox.counts()["requests_total"] == 0


class TestBackfill:
    BY_DAY = dg.AssetKey(["sequen", "clicks", "by_day"])
    WINDOW: ClassVar = {"mapping": "clicks", "start": "2026-01-01", "end": "2026-01-03T06:00"}

    def test_a_window_is_sent_and_the_days_in_it_are_noted(
        self, shop: Shop, instance: dg.DagsterInstance
    ) -> None:
        assert run(shop, "backfill", self.WINDOW, instance=instance).success
        assert shop.sandbox.counts()["events"] == CLICKS
        days = instance.get_materialized_partitions(self.BY_DAY)
        assert days == {"2026-01-01", "2026-01-02"}

    def test_it_can_be_counted_without_being_sent(
        self, shop: Shop, instance: dg.DagsterInstance
    ) -> None:
        config = self.WINDOW | {"dry_run": True, "chunk_hours": 0.5}
        counted = observations(run(shop, "backfill", config, instance=instance))
        assert counted["clicks"]["planned"] == CLICKS
        chunks = [record.data["rows"] for record in counted["clicks"]["chunks"].records]
        assert chunks[:3] == [30, 30, 0]
        assert shop.sandbox.counts()["requests_total"] == 0
        assert not instance.get_materialized_partitions(self.BY_DAY)

    def test_an_outage_is_tried_again(self, shop: Shop) -> None:
        shop.sandbox.set_faults({"e503": 1.0})
        retries = Retries(max_retries=1, seconds=0.01)
        result = run(shop, "backfill", self.WINDOW, retries=retries)
        assert not result.success
        assert result.retry_attempts_for_node("sequen_backfill_op") == 1

    @pytest.mark.parametrize(
        "change", [{"mapping": "users"}, {"mapping": "clikcs"}, {"start": "soon"}]
    )
    def test_what_cannot_be_meant_fails_at_once(self, shop: Shop, change: dict[str, str]) -> None:
        result = run(shop, "backfill", self.WINDOW | change)
        assert not result.success
        assert result.retry_attempts_for_node("sequen_backfill_op") == 0

    def test_there_is_no_such_job_without_such_events(self, shop: Shop) -> None:
        jobs = shop.defs(select=["users"]).jobs or []
        assert "sequen_backfill" not in {job.name for job in jobs}

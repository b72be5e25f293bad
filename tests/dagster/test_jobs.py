from __future__ import annotations

from typing import Any

import dagster as dg
import pytest

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
    assert measured["users"]["tier"] == "no tier"
    assert 0 <= measured["users"]["coverage_good"] < 1
    assert measured["clicks"]["rows"] == CLICKS
    assert shop.sandbox.counts()["requests_total"] == 0

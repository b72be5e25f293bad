from __future__ import annotations

import logging
import os
import signal
import subprocess
import sys
import threading
import time

import dagster as dg
import pytest

from connector.control.lease import lease
from connector.control.store import ControlStore
from dagster_defs.outcome import Retries
from tests.dagster.conftest import (
    CLICKS,
    KEY,
    USERS,
    Shop,
    checks,
    everything,
    failure,
    materialized,
)


def test_every_row_arrives_and_the_numbers_say_so(shop: Shop) -> None:
    result = shop.materialize("users", "clicks")
    assert result.success
    users = materialized(result)
    assert users["rows_read"] == users["acknowledged"] == users["dagster/row_count"] == USERS
    assert users["requests"] == USERS
    assert users["pending"] == users["rows_rejected"] == 0
    clicks = materialized(result, "clicks")
    assert clicks["acknowledged"] == CLICKS
    assert shop.sandbox.counts()["live"] == USERS
    assert shop.sandbox.counts()["events"] == CLICKS


def test_all_checks_pass_when_all_is_well(shop: Shop) -> None:
    assert checks(shop.materialize("users")) == {
        "nothing_pending": True,
        "rejects_within_limits": True,
        "reconciles_with_source": True,
    }


def test_the_changes_are_a_table_by_operation(shop: Shop) -> None:
    shop.materialize("users")
    shop.execute(
        "DELETE FROM users WHERE orders >= 38", "UPDATE users SET country = 'FR' WHERE orders = 1"
    )
    result = shop.materialize("users")
    metadata = result.asset_materializations_for_node("sequen__users")[0].metadata
    table = {str(record.data["operation"]): record.data for record in metadata["changes"].records}
    assert table["upsert"]["acknowledged"] == 1
    assert table["soft_delete"]["acknowledged"] == 2
    assert metadata["rows_unchanged"].value == 37
    assert all(checks(result).values())


def test_a_second_run_sends_nothing(shop: Shop) -> None:
    shop.materialize("users")
    again = materialized(shop.materialize("users"))
    assert (again["acknowledged"], again["requests"]) == (0, 0)
    assert again["rows_unchanged"] == again["dagster/row_count"] == USERS


def test_the_summary_is_markdown_for_people(shop: Shop) -> None:
    said = materialized(shop.materialize("users"))["summary"]
    assert f"**{USERS}** rows read" in said
    assert f"**upsert**: {USERS} of {USERS} acknowledged" in said


class TestRejects:
    @pytest.fixture(autouse=True)
    def _a_tenth_is_spoiled(self, shop: Shop) -> None:
        shop.execute("UPDATE users SET user_id = NULL WHERE orders < 2")
        shop.sandbox.set_poison(
            [{"resource": "users", "field": "orders", "equals": 5, "message": "u5 is odd"}]
        )

    def test_the_others_arrive_and_a_table_says_why_without_saying_who(
        self, shop: Shop, instance: dg.DagsterInstance
    ) -> None:
        result = shop.materialize("users", instance=instance)
        assert result.success
        assert shop.sandbox.counts()["live"] == USERS - 3
        metadata = result.asset_materializations_for_node("sequen__users")[0].metadata
        rows = {(r.data["reason"], r.data["rows_in_sample"]) for r in metadata["rejects"].records}
        assert rows == {("key_null", 2), ("validation_failed", 1)}
        assert metadata["refused"].value == 1
        assert checks(result)["reconciles_with_source"]
        assert "u5" not in everything(instance, result)

    def test_too_many_fail_a_check_and_not_the_run(self, shop: Shop) -> None:
        result = shop.materialize("users")
        check = next(
            each
            for each in result.get_asset_check_evaluations()
            if each.check_name == "rejects_within_limits"
        )
        assert result.success
        assert not check.passed
        assert check.severity is dg.AssetCheckSeverity.ERROR
        assert check.metadata["percent"].value == pytest.approx(7.5)

    def test_too_many_can_be_a_warning(self, shop: Shop) -> None:
        result = shop.materialize("users", on_too_many_rejects="warn")
        severities = {e.check_name: e.severity for e in result.get_asset_check_evaluations()}
        assert severities["rejects_within_limits"] is dg.AssetCheckSeverity.WARN
        assert severities["nothing_pending"] is dg.AssetCheckSeverity.ERROR

    def test_too_many_can_keep_downstream_assets_from_running(self, shop: Shop) -> None:
        @dg.asset(deps=[KEY])
        def downstream() -> None: ...

        users = shop.defs(on_too_many_rejects="block").get_assets_def(KEY)
        result = dg.materialize([users, downstream], raise_on_error=False)
        assert not result.success
        assert result.asset_materializations_for_node("sequen__users")
        assert not result.asset_materializations_for_node("downstream")

    def test_too_many_can_fail_the_run(self, shop: Shop) -> None:
        result = shop.materialize("users", on_too_many_rejects="fail")
        assert not result.success
        assert result.asset_materializations_for_node("sequen__users")
        assert "3 of 40 rows are rejected, more than 1 %" in failure(result)

    def test_a_mapping_may_allow_more(self, shop: Shop) -> None:
        users = shop.folder.path / "users.yaml"
        users.write_text(users.read_text() + "max_reject_percent: 10\n")
        assert checks(shop.materialize("users"))["rejects_within_limits"]


def test_an_outage_is_waited_for(shop: Shop) -> None:
    class UntilItEnds(Retries):
        def wait(self, attempt: int) -> float:
            if attempt == 1:
                shop.sandbox.set_faults({})
            return 0.01

    shop.sandbox.set_faults({"e503": 1.0})
    result = shop.materialize("users", retries=UntilItEnds())
    assert result.success
    assert result.retry_attempts_for_node("sequen__users") == 2
    assert shop.sandbox.counts()["live"] == USERS


def test_an_outage_that_lasts_fails_the_run_and_says_what_is_pending(
    shop: Shop, instance: dg.DagsterInstance
) -> None:
    shop.sandbox.set_faults({"e503": 1.0})
    result = shop.materialize(
        "users", instance=instance, retries=Retries(max_retries=1, seconds=0.01)
    )
    assert not result.success
    assert result.retry_attempts_for_node("sequen__users") == 1
    assert not checks(result)["nothing_pending"]
    observed = instance.get_latest_materialization_event(KEY)
    assert observed is None
    observation = instance.fetch_observations(KEY, limit=1).records[0].asset_observation
    assert observation is not None
    assert observation.metadata["pending"].value == USERS


def test_a_guard_that_trips_is_a_failure_with_its_numbers_and_no_retry(
    shop: Shop, instance: dg.DagsterInstance
) -> None:
    shop.materialize("users")
    shop.execute("DELETE FROM users WHERE orders >= 30")
    result = shop.materialize("users", instance=instance)
    assert not result.success
    assert result.retry_attempts_for_node("sequen__users") == 0
    assert "10 of 40 synced rows (25.0%) would be deleted" in failure(result)
    assert "max_delete_fraction 15.0%" in failure(result)
    assert "`allow_deletes: 10`" in failure(result)
    assert "u3" not in everything(instance, result)
    assert shop.sandbox.counts()["live"] == USERS


def test_a_source_that_is_busy_is_tried_again(shop: Shop) -> None:
    hold = "import duckdb, sys; c = duckdb.connect(sys.argv[1]); print(flush=True); input()"
    command = [sys.executable, "-c", hold, str(shop.warehouse)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as holder:
        assert holder.stdout is not None
        holder.stdout.readline()
        result = shop.materialize("users", retries=Retries(max_retries=1, seconds=0.01))
        holder.kill()
    assert not result.success
    assert result.retry_attempts_for_node("sequen__users") == 1
    assert shop.materialize("users").success


@pytest.mark.parametrize(("hours", "fresh"), [(24.0, False), (1e6, True)])
def test_events_are_fresh_when_the_cursor_came_near_enough(
    shop: Shop, hours: float, fresh: bool
) -> None:
    result = shop.materialize("clicks", fresh_within_hours=hours)
    assert result.success
    assert checks(result)["events_fresh"] is fresh
    assert materialized(result, "clicks")["behind_seconds"] > 0


def test_what_a_guard_stopped_can_be_let_through_once(shop: Shop) -> None:
    shop.materialize("users")
    shop.execute("DELETE FROM users WHERE orders >= 30")
    result = shop.materialize("users", config={"allow_deletes": 10})
    assert result.success
    assert materialized(result)["soft_deletes"] == 10


def test_a_key_that_is_refused_fails_at_once(shop: Shop, instance: dg.DagsterInstance) -> None:
    shop.folder.write("project.yaml", shop.project_yaml(api_key="wrong-and-secret"))
    result = shop.materialize("users", instance=instance)
    assert not result.success
    assert result.retry_attempts_for_node("sequen__users") == 0
    assert "does not accept the API key" in failure(result)
    assert "wrong-and-secret" not in everything(instance, result)


def test_a_variable_that_is_not_set_fails_the_run_with_its_place(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("SHOP_KEY", raising=False)
    shop.folder.write("project.yaml", shop.project_yaml(api_key="${SHOP_KEY}"))
    result = shop.materialize("users")
    assert not result.success
    assert "SHOP_KEY" in failure(result)
    assert "project.yaml:" in failure(result)


def test_the_key_can_come_from_another_variable(
    shop: Shop, instance: dg.DagsterInstance, monkeypatch: pytest.MonkeyPatch
) -> None:
    shop.folder.write("project.yaml", shop.project_yaml(api_key="wrong"))
    monkeypatch.setenv("OTHER_KEY", "sandbox")
    result = shop.materialize("users", instance=instance, api_key=dg.EnvVar("OTHER_KEY"))
    assert result.success
    monkeypatch.delenv("OTHER_KEY")
    result = shop.materialize("users", api_key=dg.EnvVar("OTHER_KEY"))
    assert "OTHER_KEY is not set" in failure(result)


def test_a_mapping_that_does_not_fit_its_table_fails_with_its_place(shop: Shop) -> None:
    shop.execute("ALTER TABLE users RENAME COLUMN country TO land")
    result = shop.materialize("users")
    assert result.retry_attempts_for_node("sequen__users") == 0
    assert "users.yaml:7:" in failure(result)
    assert "'country' is no column of users" in failure(result)


def test_a_mapping_that_another_process_syncs_is_tried_again(shop: Shop) -> None:
    control = ControlStore(shop.folder.path.parent / ".connector" / "sandbox", "sandbox")
    with lease(control, "users"):
        result = shop.materialize("users", retries=Retries(max_retries=2, seconds=0.01))
    control.close()
    assert result.retry_attempts_for_node("sequen__users") == 2
    assert "is being synced by another process" in failure(result)


def test_a_full_refresh_sends_every_row_again(shop: Shop) -> None:
    shop.materialize("users")
    assert (
        materialized(shop.materialize("users", config={"full_refresh": True}))["acknowledged"]
        == USERS
    )


def test_a_rebaseline_sends_nothing(shop: Shop) -> None:
    metadata = materialized(shop.materialize("users", config={"rebaseline": True}))
    assert metadata["adopted"] == metadata["dagster/row_count"] == USERS
    assert shop.sandbox.counts()["live"] == 0
    assert materialized(shop.materialize("users"))["acknowledged"] == 0


def test_cancelling_a_run_flushes_what_was_acknowledged_and_the_next_one_sends_the_rest(
    shop: Shop, instance: dg.DagsterInstance
) -> None:
    shop.folder.write("project.yaml", shop.project_yaml(max_in_flight=2))
    shop.sandbox.set_faults({"latency": "50ms"})

    def interrupt_after_some_rows() -> None:
        while shop.sandbox.counts()["live"] < 5:
            time.sleep(0.01)
        os.kill(os.getpid(), signal.SIGINT)

    interrupter = threading.Thread(target=interrupt_after_some_rows)
    interrupter.start()
    result = shop.materialize("users", instance=instance)
    interrupter.join()
    assert not result.success
    arrived = shop.sandbox.counts()["live"]
    assert 5 <= arrived < USERS
    observation = instance.fetch_observations(KEY, limit=1).records[0].asset_observation
    assert observation is not None
    assert observation.metadata["acknowledged"].value == arrived

    shop.sandbox.set_faults({})
    rest = materialized(shop.materialize("users"))
    assert rest["acknowledged"] == USERS - arrived


def test_column_lineage_is_on_the_materialization_where_the_ui_looks_for_it(shop: Shop) -> None:
    lineage = materialized(shop.materialize("users"))["dagster/column_lineage"]
    assert lineage.deps_by_column["uid"][0].column_name == "user_id"


def test_columns_have_the_types_of_their_source_once_it_was_read(shop: Shop) -> None:
    schema = materialized(shop.materialize("users"))["dagster/column_schema"]
    assert {column.name: column.type for column in schema.columns} == {
        "uid": "string",
        "country": "string",
        "orders": "number",
        "plan": "string",
    }


def test_who_could_not_be_told_of_a_run_is_a_warning_in_its_log_and_metadata(
    shop: Shop, instance: dg.DagsterInstance
) -> None:
    shop.folder.write("project.yaml", shop.project_yaml() + "sync_log: {source: nowhere}\n")
    result = shop.materialize("users", instance=instance)
    assert result.success
    assert "sync log" in materialized(result)["warnings"]
    warned = [e for e in instance.all_logs(result.run_id) if e.level == logging.WARNING]
    assert any("sync log" in entry.user_message for entry in warned)

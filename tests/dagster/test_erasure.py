from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import dagster as dg
import pytest

from connector.control.erasures import Erasure
from dagster_defs.erasure import ASK_AGAIN, Asked, ErasureFeeds, judge
from dagster_defs.outcome import Retries
from tests.dagster.conftest import USERS, Shop, everything, failure, materialized
from tests.dagster.test_jobs import run

KEY = dg.AssetKey(["sequen", "users"])
NOW = datetime(2026, 3, 1, 12)


@pytest.fixture
def feed(shop: Shop) -> None:
    """A feed of erasures, empty so far."""
    shop.execute("CREATE TABLE requests (user_id VARCHAR)")
    users = shop.folder.path / "users.yaml"
    users.write_text(users.read_text() + "deletes: {erasures: {table: requests, key: user_id}}\n")


def look(shop: Shop, instance: dg.DagsterInstance, cursor: str | None = None) -> dg.SensorResult:
    """One tick of the sensor."""
    (sensor,) = shop.defs().sensors or []
    assert isinstance(sensor, dg.SensorDefinition)
    context = dg.build_sensor_context(instance=instance, cursor=cursor)
    result = sensor(context)
    assert isinstance(result, dg.SensorResult)
    return result


@pytest.mark.usefixtures("feed")
class TestSensor:
    def test_an_empty_feed_asks_for_nothing(self, shop: Shop, instance: dg.DagsterInstance) -> None:
        assert not look(shop, instance).run_requests

    def test_somebody_new_has_the_mapping_synced_and_is_then_left_alone(
        self, shop: Shop, instance: dg.DagsterInstance
    ) -> None:
        shop.materialize("users")
        shop.execute("INSERT INTO requests VALUES ('u3')")
        asked = look(shop, instance)
        assert len(asked.run_requests or []) == 1
        assert "u3" not in repr(asked)
        assert not look(shop, instance, asked.cursor).run_requests
        assert shop.materialize("users").success
        assert shop.sandbox.counts()["live"] == USERS - 1
        after = look(shop, instance, asked.cursor)
        assert not after.run_requests
        assert after.cursor == Asked().text

    def test_a_second_request_is_not_held_up_by_the_first(
        self, shop: Shop, instance: dg.DagsterInstance
    ) -> None:
        shop.execute("INSERT INTO requests VALUES ('u3')")
        asked = look(shop, instance)
        shop.execute("INSERT INTO requests VALUES ('u4')")
        assert look(shop, instance, asked.cursor).run_requests

    def test_a_sync_that_failed_is_asked_for_again_later(
        self, shop: Shop, instance: dg.DagsterInstance
    ) -> None:
        shop.execute("INSERT INTO requests VALUES ('u3')")
        asked = Asked.read(look(shop, instance).cursor)
        earlier = Asked(asked.digest, asked.at - ASK_AGAIN - 1)
        assert look(shop, instance, earlier.text).run_requests

    def test_it_can_run_at_once_or_not_be_there(self, shop: Shop) -> None:
        (sensor,) = shop.defs(erasure_feeds=ErasureFeeds(running=True, seconds=30)).sensors or []
        assert isinstance(sensor, dg.SensorDefinition)
        assert sensor.default_status is dg.DefaultSensorStatus.RUNNING
        assert sensor.minimum_interval_seconds == 30
        assert not list(shop.defs(erasure_feeds=ErasureFeeds(enabled=False)).sensors or [])


class TestJob:
    def test_users_in_a_file_are_erased_and_not_named(
        self, shop: Shop, tmp_path: Path, instance: dg.DagsterInstance
    ) -> None:
        shop.materialize("users")
        file = tmp_path / "whom"
        file.write_text("u31\nu32\nnever-seen\n")
        result = run(shop, "erase", {"file": str(file)}, instance=instance)
        assert result.success
        assert shop.sandbox.counts()["live"] == USERS - 2
        (output,) = [e for e in result.all_node_events if e.is_successful_output]
        metadata = output.step_output_data.metadata
        assert metadata["erased"].value == 3
        assert metadata["unknown_to_the_target"].value == 1
        kept = everything(instance, result)
        assert not [uid for uid in ("u31", "u32", "never-seen") if uid in kept]

    def test_they_can_be_in_a_variable(self, shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
        shop.materialize("users")
        monkeypatch.setenv("TO_ERASE", "u1\nu2")
        assert run(shop, "erase", {"variable": "TO_ERASE"}).success
        assert shop.sandbox.counts()["live"] == USERS - 2

    @pytest.mark.parametrize(
        "config", [{}, {"file": "a", "variable": "B"}, {"file": "nowhere"}, {"variable": "UNSET"}]
    )
    def test_a_config_that_names_nobody_fails_at_once(
        self, shop: Shop, config: dict[str, Any]
    ) -> None:
        result = run(shop, "erase", config)
        assert not result.success
        assert result.retry_attempts_for_node("sequen_erase_op") == 0

    def test_a_uid_that_addresses_nobody_is_not_repeated(
        self, shop: Shop, instance: dg.DagsterInstance, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("TO_ERASE", "jane\tdoe")
        result = run(shop, "erase", {"variable": "TO_ERASE"}, instance=instance)
        assert "one of the uids addresses no user" in failure(result)
        assert "jane" not in everything(instance, result)

    def test_an_outage_is_tried_again_and_the_request_stays(
        self, shop: Shop, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        shop.materialize("users")
        monkeypatch.setenv("TO_ERASE", "u1")
        shop.sandbox.set_faults({"e503": 1.0})
        retries = Retries(max_retries=1, seconds=0.01)
        result = run(shop, "erase", {"variable": "TO_ERASE"}, retries=retries)
        assert result.retry_attempts_for_node("sequen_erase_op") == 1
        shop.sandbox.set_faults({})
        result = shop.materialize("users")
        assert result.success
        assert materialized(result)["rows_read"] == USERS
        assert shop.sandbox.counts()["live"] == USERS - 1

    def test_one_that_waits_hides_nothing_of_the_sync_that_it_waits_for(
        self, shop: Shop, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("TO_ERASE", "u1")
        shop.sandbox.set_faults({"e503": 1.0})
        run(shop, "erase", {"variable": "TO_ERASE"}, retries=Retries(max_retries=0))
        shop.sandbox.set_faults({})
        shop.execute("DROP TABLE users")
        result = shop.materialize("users")
        assert not result.success
        assert failure(result).startswith("users: ")


def line(hours: float, *, confirmed: bool = False, withdrawn: bool = False) -> Erasure:
    asked = NOW - timedelta(hours=hours)
    return Erasure(
        uid_hash=f"h{hours}",
        rule="feed",
        mapping="users",
        requested_at=asked,
        sent_at=None,
        confirmed_at=NOW if confirmed else None,
        withdrawn_at=NOW if withdrawn else None,
        answer=200 if confirmed else None,
        run_id="r",
    )


@pytest.mark.parametrize(
    ("lines", "passed", "severity"),
    [
        ([], True, None),
        ([line(1), line(1000, confirmed=True), line(999, withdrawn=True)], True, None),
        ([line(1), line(25)], False, dg.AssetCheckSeverity.WARN),
        ([line(169)], False, dg.AssetCheckSeverity.ERROR),
    ],
)
def test_erasures_have_a_day_and_are_an_error_after_seven(
    lines: list[Erasure], passed: bool, severity: dg.AssetCheckSeverity | None
) -> None:
    result = judge(lines, KEY, NOW)
    assert result.passed is passed
    assert severity is None or result.severity is severity


def test_the_check_reads_the_ledger(shop: Shop, instance: dg.DagsterInstance) -> None:
    defs = shop.defs(select=["users"])
    job = defs.resolve_implicit_global_asset_job_def()
    result = job.execute_in_process(instance=instance)
    checks = {each.check_name: each for each in result.get_asset_check_evaluations()}
    assert checks["erasures_in_time"].passed
    assert checks["erasures_in_time"].metadata["waiting"].value == 0

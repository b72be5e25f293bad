"""Coverage beside a sync: what its metadata and its check say."""

from __future__ import annotations

from typing import Any

import dagster as dg
import pytest

from connector.errors import SourceError
from dagster_defs.project import SyncProject
from tests.dagster.conftest import Shop, checks, materialized

GOOD = """\
  age: {expr: "30", type: number}
  gender: {value: f}
  address: {value: Berlin}
  created_at: {expr: "timestamp '2026-01-01'", type: time}
  status: {value: active}
  previous_reviews: {value: 3}
"""


class TestCoverage:
    def test_a_sync_says_which_tier_the_data_reach(self, shop: Shop) -> None:
        metadata = materialized(shop.materialize("users", coverage_every_hours=24.0))
        assert metadata["coverage_tier"] == "no tier"
        assert 0 <= metadata["coverage_good"] < 1

    def test_it_is_measured_again_when_it_is_old_and_plotted_over_time(self, shop: Shop) -> None:
        first = materialized(shop.materialize("users", coverage_every_hours=24.0))
        again = materialized(shop.materialize("users", coverage_every_hours=24.0))
        assert again["coverage_measured"] == first["coverage_measured"]
        assert "coverage_over_time" not in again
        later = materialized(shop.materialize("users", coverage_every_hours=0.0))
        assert later["coverage_measured"] > first["coverage_measured"]
        assert "data:image/svg+xml" in later["coverage_over_time"]

    def test_events_with_a_cursor_show_what_the_latest_report_found(self, shop: Shop) -> None:
        def sync() -> dict[str, Any]:
            return materialized(shop.materialize("clicks", coverage_every_hours=0.0), "clicks")

        assert "coverage_tier" not in sync()
        project = shop.component().sync_project
        project.cover(project.choose(["clicks"]))
        assert sync()["coverage_tier"] == "no tier"

    def test_a_sync_is_done_though_its_coverage_is_not_known(
        self, shop: Shop, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def away(*_: Any, **__: Any) -> Any:
            raise SourceError("away")

        monkeypatch.setattr(SyncProject, "cover", away)
        result = shop.materialize("users", coverage_every_hours=24.0)
        assert result.success
        assert "coverage_tier" not in materialized(result)


@pytest.mark.parametrize(("fields", "passed"), [("", False), (GOOD, True)])
def test_coverage_is_checked_where_a_tier_is_required(
    shop: Shop, fields: str, passed: bool, instance: dg.DagsterInstance
) -> None:
    users = shop.folder.path / "users.yaml"
    text = users.read_text().replace("fields:\n", f"fields:\n{fields}")
    users.write_text(text + "coverage: {require: good}\n")
    defs = shop.defs(select=["users"])
    job = defs.resolve_implicit_global_asset_job_def()
    result = job.execute_in_process(instance=instance, raise_on_error=False)
    assert result.success
    assert checks(result)["coverage_reaches_tier"] is passed


def test_no_coverage_check_is_offered_where_no_tier_is_required(shop: Shop) -> None:
    checks = [key.name for each in shop.defs().asset_checks or [] for key in each.check_keys]
    assert checks == ["erasures_in_time"]

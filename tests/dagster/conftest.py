"""A small project of two mappings, a warehouse to read and a sandbox to send to."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import dagster as dg
import duckdb
import pytest
import yaml

from connector.sandbox import Sandbox
from dagster_defs import SyncMappingsComponent
from dagster_defs.outcome import Retries
from tests.support.far import far, running_sandbox
from tests.support.project_folder import ProjectFolder

__all__ = ["far", "running_sandbox"]

KEY = dg.AssetKey(["sequen", "users"])

USERS = 40
CLICKS = 60


class Shop:
    """A project folder whose target is a running sandbox."""

    def __init__(self, parent: Path, sandbox: Sandbox) -> None:
        self.sandbox = sandbox
        self.warehouse = parent / "data" / "warehouse.duckdb"
        self.warehouse.parent.mkdir()
        self.execute(
            "CREATE TABLE users AS SELECT 'u' || i AS user_id, 'DE' AS country, i AS orders "
            "FROM range(40) t(i)",
            "CREATE TABLE clicks AS SELECT 'c' || i AS click_id, 'u' || (i % 7) AS user_id, "
            "TIMESTAMP '2026-01-01' + to_minutes(i::INT) AS at, 'i' || i AS item, "
            "'buy' AS click_type FROM range(60) t(i)",
        )
        self.folder = ProjectFolder(parent, self.project_yaml())
        self.folder.write("users.yaml", USERS_YAML)
        self.folder.write("clicks.yaml", CLICKS_YAML)

    def project_yaml(self, api_key: str = "sandbox", **settings: Any) -> str:
        """project.yaml, with more settings of the target."""
        target = {"base_url": self.sandbox.base_url, "api_key": api_key, "give_up_after": 0.2}
        return yaml.safe_dump(
            {
                "sources": {"warehouse": {"type": "duckdb", "path": "data/warehouse.duckdb"}},
                "default_target": "sandbox",
                "targets": {"sandbox": target | settings, "other": target},
            }
        )

    def execute(self, *statements: str) -> None:
        """Change the warehouse."""
        with duckdb.connect(str(self.warehouse)) as connection:
            for statement in statements:
                connection.execute(statement)

    def component(self, **attributes: Any) -> SyncMappingsComponent:
        """The component over this folder, which waits no longer than it must, and measures coverage
        when it is asked to."""
        attributes.setdefault("retries", Retries(max_retries=3, seconds=0.01))
        attributes.setdefault("coverage_every_hours", None)
        return SyncMappingsComponent(project=self.folder.path, **attributes)

    def defs(self, **attributes: Any) -> dg.Definitions:
        """What the component makes of the folder."""
        return dg.build_defs_for_component(self.component(**attributes))

    def materialize(
        self,
        *names: str,
        instance: dg.DagsterInstance | None = None,
        config: dict[str, Any] | None = None,
        **attributes: Any,
    ) -> dg.ExecuteInProcessResult:
        """Sync these mappings in a run of this process, which may fail."""
        defs = self.defs(**attributes)
        prefix = attributes.get("name", "sequen")
        keys = [dg.AssetKey([prefix, name]) for name in names]
        ops = {f"{prefix}__{name}": {"config": config} for name in names} if config else {}
        return dg.materialize(
            [defs.get_assets_def(key) for key in keys],
            instance=instance,
            run_config={"ops": ops},
            raise_on_error=False,
        )


USERS_YAML = """\
version: 1
kind: users
source: warehouse
table: users
fields:
  uid: user_id
  country: upper(country)
  orders: {expr: "coalesce(orders, 0)", type: number}
  plan: {value: gold}
schedule: "0 * * * *"
tags: [core, "needs review"]
owners: [growth, data@example.com]
"""

CLICKS_YAML = """\
version: 1
kind: events
source: warehouse
table: clicks
type: click
cursor: at
fields:
  id: click_id
  original_timestamp: at
  uid: user_id
  item_id: item
  click_type: click_type
"""


@pytest.fixture
def sandbox(far: Sandbox) -> Sandbox:
    return far


@pytest.fixture
def shop(tmp_path: Path, sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch) -> Shop:
    monkeypatch.delenv("CONNECTOR_TARGET", raising=False)
    monkeypatch.delenv("CONNECTOR_PROJECT", raising=False)
    return Shop(tmp_path, sandbox)


@pytest.fixture
def instance() -> Iterator[dg.DagsterInstance]:
    with dg.DagsterInstance.ephemeral() as instance:
        yield instance


def materialized(result: dg.ExecuteInProcessResult, name: str = "users") -> dict[str, Any]:
    """The metadata of an asset's materialization, as plain values."""
    event = result.asset_materializations_for_node(f"sequen__{name}")[0]
    return {key: value.value for key, value in event.metadata.items()}


def checks(result: dg.ExecuteInProcessResult) -> dict[str, bool]:
    return {each.check_name: each.passed for each in result.get_asset_check_evaluations()}


def failure(result: dg.ExecuteInProcessResult) -> str:
    """What the failed step says."""
    data = result.get_step_failure_events()[0].step_failure_data
    assert data.user_failure_data is not None
    return str(data.user_failure_data.description)


def everything(instance: dg.DagsterInstance, result: dg.ExecuteInProcessResult) -> str:
    """All that a run left behind in Dagster's storage, as text."""
    run = instance.get_run_by_id(result.run_id)
    return repr(run) + "".join(repr(entry) for entry in instance.all_logs(result.run_id))

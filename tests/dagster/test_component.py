from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import dagster as dg
import pytest
import yaml
from dagster.components.testing.test_cases import (
    TestOpCustomization,
    TestTranslation,
    TestTranslationBatched,
)
from dagster.components.testing.utils import create_defs_folder_sandbox

from dagster_defs import SyncConfig, SyncMappingsComponent
from dagster_defs.automation import SyncFailure
from tests.dagster.conftest import Shop

pytestmark = [
    pytest.mark.filterwarnings("ignore:`parse_obj_as` is deprecated"),
    pytest.mark.filterwarnings("ignore::dagster.BetaWarning"),
    pytest.mark.filterwarnings("ignore:Accessing `{{automation_condition"),
]
"""What Dagster warns of in its own reading of `defs.yaml`, and in its own test cases."""

TYPE = "dagster_defs.SyncMappingsComponent"
USERS = dg.AssetKey(["sequen", "users"])


def load(
    shop: Shop, attributes: dict[str, Any] | None = None, **more: Any
) -> tuple[SyncMappingsComponent, dg.Definitions]:
    """The component as a `defs.yaml` of another project makes it."""
    contents = {
        "type": TYPE,
        "attributes": {"project": str(shop.folder.path), **(attributes or {})},
        **more,
    }
    with create_defs_folder_sandbox() as sandbox:
        path = sandbox.scaffold_component(SyncMappingsComponent, defs_yaml_contents=contents)
        with sandbox.load_component_and_build_defs(path) as (component, defs):
            assert isinstance(component, SyncMappingsComponent)
            return component, defs


class TestTranslationOfOurs(TestTranslation):
    def test_translation(
        self, shop: Shop, attributes: dict[str, Any], assertion: Any, key_modifier: Any
    ) -> None:
        _, defs = load(shop, {"translation": attributes})
        key = key_modifier(USERS) if key_modifier else USERS
        assert assertion(defs.get_assets_def(key).get_asset_spec(key))


class TestTranslationBatchedOfOurs(TestTranslationBatched):
    def test_translation(
        self, shop: Shop, attributes: dict[str, Any], assertion: Any, key_modifier: Any
    ) -> None:
        _, defs = load(shop, {"translation": attributes})
        key = key_modifier(USERS)
        assert assertion(defs.get_assets_def(key).get_asset_spec(key))


class TestOpCustomizationOfOurs(TestOpCustomization):
    def test_op_customization(self, shop: Shop, attributes: dict[str, Any], assertion: Any) -> None:
        component, defs = load(shop, {"op": attributes, "select": ["users"]})
        assert assertion(component.op)
        op = defs.get_assets_def(USERS).op
        assert op.name == attributes.get("name", "sequen__users")
        assert op.tags.get("foo") == attributes.get("tags", {}).get("foo")


def test_the_scaffolder_points_at_the_mappings_of_the_project(shop: Shop) -> None:
    with create_defs_folder_sandbox() as sandbox:
        path = sandbox.scaffold_component(
            SyncMappingsComponent, scaffold_params={"target": "other"}
        )
        assert yaml.safe_load((path / "defs.yaml").read_text())["attributes"] == {
            "project": "{{ context.project_root }}/mappings",
            "target": "other",
        }
        shop.folder.path.rename(sandbox.project_root / "mappings")
        with sandbox.build_all_defs() as defs:
            assert defs.get_assets_def(USERS).op.pool == "sequen__other"


def test_a_relative_folder_is_relative_to_the_file(shop: Shop) -> None:
    with create_defs_folder_sandbox() as sandbox:
        path = sandbox.scaffold_component(
            SyncMappingsComponent,
            defs_yaml_contents={"type": TYPE, "attributes": {"project": "mappings"}},
        )
        shop.folder.path.rename(path / "mappings")
        with sandbox.load_component_and_build_defs(path) as (_, defs):
            assert defs.get_assets_def(USERS)


def test_every_attribute_can_be_said_in_yaml(shop: Shop) -> None:
    component, defs = load(
        shop,
        {
            "name": "shop",
            "target": "other",
            "select": ["users"],
            "api_key": "SHOP_KEY",
            "on_too_many_rejects": "block",
            "retries": {"max_retries": 1, "seconds": 5},
            "schedules": {"running": True, "timezone": "Europe/Paris"},
            "jobs": False,
            "translation": {"description": "From {{ mapping.table }}", "deps": ["dim_users"]},
        },
    )
    key = dg.AssetKey(["shop", "users"])
    asset = defs.get_assets_def(key)
    assert component.retries.max_retries == 1
    assert component.api_key == dg.EnvVar("SHOP_KEY")
    assert asset.get_asset_spec(key).description == "From users"
    assert {spec.name for spec in asset.check_specs if spec.blocking} == {"rejects_within_limits"}
    assert list(defs.jobs or []) == []


def test_a_key_in_place_of_a_variable_is_refused(shop: Shop) -> None:
    with pytest.raises(Exception, match="Error while loading") as caught:
        load(shop, {"api_key": "sk-very-secret"})
    assert "takes the name of an environment variable" in str(caught.value.__cause__)


def test_the_key_is_never_part_of_the_component(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SHOP_KEY", "very-secret")
    shop.folder.write("project.yaml", shop.project_yaml(api_key="${SHOP_KEY}"))
    component, defs = load(shop, {"api_key": "SHOP_KEY"})
    asset = defs.get_assets_def(USERS)
    shown = f"{component!r} {component.sync_project!r} {asset.get_asset_spec(USERS)!r}"
    assert "very-secret" not in shown + repr(component.sync_project.target())


def test_the_line_of_the_mapping_and_that_of_the_component_are_both_referred_to(
    shop: Shop,
) -> None:
    _, defs = load(shop)
    references = (
        defs.get_assets_def(USERS).get_asset_spec(USERS).metadata["dagster/code_references"]
    )
    files = [Path(reference.file_path).name for reference in references.code_references]
    assert files == ["users.yaml", "defs.yaml"]


@dataclass(kw_only=True)
class Ours(SyncMappingsComponent):
    suffix: str = "_v2"

    def get_asset_spec(self, mapping: Any) -> dg.AssetSpec:
        spec = super().get_asset_spec(mapping)
        return spec.replace_attributes(key=spec.key.with_prefix("ours"))

    def execute(
        self, context: dg.AssetExecutionContext, mapping: Any, config: SyncConfig
    ) -> Iterator[Any]:
        for each in super().execute(context, mapping, config):
            if isinstance(each, dg.MaterializeResult):
                context.log.info("synced")
                yield each._replace(metadata={**(each.metadata or {}), "mine": mapping.name})
            else:
                yield each

    def get_check_specs(self, mapping: Any, key: dg.AssetKey) -> list[dg.AssetCheckSpec]:
        return [s for s in super().get_check_specs(mapping, key) if s.name == "nothing_pending"]


def test_a_subclass_changes_the_spec_the_checks_and_the_run(shop: Shop) -> None:
    defs = dg.build_defs_for_component(Ours(project=shop.folder.path))
    key = dg.AssetKey(["ours", "sequen", "users"])
    result = dg.materialize([defs.get_assets_def(key)])
    assert (
        result.asset_materializations_for_node("sequen__users")[0].metadata["mine"].value == "users"
    )
    assert [e.check_name for e in result.get_asset_check_evaluations()] == ["nothing_pending"]


class TestFailureSensor:
    def test_there_is_none_unless_a_subclass_wants_it(self, shop: Shop) -> None:
        assert list(shop.defs().sensors or []) == []

    def test_it_says_which_syncs_failed_and_why(
        self, shop: Shop, instance: dg.DagsterInstance
    ) -> None:
        told: list[SyncFailure] = []

        @dataclass(kw_only=True)
        class Telling(SyncMappingsComponent):
            def on_failure(
                self, context: dg.RunFailureSensorContext, failures: Sequence[SyncFailure]
            ) -> None:
                told.extend(failures)

        defs = dg.build_defs_for_component(Telling(project=shop.folder.path))
        shop.execute("DROP TABLE users")
        job = defs.resolve_implicit_global_asset_job_def()
        result = job.execute_in_process(instance=instance, raise_on_error=False)
        event = next(e for e in result.all_events if e.event_type_value == "PIPELINE_FAILURE")
        context = dg.build_run_status_sensor_context(
            sensor_name="sequen_failures",
            dagster_event=event,
            dagster_instance=instance,
            dagster_run=result.dagster_run,
        ).for_run_failure()
        (sensor,) = defs.sensors or []
        assert isinstance(sensor, dg.SensorDefinition)
        sensor(context)
        assert [failure.mapping for failure in told] == ["users"]
        assert told[0].error.startswith("users: ")
        assert told[0].run_id == result.run_id

from __future__ import annotations

import os
import subprocess
import sys
import textwrap
from pathlib import Path

import dagster as dg
import pytest

from connector.errors import ConfigError, UsageError
from dagster_defs.automation import Schedules
from tests.dagster.conftest import Shop

USERS = dg.AssetKey(["sequen", "users"])
CLICKS = dg.AssetKey(["sequen", "clicks"])


def spec(shop: Shop, key: dg.AssetKey = USERS, **attributes: object) -> dg.AssetSpec:
    return shop.defs(**attributes).get_assets_def(key).get_asset_spec(key)


def test_every_mapping_is_an_asset_below_its_table(shop: Shop) -> None:
    shop.folder.write("deep/vip.yaml", shop_yaml("users", 'Analytics."Dim Users"'))
    graph = shop.defs().resolve_asset_graph()
    parents = {
        key.to_user_string(): {parent.to_user_string() for parent in graph.get(key).parent_keys}
        for key in graph.materializable_asset_keys
    }
    assert parents == {
        "sequen/users": {"users"},
        "sequen/clicks": {"clicks"},
        "sequen/clicks/by_day": {"clicks"},
        "sequen/vip": {"Analytics/Dim_Users_1285cc"},
    }


def shop_yaml(kind: str, table: str) -> str:
    return f"kind: {kind}\nsource: warehouse\ntable: {table}\nfields: {{uid: user_id}}\n"


@pytest.mark.parametrize("read", ["query: select * from users", "table: users/*.csv"])
def test_what_reads_no_single_table_hangs_under_nothing(shop: Shop, read: str) -> None:
    shop.folder.write(
        "users.yaml", f"kind: users\nsource: warehouse\n{read}\nfields: {{uid: id}}\n"
    )
    assert list(spec(shop).deps) == []


def test_what_a_mapping_says_of_itself_is_on_its_asset(shop: Shop) -> None:
    users = spec(shop)
    assert users.owners == ["team:growth", "data@example.com"]
    assert {"core", "needs_review"} <= set(users.tags)
    assert users.kinds == {"sequen", "users"}
    assert users.group_name == "sequen"
    assert users.description == "Users of `users`, for 'sandbox'."
    shop.folder.write("users.yaml", shop_yaml("users", "users") + "description: Who shops here\n")
    assert spec(shop).description == "Who shops here"


def test_columns_and_their_types_come_from_the_mapping(shop: Shop) -> None:
    schema = spec(shop).metadata["dagster/column_schema"]
    assert {column.name: column.type for column in schema.columns} == {
        "uid": "string",
        "country": "inferred",
        "orders": "number",
        "plan": "string",
    }
    shown = {column.name: column.description for column in schema.columns}
    assert shown["orders"] == "`coalesce(orders, 0)`"
    assert shown["plan"] == 'always `"gold"`'


def test_hashed_columns_are_strings_and_say_so(shop: Shop) -> None:
    fields = "  email_hash: {expr: email, pii: hash}\n"
    users = shop.folder.path / "users.yaml"
    users.write_text(users.read_text().replace("fields:\n", f"fields:\n{fields}"))
    column = spec(shop).metadata["dagster/column_schema"].columns[0]
    assert (column.name, column.type, column.description) == (
        "email_hash",
        "string",
        "hashed: `email`",
    )


def test_each_event_type_adds_its_columns(shop: Shop) -> None:
    clicks = shop.folder.path / "clicks.yaml"
    clicks.write_text(clicks.read_text() + "types: {click: {fields: {rank: position}}}\n")
    names = [c.name for c in spec(shop, CLICKS).metadata["dagster/column_schema"].columns]
    assert names[0] == "type"
    assert names[-1] == "rank"


def test_tables_can_be_declared_where_nothing_else_defines_them(shop: Shop) -> None:
    defs = shop.defs(declare_tables=True)
    assert defs.resolve_asset_graph().get(dg.AssetKey("users")).is_external
    users = dg.Definitions(assets=[dg.AssetSpec("users")])
    dg.Definitions.validate_loadable(dg.Definitions.merge(users, shop.defs()))


def test_lineage_names_the_columns_that_each_expression_reads(shop: Shop) -> None:
    lineage = spec(shop).metadata["dagster/column_lineage"].deps_by_column
    table = dg.AssetKey("users")
    assert {
        name: [(d.asset_key, d.column_name) for d in deps] for name, deps in lineage.items()
    } == {
        "uid": [(table, "user_id")],
        "country": [(table, "country")],
        "orders": [(table, "orders")],
    }


def test_lineage_follows_a_dependency_that_was_translated(shop: Shop) -> None:
    lineage = spec(
        shop, translation=lambda base, _: base.replace_attributes(deps=["dim_users"])
    ).metadata["dagster/column_lineage"]
    assert lineage.deps_by_column["uid"][0].asset_key == dg.AssetKey("dim_users")


def test_the_code_reference_is_the_mapping_file(shop: Shop) -> None:
    reference = spec(shop).metadata["dagster/code_references"].code_references[0]
    assert Path(reference.file_path) == shop.folder.path / "users.yaml"
    assert reference.line_number == 1


class TestCodeVersion:
    def test_it_changes_with_what_is_sent(self, shop: Shop) -> None:
        before = spec(shop).code_version
        users = shop.folder.path / "users.yaml"
        users.write_text(users.read_text().replace("value: gold", "value: silver"))
        assert spec(shop).code_version != before

    def test_it_stays_with_a_comment_another_schedule_or_another_owner(self, shop: Shop) -> None:
        before = spec(shop).code_version
        users = shop.folder.path / "users.yaml"
        text = users.read_text().replace("0 * * * *", "5 * * * *").replace("growth", "sales")
        users.write_text(f"# moved\n\n{text}")
        assert spec(shop).code_version == before

    def test_it_is_the_same_wherever_the_project_lies(self, shop: Shop, tmp_path: Path) -> None:
        elsewhere = tmp_path / "elsewhere"
        elsewhere.mkdir()
        shop.folder.path.rename(elsewhere / "mappings")
        shop.folder.path = elsewhere / "mappings"
        moved = spec(shop).code_version
        shop.folder.path.rename(tmp_path / "mappings")
        shop.folder.path = tmp_path / "mappings"
        before = spec(shop).code_version
        assert moved == before


def test_a_schedule_in_a_mapping_is_a_schedule_of_its_asset(shop: Shop) -> None:
    defs = shop.defs()
    (schedule,) = defs.schedules or []
    assert schedule.name == "sequen__users__schedule"
    assert schedule.cron_schedule == "0 * * * *"
    assert schedule.execution_timezone == "UTC"
    assert schedule.default_status is dg.DefaultScheduleStatus.STOPPED
    job = defs.get_repository_def().get_job(schedule.job_name)
    assert job.asset_layer.selected_asset_keys == {USERS}


def test_schedules_can_run_at_once_in_another_zone_or_not_be_there(shop: Shop) -> None:
    rules = Schedules(running=True, timezone="Europe/Paris")
    (schedule,) = shop.defs(schedules=rules).schedules or []
    assert schedule.default_status is dg.DefaultScheduleStatus.RUNNING
    assert schedule.execution_timezone == "Europe/Paris"
    assert not list(shop.defs(schedules=Schedules(enabled=False)).schedules or [])


@pytest.mark.filterwarnings("ignore:.*include_sources.*:dagster_shared.utils.warnings.BetaWarning")
def test_a_mapping_without_a_schedule_is_synced_when_its_table_was_materialized(
    shop: Shop, instance: dg.DagsterInstance
) -> None:
    assert spec(shop).automation_condition is None

    @dg.asset
    def clicks() -> None: ...

    defs = dg.Definitions.merge(shop.defs(), dg.Definitions(assets=[clicks]))
    first = dg.evaluate_automation_conditions(defs, instance)
    assert first.get_requested_partitions(CLICKS) == set()
    dg.materialize([clicks], instance=instance)
    second = dg.evaluate_automation_conditions(defs, instance, cursor=first.cursor)
    assert second.get_requested_partitions(CLICKS) == {None}


def test_all_syncs_to_one_target_share_a_pool(shop: Shop) -> None:
    defs = shop.defs(target="other")
    pools = {defs.get_assets_def(key).op.pool for key in (USERS, CLICKS)}
    assert pools == {"sequen__other"}
    assert defs.resolve_job_def("sequen_plan").graph.node_defs[0].pool == "sequen__other"


def test_mappings_are_selected_as_on_the_command_line(shop: Shop) -> None:
    keys = shop.defs(select=["tag:core"]).resolve_asset_graph().materializable_asset_keys
    assert keys == {USERS}
    keys = shop.defs(exclude=["users"]).resolve_asset_graph().materializable_asset_keys
    assert keys == {CLICKS, dg.AssetKey(["sequen", "clicks", "by_day"])}


def test_two_components_live_side_by_side_under_names_of_their_own(shop: Shop) -> None:
    defs = dg.Definitions.merge(shop.defs(), shop.defs(name="staging", target="other"))
    dg.Definitions.validate_loadable(defs)
    assert dg.AssetKey(["staging", "users"]) in defs.resolve_asset_graph().materializable_asset_keys


def test_recommendations_are_no_assets(shop: Shop) -> None:
    shop.folder.write(
        "recs.yaml",
        """\
        kind: recommendations
        source: warehouse
        table: users
        model_id: test_model_item_200
        fields: {user_id: user_id, item_ids: items}
        write_to: {path: recs.parquet}
        """,
    )
    keys = shop.defs().resolve_asset_graph().materializable_asset_keys
    assert {key.path[1] for key in keys} == {"users", "clicks"}
    with pytest.raises(UsageError, match="recommendations"):
        shop.defs(select=["recs"])


def test_odd_names_become_names_that_dagster_takes(shop: Shop) -> None:
    shop.folder.write("a b.yaml", shop_yaml("users", "users"))
    shop.folder.write("a-b.yaml", shop_yaml("users", "users"))
    defs = shop.defs()
    dg.Definitions.validate_loadable(defs)
    keys = defs.resolve_asset_graph().materializable_asset_keys
    assert len({defs.get_assets_def(key).op.name for key in keys}) == len(keys) == 5


def test_mistakes_in_the_files_are_named_at_their_places(shop: Shop) -> None:
    shop.folder.write("users.yaml", "kind: users\nsource: nowhere\ntable: t\nfields: {uid: id}\n")
    with pytest.raises(ConfigError, match=r"users\.yaml:2:9: .*nowhere"):
        shop.defs()


def test_an_unknown_target_is_refused_at_load(shop: Shop) -> None:
    with pytest.raises(UsageError, match=r"no target 'sandbx'.*did you mean 'sandbox'"):
        shop.defs(target="sandbx")


def test_loading_fifty_mappings_touches_neither_warehouse_nor_api(shop: Shop) -> None:
    for number in range(50):
        shop.folder.write(f"m{number}.yaml", shop_yaml("users", f"schema.t{number}"))
    shop.folder.write("project.yaml", shop.project_yaml(api_key="${NEVER_SET}"))
    shop.warehouse.unlink()
    script = """
        import sys
        def watch(event, args):
            if event in ("socket.connect", "socket.getaddrinfo"):
                raise AssertionError(f"{event} {args}")
            if event == "open" and ".duckdb" in str(args[0]):
                raise AssertionError(f"opened {args[0]}")
        sys.addaudithook(watch)
        from dagster_defs.definitions import defs
        repository = defs().get_repository_def()
        print(len(repository.asset_graph.materializable_asset_keys))
    """
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", textwrap.dedent(script)],
        cwd=shop.folder.path.parent,
        env=os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stderr == ""
    assert done.stdout == "53\n"
    assert not (shop.folder.path.parent / ".connector").exists()

from __future__ import annotations

import os
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import pytest

from tests.dagster.conftest import CLICKS, USERS, Shop

ROOT = Path(__file__).parents[2]
BIN = Path(sys.executable).parent


@pytest.fixture
def environment(shop: Shop, tmp_path: Path) -> dict[str, str]:
    """That of a shell in which Dagster works on the shop, and tells nobody about it."""
    home = tmp_path / "dagster_home"
    home.mkdir()
    (home / "dagster.yaml").write_text("telemetry: {enabled: false}\n")
    return {
        **os.environ,
        "DAGSTER_HOME": str(home),
        "CONNECTOR_PROJECT": str(shop.folder.path),
        "VIRTUAL_ENV": str(BIN.parent),
    }


def test_a_run_killed_in_the_middle_is_made_good_by_the_next(
    shop: Shop, environment: dict[str, str]
) -> None:
    shop.folder.write("project.yaml", shop.project_yaml(max_in_flight=2))
    shop.sandbox.set_faults({"latency": "50ms"})
    script = """
        import dagster as dg
        from dagster_defs.definitions import defs
        dg.materialize([defs().get_assets_def(dg.AssetKey(["sequen", "users"]))])
    """
    command = [sys.executable, "-c", textwrap.dedent(script)]
    with subprocess.Popen(command, env=environment, cwd=ROOT, stderr=subprocess.DEVNULL) as killed:
        while (arrived := shop.sandbox.counts()["live"]) < 5 and killed.poll() is None:
            time.sleep(0.01)
        killed.kill()
    assert 5 <= arrived < USERS
    shop.sandbox.set_faults({})
    assert shop.materialize("users").success
    assert shop.sandbox.counts()["live"] == USERS
    assert {user["plan"] for user in shop.sandbox.users()} == {"gold"}


def test_a_backfill_killed_in_the_middle_is_made_good_by_the_next(
    shop: Shop, environment: dict[str, str]
) -> None:
    shop.execute('UPDATE clicks SET "at" = "at" + to_days(minute("at")::INT // 9)')
    shop.folder.write("project.yaml", shop.project_yaml(events_per_request=2, max_in_flight=1))
    shop.sandbox.set_faults({"latency": "50ms"})
    command = [
        str(BIN / "dagster"), "asset", "materialize", "-m", "dagster_defs.definitions",
        "--select", "key:sequen/clicks/by_day", "--partition-range", "2026-01-01...2026-01-07",
    ]  # fmt: skip
    with subprocess.Popen(command, env=environment, cwd=ROOT, stderr=subprocess.DEVNULL) as killed:
        while (arrived := shop.sandbox.counts()["events"]) < 12 and killed.poll() is None:
            time.sleep(0.01)
        killed.kill()
    assert 12 <= arrived < CLICKS
    shop.sandbox.set_faults({})
    done = subprocess.run(command, env=environment, cwd=ROOT, capture_output=True, check=False)
    assert done.returncode == 0, done.stderr.decode()[-2000:]
    assert shop.sandbox.counts()["events"] == CLICKS


@pytest.mark.parametrize("command", [["check", "defs"], ["list", "defs", "--json"]])
def test_dg_has_nothing_to_complain_of(command: list[str], environment: dict[str, str]) -> None:
    done = subprocess.run(
        [BIN / "dg", *command],
        env=environment,
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0
    assert "warning" not in (done.stdout + done.stderr).lower()
    assert "sequen/users" in done.stdout or "loaded successfully" in done.stdout

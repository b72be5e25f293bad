"""Several processes on one quota."""

from __future__ import annotations

import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import duckdb

from connector.sandbox import Quota, Settings, spawn

PER_SECOND = 200
USERS = 500

PROJECT = """
version: 1
sources: {{w: {{type: duckdb, path: w.duckdb}}}}
targets:
  api:
    base_url: "{base_url}"
    api_key: sandbox
    rate_limit: {{requests_per_second: {rate}, burst: 10}}
"""
MAPPING = """
kind: users
source: w
table: people
fields:
  uid: "'{name}' || id"
  country: "'PT'"
"""


def sync(folder: Path, name: str) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "connector.cli", "sync", "--select", name, "-q"]
    return subprocess.Popen(command, cwd=folder, stdout=subprocess.DEVNULL)


def test_two_processes_on_one_quota_get_an_even_share_and_do_not_exceed_it(tmp_path: Path) -> None:
    with duckdb.connect(str(tmp_path / "w.duckdb")) as warehouse:
        warehouse.execute("CREATE TABLE people AS SELECT i AS id FROM range(?) AS t(i)", [USERS])
    quota = Quota(requests_per_second=PER_SECOND, burst=20)
    with spawn(Settings(quota=quota)) as sandbox:
        (tmp_path / "mappings").mkdir()
        project = PROJECT.format(base_url=sandbox.base_url, rate=PER_SECOND)
        (tmp_path / "mappings" / "project.yaml").write_text(project)
        for name in ("a", "b"):
            (tmp_path / "mappings" / f"{name}.yaml").write_text(MAPPING.format(name=name))
        first, second = sync(tmp_path, "a"), sync(tmp_path, "b")

        def arrived() -> Counter[str]:
            return Counter(user["uid"][0] for user in sandbox.users())

        while len(before := arrived()) < 2 and None in (first.poll(), second.poll()):
            time.sleep(0.1)
        while first.poll() is None and second.poll() is None:
            time.sleep(0.02)
        together = arrived() - before
        assert (first.wait(), second.wait()) == (0, 0)
        statuses = sandbox.counts()["requests"]["POST /v1/users"]
    if together.total() > PER_SECOND / 2:  # on a busy machine one may be through before the other
        assert min(together["a"], together["b"]) > together.total() / 3
    assert statuses["200"] == 2 * USERS
    assert statuses.get("429", 0) < 0.1 * 2 * USERS

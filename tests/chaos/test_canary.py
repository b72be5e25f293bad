"""Canaries: made-up secrets, uids and addresses that go everywhere, and must come out nowhere."""

# ruff: noqa: S608 - made of our own words

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from connector.sandbox import SandboxProcess, Settings, spawn
from tests.support.road import CLICKS, Road

KEY = "canary-api-key-7f3a9c"
PII_KEY = "canary-pii-key-51be02"
URL_PASSWORD = "canary-password-c0ffee"
MAIL = "canary.address@mail.test"
GONE = "canary-uid-erased-77aa"
REFUSED = "canary-uid-refused-88bb"
NOTE = "canary-note-of-the-erased"

PROJECT = """\
sources:
  warehouse: {{type: duckdb, path: warehouse.duckdb}}
  other: {{type: sqlalchemy, url: "postgresql://reader:${{URL_PASSWORD}}@127.0.0.1:9/none"}}
targets:
  far:
    base_url: "{base_url}"
    api_key: "${{FAR_KEY}}"
    timeout: 2
    give_up_after: 0.6
    max_in_flight: 4
state: {{path: state}}
"""

USERS = """\
kind: users
source: warehouse
table: users
fields:
  uid: user_id
  country: upper(country)
  note: note
  email_hash: {expr: email, pii: hash}
deletes:
  hard_when: erase
  guards: {max_delete_fraction: null}
"""


class Said(NamedTuple):
    """What one run of the command said, and how it ended."""

    code: int
    text: str


class Shell:
    """Runs the command line as a person would, and remembers everything that it said."""

    def __init__(self, road: Road) -> None:
        self._road = road
        self.said: list[str] = []
        self.environment = {
            **os.environ,
            "FAR_KEY": KEY,
            "URL_PASSWORD": URL_PASSWORD,
            "CONNECTOR_PII_KEY": PII_KEY,
            "TMPDIR": str(road.folder / "tmp"),
            "NO_COLOR": "1",
        }
        (road.folder / "tmp").mkdir()

    def command(self, *arguments: str) -> list[str]:
        return [sys.executable, "-m", "connector.cli", *arguments]

    def __call__(self, *arguments: str, **environment: str) -> Said:
        ended = subprocess.run(
            self.command(*arguments),
            cwd=self._road.folder,
            env=self.environment | environment,
            capture_output=True,
            check=False,
            text=True,
            timeout=60,
        )
        self.said += [ended.stdout, ended.stderr]
        return Said(ended.returncode, ended.stdout + ended.stderr)

    def kill_a_sync(self, far: SandboxProcess, *arguments: str) -> None:
        """Begin a sync and kill it once something of it has arrived."""
        before = far.counts()["requests_total"]
        process = subprocess.Popen(
            self.command(*arguments),
            cwd=self._road.folder,
            env=self.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        while far.counts()["requests_total"] < before + 5 and process.poll() is None:
            time.sleep(0.01)
        process.kill()
        self.said += process.communicate()


@pytest.fixture
def far() -> Iterator[SandboxProcess]:
    with spawn(Settings(api_key=KEY, hang_seconds=4)) as sandbox:
        yield sandbox


@pytest.fixture
def road(tmp_path: Path, far: SandboxProcess) -> Road:
    road = Road(tmp_path, far, {"users": USERS, "clicks": CLICKS})
    (tmp_path / "mappings" / "project.yaml").write_text(PROJECT.format(base_url=far.base_url))
    road.write(
        "insert into users (user_id, country, email) "
        f"select 'u' || i, 'de', i || '{MAIL}' from range(60) as t(i)",
        f"insert into users (user_id, country, email, note) values "
        f"('{GONE}', 'de', 'x{MAIL}', '{NOTE}'), ('{REFUSED}', 'de', 'y{MAIL}', 'poison')",
        "insert into clicks select 'c' || i, 'u' || i, 's', timestamp '2025-05-01 10:00:00' "
        "from range(20) as t(i)",
        f"insert into clicks values ('of-gone', '{GONE}', 's', timestamp '2025-05-01 10:00:00')",
    )
    return road


def test_no_secret_address_or_erased_uid_comes_out_anywhere(
    road: Road, far: SandboxProcess
) -> None:
    shell = Shell(road)
    sync = ("sync", "--json", "--debug", "--log-format", "json", "-v")

    assert shell("validate").code in {0, 1}
    assert shell("plan", "--json").code == 0
    assert shell(*sync, FAR_KEY=f"{KEY}-wrong").code == 1
    for faults in ({"e500": 1.0}, {"hang_after": 1.0}, {"reset_after": 1.0}, {"redirect": 1.0}):
        far.set_faults(faults)
        assert shell(*sync, "--select", "users").code in {1, 4}
    far.set_faults({"latency": "50ms"})
    shell.kill_a_sync(far, *sync)
    far.set_faults({})
    far.set_poison([{"resource": "users", "field": "note", "equals": "poison"}])
    assert shell(*sync).code in {0, 3}
    road.write(f"update users set erase = true where user_id = '{GONE}'")
    far.set_faults({"reset_after": 1.0})
    assert shell("sync", "--debug", "--select", "users").code == 4
    far.set_faults({})
    erased_from_here = len(shell.said)
    assert shell(*sync).code in {0, 3}
    for command in (("status", "--json"), ("rejects",), ("plan",)):
        assert shell(*command).code in {0, 3}
    broken = road.folder / "mappings" / "users.yaml"
    broken.write_text(USERS.replace("upper(country)", "upper(contry)"))
    assert shell("--debug", "sync", "--json").code == 1

    assert GONE not in far_uids(far)
    everything = "".join(shell.said)
    for secret in (KEY, PII_KEY, URL_PASSWORD, MAIL):
        assert secret not in everything
    assert GONE not in "".join(shell.said[erased_from_here:])
    assert NOTE not in "".join(shell.said[erased_from_here:])
    assert_nowhere_below(road.folder / "state", KEY, PII_KEY, URL_PASSWORD, MAIL, GONE, NOTE)
    assert_nowhere_below(road.folder / "tmp", KEY, PII_KEY, URL_PASSWORD, MAIL, GONE, NOTE)
    assert REFUSED in shell("rejects").text, "the search is able to find something"


def far_uids(far: SandboxProcess) -> set[str]:
    return {user["uid"] for user in far.users()}


def assert_nowhere_below(folder: Path, *words: str) -> None:
    for path in folder.rglob("*"):
        if path.is_file():
            content = path.read_bytes()
            for word in words:
                assert word.encode() not in content, path

"""The demo's proof finds what is wrong: it would be worth nothing if it could not."""

import dataclasses
import http.client
import json
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import duckdb
import pytest

from connector.demo.change import change
from connector.demo.generate import generate
from connector.demo.proof import Proof, expected_uids, prove
from connector.destination.target import Target
from connector.project import Project, load_project
from connector.sandbox import Sandbox
from connector.sync import sync

ROOT = Path(__file__).parents[3]


@dataclass
class Stand:
    project: Project
    target: Target
    warehouse: Path
    sandbox: Sandbox
    before: list[str]

    def prove(self) -> Proof:
        return prove(self.warehouse, self.sandbox.host, self.sandbox.port, self.before)

    def sync(self) -> None:
        self.before += expected_uids(self.warehouse)
        report = sync(self.project, self.project.select(), target=self.target)
        assert report.exit_code == 0

    def ask(self, method: str, path: str, document: object = None) -> None:
        connection = http.client.HTTPConnection(self.sandbox.host, self.sandbox.port)
        headers = {"Authorization": "Bearer sandbox", "Content-Type": "application/json"}
        connection.request(method, f"/v1/{path}", json.dumps(document), headers)
        assert connection.getresponse().status < 300
        connection.close()


@pytest.fixture
def stand(tmp_path: Path) -> Iterator[Stand]:
    shutil.copytree(ROOT / "mappings", tmp_path / "mappings")
    warehouse = tmp_path / "data/warehouse.duckdb"
    generate(warehouse, users=1000, events=10_000)
    project = load_project(tmp_path / "mappings", environment={})
    with Sandbox() as sandbox:
        target = dataclasses.replace(project.target(), base_url=sandbox.base_url)
        yield Stand(project, target, warehouse, sandbox, [])


def test_before_anything_was_sent_everything_is_missing(stand: Stand) -> None:
    proof = stand.prove()
    assert proof.differences == proof.users + proof.events > 1000


def test_after_three_days_of_changes_nothing_differs(stand: Stand) -> None:
    stand.sync()
    assert stand.prove().differences == 0
    for _ in range(3):
        change(stand.warehouse)
        assert stand.prove().differences > 0
        stand.sync()
        proof = stand.prove()
        assert (proof.differences, proof.examples) == (0, ())
    assert proof.flagged > 0


def test_every_kind_of_difference_is_found(stand: Stand) -> None:
    stand.sync()
    one, two, three, *_ = expected_uids(stand.warehouse)
    stand.ask("DELETE", f"users/{one}")
    stand.ask("POST", "users", {"uid": two, "country": "XX"})
    stand.ask("POST", "users", {"uid": three, "shoe_size": 42})
    stand.ask("POST", "users", {"uid": "nobody"})
    stand.ask("POST", "events", {
        "id": "made_up", "type": "scroll", "uid": "nobody",
        "original_timestamp": "2026-03-01T00:00:00.000Z",
    })  # fmt: skip
    proof = stand.prove()
    assert "users: field 'shoe_size' is UBIGINT" in proof.examples
    with duckdb.connect(stand.warehouse, read_only=True) as connection:
        of_one = connection.execute(
            "select count(*) from analytics.page_views where user_id = ?", [one]
        ).fetchall()[0][0]
    assert proof.differences >= 5 + of_one


def test_a_user_who_left_without_being_flagged_is_a_difference(stand: Stand) -> None:
    stand.sync()
    change(stand.warehouse)
    stand.sync()
    now = set(expected_uids(stand.warehouse))
    left = next(
        uid for uid in stand.before if uid not in now and stand.sandbox.user(uid) is not None
    )
    stand.ask("POST", "users", {"uid": left, "is_deleted": False})
    assert stand.prove().examples == (f"user {left} is not flagged as deleted",)

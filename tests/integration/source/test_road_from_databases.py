"""The whole road from real databases: what they hold, the platform holds, and then nothing."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from connector.report import RunReport
from connector.sandbox import Sandbox
from connector.sync import sync
from tests.conformance.databases import DATABASES, Database
from tests.support.project_folder import ProjectFolder, project_file

USERS, EVENTS = 300, 400
START = datetime(2026, 3, 1)

USER_COLUMNS = {
    "user_id": "int64", "tier": "text", "spent": "decimal(18,2)", "born": "date",
    "signed_up": "timestamp_us", "active": "bool", "tags": "json", "score": "double",
}  # fmt: skip
EVENT_COLUMNS = {"event_id": "text", "user_id": "int64", "sku": "text", "seen": "timestamp_us"}

USERS_MAPPING = """
kind: users
source: w
where: active
fields:
  uid: user_id
  loyalty_tier: upper(tier)
  total_spent: spent
  birthday: {expr: born, type: time}
  created_at: signed_up
  labels: {expr: tags, type: array<string>}
  churn_score: {expr: score, type: number}
"""
CLICKS_MAPPING = """
kind: events
source: w
type: click
cursor: Seen
lookback: 1 day
fields:
  id: event_id
  original_timestamp: seen
  uid: user_id
  item_id: sku
  click_type: {value: add_to_cart}
"""


def _moment(hours: int) -> str:
    return str(START + timedelta(hours=hours))


@dataclass
class Stand:
    name: str
    folder: Path
    sandbox: Sandbox

    @property
    def database(self) -> Database:
        return DATABASES[self.name]

    def spelled(self, columns: Mapping[str, str]) -> dict[str, str]:
        """Columns by names that need no quotes."""
        case = str.upper if self.name == "snowflake" else str.lower
        return {case(name): kind for name, kind in columns.items()}

    def time(self, hours: int) -> str:
        return f"{'' if self.name == 'sqlite' else 'TIMESTAMP '}'{_moment(hours)}'"

    def sync(self) -> RunReport:
        project = ProjectFolder(self.folder, project_file(self.database.source(self.folder)))
        mappings = {
            "users": (USERS_MAPPING, "shop_users"),
            "clicks": (CLICKS_MAPPING, "shop_clicks"),
        }
        for name, (text, table) in mappings.items():
            project.write(f"{name}.yaml", f"{text}{self.database.reads(table)}\n")
        loaded = project.load()
        target = replace(loaded.target("sandbox"), base_url=self.sandbox.base_url)
        return sync(loaded, loaded.select(), target=target)


@pytest.fixture(params=DATABASES)
def stand(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Stand]:
    users = [
        {
            "user_id": str(n), "tier": "silver", "spent": f"{n}.50", "born": "1990-02-28",
            "signed_up": _moment(n), "active": "false" if n % 10 == 0 else "true",
            "tags": '["a", "b"]', "score": "0.5",
        }
        for n in range(1, USERS + 1)
    ]  # fmt: skip
    clicks = [
        {"event_id": f"e{n}", "user_id": str(n % USERS + 1), "sku": f"s{n}", "seen": _moment(n)}
        for n in range(EVENTS)
    ]
    with Sandbox() as sandbox:
        stand = Stand(request.param, tmp_path, sandbox)
        for table, columns, rows in (
            ("shop_users", USER_COLUMNS, users),
            ("shop_clicks", EVENT_COLUMNS, clicks),
        ):
            spelled = [stand.spelled(row) for row in rows]
            stand.database.fill(tmp_path, table, stand.spelled(columns), spelled)
        yield stand


def test_users_and_events_converge_and_then_nothing_is_sent(stand: Stand) -> None:
    first = stand.sync()
    assert first.exit_code == 0, first.to_json()
    live = USERS - USERS // 10
    users = {user["uid"]: user for user in stand.sandbox.users()}
    assert (len(users), len(list(stand.sandbox.events()))) == (live, EVENTS)
    expected = {
        "loyalty_tier": "SILVER",
        "total_spent": 7.5,
        "birthday": "1990-02-28T00:00:00.000Z",
        "created_at": "2026-03-01T07:00:00.000Z",
        "labels": ["a", "b"],
        "churn_score": 0.5,
    }
    assert expected.items() <= users["7"].items()

    again = stand.sync()
    assert [mapping.http.requests for mapping in again.mappings] == [0, 0]

    stand.database.run(
        stand.folder,
        "UPDATE \"shop_users\" SET tier = 'gold' WHERE user_id BETWEEN 1 AND 5",
        'DELETE FROM "shop_users" WHERE user_id = 7',
        f"INSERT INTO \"shop_clicks\" VALUES ('late', 1, 's', {stand.time(EVENTS - 5)})",  # noqa: S608 - ours
        f"INSERT INTO \"shop_clicks\" VALUES ('new', 2, 's', {stand.time(EVENTS + 5)})",  # noqa: S608 - ours
    )
    changed = stand.sync()
    assert changed.exit_code == 0
    counts = {mapping.name: mapping.changes for mapping in changed.mappings}
    assert counts["users"]["upsert"].acknowledged == 5
    assert counts["users"]["soft_delete"].acknowledged == 1
    assert counts["clicks"]["event"].acknowledged == 2
    gold = stand.sandbox.user("3")
    gone = stand.sandbox.user("7")
    assert gold is not None
    assert gone is not None
    assert (gold["loyalty_tier"], gone["is_deleted"]) == ("GOLD", True)

    settled = stand.sync()
    assert [mapping.http.requests for mapping in settled.mappings] == [0, 0]

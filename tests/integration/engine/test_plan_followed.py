"""A plan that is followed where the warehouse compares: what is looked at is what is done."""

from __future__ import annotations

from pathlib import Path

from connector.follow import planned_mappings
from connector.plan import plan
from connector.planfile import read_plan
from connector.report import MappingReport
from connector.sync import sync
from tests.support.stand import Stand

ROWS = """
INSERT INTO users
SELECT 'u' || i, 'de', 'gold', i, md5(i::text), 'x', false, false, true
FROM generate_series(1, 40) AS i
"""
CHANGES = """
UPDATE users SET note = 'new' WHERE user_id IN ('u1', 'u2');
DELETE FROM users WHERE user_id = 'u3';
INSERT INTO users VALUES ('u41', 'de', 'gold', 1, 'n', 'x', false, false, true)
"""


def written(stand: Stand, file: Path) -> None:
    project = stand.project()
    plan(project, project.select(["users"]), target=project.target(), to_file=file)


def followed(stand: Stand, file: Path) -> MappingReport:
    project, said = stand.project(), read_plan(file)
    mappings = planned_mappings(project, said)
    report = sync(project, mappings, target=project.target(), options=said.options, plan=said)
    return report.mappings[0]


def test_a_plan_is_followed_and_refused_where_the_ground_has_moved(
    stand: Stand, tmp_path: Path
) -> None:
    file = tmp_path / "users.plan"
    stand.server.run(stand.database, ROWS)
    written(stand, file)
    assert followed(stand, file).changes["upsert"].acknowledged == 40
    stand.server.run(stand.database, CHANGES)
    written(stand, file)
    stand.server.run(stand.database, "UPDATE users SET note = 'newer' WHERE user_id = 'u2'")
    refused = followed(stand, file)
    assert (refused.status, refused.guard and refused.guard.name) == ("blocked", "plan")
    written(stand, file)
    done = followed(stand, file)
    assert (done.status, done.changes["upsert"].acknowledged) == ("done", 3)
    assert done.changes["soft_delete"].acknowledged == 1
    assert followed(stand, file).status == "blocked"

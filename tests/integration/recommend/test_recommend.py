"""Recommendations against the sandbox: asked, answered, written back once."""

# ruff: noqa: S608 - the names are ours

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import duckdb
import pytest

from connector import erasure
from connector.errors import UsageError
from connector.rejects import ask_again
from connector.sandbox import Handle, Sandbox
from tests.support.asking import (
    COLUMNS,
    Asking,
    assert_answered_once,
    counts,
    entry,
)
from tests.support.loopback import Answer, Loopback

TABLE = "analytics.recommendations"


def written(asking: Asking) -> list[tuple[Any, ...]]:
    return asking.rows(f"SELECT {COLUMNS} FROM {TABLE}")


def test_every_answer_is_in_the_table_once_with_positions_and_echoes(asking: Asking) -> None:
    report = asking.run()
    assert report.exit_code == 0
    assert_answered_once(written(asking), users=20, items=8, limit=5)
    assert counts(report).answered == asking.asked == entry(report).rows.source == 20
    assert counts(report).written == 100
    ((sessions, models, contexts, moments),) = asking.rows(
        "SELECT count(DISTINCT session_id), list(DISTINCT model_id), "
        "list(DISTINCT context->>'$.user_region'), "
        f"bool_and(requested_at BETWEEN now() - INTERVAL 10 MINUTES AND now()) FROM {TABLE}"
    )
    assert (sessions, models, sorted(contexts), moments) == (
        7,
        ["test_model_item_200"],
        ["NO", "SE"],
        True,
    )


def test_each_run_asks_anew_and_keeps_what_was_there(asking: Asking) -> None:
    first = asking.run()
    second = asking.run()
    assert counts(second).answered == 20
    assert counts(first).round != counts(second).round
    by_round = asking.rows(
        f"SELECT split_part(request_key, '-', 1), count(*) FROM {TABLE} GROUP BY 1"
    )
    assert dict(by_round) == {counts(first).round: 100, counts(second).round: 100}


def test_the_state_keeps_nobody_once_answers_are_written(asking: Asking) -> None:
    asking.write("UPDATE asks SET user_id = 'find-me-' || user_id")
    asking.run()
    kept = [path for path in asking.state.rglob("*") if path.is_file()]
    assert kept
    assert not [path for path in kept if b"find-me" in path.read_bytes()]


def test_a_limit_leaves_the_rest_to_the_next_run(asking: Asking) -> None:
    report = asking.run(limit=6)
    assert (report.exit_code, counts(report).answered, counts(report).pending) == (4, 6, 14)
    assert len({row[0] for row in written(asking)}) == 6
    report = asking.run()
    assert (report.exit_code, counts(report).answered) == (0, 14)
    assert entry(report).rows.unchanged == 6
    assert_answered_once(written(asking), users=20, items=8, limit=5)


def test_fresh_asks_for_every_row_though_a_run_was_left_unfinished(asking: Asking) -> None:
    first = counts(asking.run(limit=6))
    report = asking.run(fresh=True)
    assert counts(report).answered == 20
    assert counts(report).round != first.round


def test_a_killed_run_is_gone_on_with_and_every_answer_is_there_once(
    building: Callable[..., Asking], far: Sandbox
) -> None:
    asking = building(users=400)
    far.set_faults({"latency": "40ms"})
    for threshold in (180, 360):
        asking.kill_after(threshold)
    far.set_faults({})
    report = asking.run()
    assert report.exit_code == 0
    assert 0 < entry(report).rows.unchanged < 400
    assert counts(report).answered == 400 - entry(report).rows.unchanged
    assert_answered_once(written(asking), users=400, items=8, limit=5)
    assert 400 <= asking.asked < 800
    assert counts(asking.run()).answered == 400


def test_equal_rows_are_one_request(asking: Asking) -> None:
    asking.write("INSERT INTO asks FROM asks WHERE user_id = 'u3'")
    report = asking.run()
    assert (asking.asked, entry(report).rows.skipped) == (20, 1)
    assert_answered_once(written(asking), users=20, items=8, limit=5)


def test_who_is_erased_is_not_asked_for(asking: Asking) -> None:
    project = asking.project()
    erasure.erase(project, project.target(), ["u3", "u4"])
    report = asking.run()
    assert entry(report).rows.suppressed == 2
    assert {row[0] for row in written(asking)} == {f"u{n}" for n in range(20)} - {"u3", "u4"}


def test_answers_that_could_not_be_written_leave_with_whom_is_erased(asking: Asking) -> None:
    with duckdb.connect(str(asking.warehouse)) as connection:
        connection.execute("CREATE SCHEMA analytics")
        connection.execute(f"CREATE TABLE {TABLE} (rec_id VARCHAR)")
    assert asking.run().exit_code == 1
    assert any(b"u3" in path.read_bytes() for path in asking.state.rglob("recs.duckdb"))
    project = asking.project()
    report, _ = erasure.erase(project, project.target(), ["u3"])
    assert report.exit_code == 0
    asking.write(f"DROP TABLE {TABLE}")
    asking.run()
    assert {row[0] for row in written(asking)} == {f"u{n}" for n in range(20)} - {"u3"}


def test_a_table_that_cannot_be_written_loses_no_answer(asking: Asking) -> None:
    asking.write("CREATE SCHEMA analytics", f"CREATE TABLE {TABLE} (rec_id VARCHAR)")
    report = asking.run()
    assert report.exit_code == 1
    assert "has no column request_key, requested_at" in str(entry(report).error)
    assert asking.asked == 20
    asking.write(f"DROP TABLE {TABLE}")
    report = asking.run()
    assert report.exit_code == 0
    found = asking.rows(
        f"SELECT split_part(request_key, '-', 1) AS round, count(*) FROM {TABLE} GROUP BY 1"
    )
    assert sorted(count for _, count in found) == [100, 100]
    assert counts(report).written == 200


def test_rows_that_are_no_requests_are_rejected_and_the_others_asked(asking: Asking) -> None:
    asking.write("INSERT INTO asks VALUES ('u20', NULL, 'NO', []), (NULL, NULL, 'NO', [])")
    report = asking.run()
    assert report.exit_code == 3
    assert {(sample.code, sample.field) for sample in entry(report).rejects} == {
        ("no_items", "items"),
        ("no_identity", "user_id"),
    }
    assert_answered_once(written(asking), users=20, items=8, limit=5)


def test_mock_400_rejects_each_row_once_and_retries_none(building: Callable[..., Asking]) -> None:
    asking = building(model="test_model_item_400")
    report = asking.run()
    assert report.exit_code == 3
    assert (counts(report).rejected, counts(report).pending) == (20, 0)
    assert entry(report).http.retries == 0
    assert {sample.code for sample in entry(report).rejects} == {"bad_request"}
    assert asking.far.counts()["requests"]["POST /v1/recommend"] == {"400": 20}
    # The same rows are refused beforehand from now on, until they or the mapping change.
    assert counts(asking.run()).planned == 0
    project = asking.project()
    assert ask_again(project, [project.mapping("recs")], target="far") == {"recs": 20}
    assert counts(asking.run()).planned == 20
    asking.configure(model="test_model_item_200")
    assert counts(asking.run()).answered == 20


@pytest.mark.parametrize("status", ["429", "503"])
def test_mock_429_and_503_are_retried_and_leave_the_rows_pending(
    building: Callable[..., Asking], status: str
) -> None:
    asking = building(model=f"test_model_item_{status}", target="give_up_after: 1", users=3)
    report = asking.run()
    assert report.exit_code == 4
    assert (counts(report).answered, counts(report).rejected, counts(report).pending) == (0, 0, 3)
    assert entry(report).http.requests > 3
    assert set(asking.far.counts()["requests"]["POST /v1/recommend"]) == {status}
    asking.configure(model="test_model_item_200")
    assert counts(asking.run()).answered == 3


def test_faults_on_the_way_cost_retries_and_no_answer(
    building: Callable[..., Asking], far: Sandbox
) -> None:
    asking = building(users=120)
    far.set_faults({"e503": 0.1, "reset_after": 0.05, "truncate": 0.05, "e429": 0.05})
    report = asking.run()
    far.set_faults({})
    assert report.exit_code == 0
    assert entry(report).http.retries > 0
    assert_answered_once(written(asking), users=120, items=8, limit=5)


def test_a_key_that_is_refused_ends_the_run_and_rejects_nothing(asking: Asking) -> None:
    asking.configure(target="auth: api_key")
    project = asking.folder / "mappings" / "project.yaml"
    project.write_text(project.read_text().replace("api_key: sandbox", "api_key: wrong"))
    report = asking.run()
    assert report.exit_code == 1
    assert "does not accept the API key" in str(entry(report).error)
    assert counts(report).rejected == 0


def test_a_success_that_is_no_answer_is_a_reject(tmp_path: Any) -> None:
    def respond(_request: Any) -> Answer:
        return Answer(body=b"<html>welcome</html>")

    with Loopback(respond) as server:
        far = Handle()
        far.host, far.port = "127.0.0.1", server.port
        asking = Asking(tmp_path, far, users=3)
        report = asking.run()
    assert counts(report).rejected == 3
    assert {sample.code for sample in entry(report).rejects} == {"unreadable_answer"}


def test_a_long_answer_arrives_whole(building: Callable[..., Asking]) -> None:
    asking = building(users=2, items=4000, limit=4000)
    assert asking.run().exit_code == 0
    assert_answered_once(written(asking), users=2, items=4000, limit=4000)


def test_only_recommendations_are_recommended(building: Callable[..., Asking]) -> None:
    users = "kind: users\nsource: warehouse\ntable: asks\nfields: {uid: user_id}\n"
    asking = building(extra={"recs": users})
    with pytest.raises(UsageError, match="is of kind users"):
        asking.run()


def test_rejects_retry_has_the_next_run_try_again(building: Callable[..., Asking]) -> None:
    asking = building(model="test_model_item_400")
    asking.run()
    told = asking.command("rejects", "retry")
    assert told.returncode == 0
    assert "`connector recommend recs` tries 20 rows again" in told.stderr
    assert counts(asking.run()).planned == 20


def test_the_command_prints_its_document(asking: Asking) -> None:
    with asking.start("--json") as process:
        out, _ = process.communicate(timeout=60)
    document = json.loads(out)
    (mapping,) = document["mappings"]
    assert (process.returncode, document["command"], mapping["status"]) == (0, "recommend", "done")
    assert mapping["recommendations"]["answered"] == 20
    assert mapping["recommendations"]["written"] == 100
    assert set(mapping["changes"]) == {"upsert", "soft_delete", "hard_delete", "event"}

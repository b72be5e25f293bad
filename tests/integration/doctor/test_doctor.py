"""The doctor over a real project and a real server: what is amiss, one thing at a time."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import duckdb
import pytest
from sqlalchemy import create_engine, text

from connector.sandbox import Sandbox, Settings
from tests.support.loopback import Answer, Loopback, Received
from tests.support.project_folder import ProjectFolder
from tests.support.shop import PROJECT, Shop


def failures(shop: Shop, *arguments: str) -> dict[str, Any]:
    """The checks that failed, by name; the exit code is that of a failure."""
    found = shop("doctor", "--json", *arguments)
    assert found.code == found.json["exit_code"] == 1, found.out
    failed = {each["name"]: each for each in found.json["checks"] if each["status"] == "failed"}
    assert all(each["fix"] for each in failed.values())
    return failed


def test_a_healthy_project_passes_every_check_and_nothing_is_sent(shop: Shop) -> None:
    shop("sync")
    before = shop.sandbox.counts()
    found = shop("doctor", "--json")
    assert found.code == 0, found.out
    assert [each["name"] for each in found.json["checks"]] == [
        "config", "target", "source", "table", "table", "state", "format", "control",
        "api", "clock", "error 400", "error 429", "error 503", "write",
    ]  # fmt: skip
    assert {each["status"] for each in found.json["checks"]} == {"ok"}
    after = shop.sandbox.counts()
    assert (after["users"], after["events"]) == (before["users"], before["events"])


def test_a_check_is_a_line_and_its_fix_another(shop: Shop) -> None:
    assert "\nAll is well.\n" in shop("doctor").out
    shop.sql("drop table clicks")
    found = shop("doctor")
    assert found.code == 1
    lines = found.out.splitlines()
    at = next(index for index, line in enumerate(lines) if line.startswith("failed"))
    assert lines[at].split()[:2] == ["failed", "table"]
    assert lines[at + 1].split()[0] == "fix:"
    assert lines[-1] == "1 check failed."


def test_before_the_first_sync_nothing_is_made(shop: Shop) -> None:
    assert shop("doctor").code == 0
    assert not (shop.folder / ".connector").exists()


def test_no_config_says_how_to_begin(shop: Shop) -> None:
    (shop.files.path / "project.yaml").unlink()
    (failed,) = failures(shop).values()
    assert failed["name"] == "config"
    assert "connector init" in failed["fix"]


def test_mistakes_in_the_config_name_the_first_and_count_the_others(shop: Shop) -> None:
    shop.files.write("users.yaml", "kind: users\nsource: nowhere\ntable: t\nfields: {uidd: id}\n")
    failed = failures(shop)
    assert list(failed) == ["config"]
    assert "users.yaml:2:9: " in failed["config"]["message"]
    assert "more)" in failed["config"]["message"]
    assert "connector validate" in failed["config"]["fix"]


def test_an_unset_variable_of_the_target_leaves_the_api_unasked(shop: Shop) -> None:
    failed = failures(shop, "--target", "other")
    assert list(failed) == ["target"]
    assert "NO_SUCH_KEY" in failed["target"]["message"]
    assert "set it" in failed["target"]["fix"]
    skipped = shop("doctor", "--json", "--target", "other").json["checks"][-1]
    assert (skipped["name"], skipped["status"]) == ("api", "skipped")


def test_an_unset_variable_of_a_mapping_is_found(shop: Shop) -> None:
    text_ = (shop.files.path / "users.yaml").read_text()
    shop.files.write("users.yaml", text_ + 'where: "country = ${NO_SUCH_COUNTRY}"\n')
    failed = failures(shop)
    assert list(failed) == ["table"]
    assert "NO_SUCH_COUNTRY" in failed["table"]["message"]


def test_a_missing_key_for_hashing_is_found(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CONNECTOR_PII_KEY", raising=False)
    shop.files.write(
        "users.yaml",
        "kind: users\nsource: warehouse\ntable: users\n"
        "fields: {uid: id, who: {expr: country, pii: hash}}\n",
    )
    assert "CONNECTOR_PII_KEY" in failures(shop)["table"]["message"]


def test_a_target_that_there_is_not_is_wrong_usage(shop: Shop) -> None:
    assert shop("doctor", "--target", "nowhere").code == 2


def test_a_wrong_key_is_told_from_everything_else(shop: Shop) -> None:
    shop.files.write("project.yaml", _project(shop.sandbox.base_url, "not-the-key"))
    failed = failures(shop)
    assert list(failed) == ["api"]
    assert "does not accept the API key (HTTP 401" in failed["api"]["message"]
    assert "api_key" in failed["api"]["fix"]
    assert "not-the-key" not in shop("doctor").out


def test_a_key_that_may_not_write_is_found_without_writing(shop: Shop) -> None:
    with Sandbox(Settings(read_only_key="may-ask")) as sandbox:
        shop.files.write("project.yaml", _project(sandbox.base_url, "may-ask"))
        failed = failures(shop)
        assert list(failed) == ["write"]
        assert "forbids this API key to write (HTTP 403" in failed["write"]["message"]
        assert "write permission" in failed["write"]["fix"]
        assert sandbox.counts()["events"] == 0


def test_a_key_that_may_write_and_not_ask_is_well_enough_where_nothing_asks(shop: Shop) -> None:
    def respond(request: Received) -> Answer:
        return Answer(403 if request.target.endswith("/recommend") else 422)

    with Loopback(respond) as server:
        shop.files.write("project.yaml", _project(server.url))
        found = shop("doctor", "--json")
    assert found.code == 0
    by_name = {each["name"]: each["status"] for each in found.json["checks"]}
    assert (by_name["api"], by_name["write"]) == ("skipped", "ok")


def test_an_api_that_is_down_is_one_failure(shop: Shop) -> None:
    with Sandbox() as gone:
        address = gone.base_url
    shop.files.write("project.yaml", _project(address))
    failed = failures(shop)
    assert list(failed) == ["api"]
    assert "could not connect" in failed["api"]["message"]
    assert "connector sandbox" in failed["api"]["fix"]


def test_an_api_that_is_unwell_is_told_so(shop: Shop) -> None:
    shop.sandbox.set_faults({"e503": 1.0})
    failed = failures(shop)
    assert "HTTP 503" in failed["api"]["message"]


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (b"<html>welcome</html>", "not JSON"),
        (b'{"items": []}', "no rec_id"),
        (b'{"rec_id": "r", "items": [{"id": "doctor-1", "score": 1}]}', "were asked about"),
        (b'{"rec_id": "r", "items": [{"id": "doctor-2"}, {"id": "doctor-1"}]}', "no score"),
    ],
)  # fmt: skip
def test_a_stranger_that_answers_200_is_not_the_api(shop: Shop, body: bytes, said: str) -> None:
    with Loopback(lambda _: Answer(200, body)) as server:
        shop.files.write("project.yaml", _project(server.url))
        failed = failures(shop)
    assert said in failed["api"]["message"]
    assert "base_url" in failed["api"]["fix"]


def test_a_redirect_is_not_followed(shop: Shop) -> None:
    with Loopback(lambda _: Answer(302, headers={"Location": shop.sandbox.url})) as server:
        shop.files.write("project.yaml", _project(server.url))
        assert "redirect" in failures(shop)["api"]["message"]


def test_errors_that_would_be_taken_wrongly_are_found(shop: Shop) -> None:
    def respond(request: Received) -> Answer:
        right = _right(request)
        return Answer(200, b"{}") if right.status == 503 else right

    with Loopback(respond) as server:
        shop.files.write("project.yaml", _project(server.url))
        failed = failures(shop)
    assert list(failed) == ["error 503"]
    assert "taken as: acknowledge" in failed["error 503"]["message"]


@pytest.mark.parametrize("year", [2001, 2099])
def test_a_clock_that_is_off_is_found(shop: Shop, year: int) -> None:
    def respond(request: Received) -> Answer:
        right = _right(request)
        date = f"Thu, 01 Jan {year} 00:00:00 GMT"
        return Answer(right.status, right.body, {"Date": date})

    with Loopback(respond) as server:
        shop.files.write("project.yaml", _project(server.url))
        failed = failures(shop)
    assert list(failed) == ["clock"]
    ahead = "ahead of" if year == 2001 else "behind"
    assert f"{ahead} the API's" in failed["clock"]["message"]
    assert "NTP" in failed["clock"]["fix"]


def test_a_source_that_is_gone_is_one_failure_and_its_tables_are_skipped(shop: Shop) -> None:
    (shop.folder / "warehouse.duckdb").unlink()
    failed = failures(shop)
    assert list(failed) == ["source"]
    tables = [each for each in shop("doctor", "--json").json["checks"] if each["name"] == "table"]
    assert [each["status"] for each in tables] == ["skipped", "skipped"]


def test_a_missing_table_and_a_missing_column_name_what_is_there(shop: Shop) -> None:
    shop.sql("alter table users rename to members")
    assert "users" in failures(shop)["table"]["message"]
    shop.sql("alter table members rename to users", "alter table users rename country to land")
    assert "'country' is no column of users" in failures(shop)["table"]["message"]


def test_a_missing_feed_of_erasures_is_found(shop: Shop) -> None:
    users = (shop.files.path / "users.yaml").read_text()
    feed = "deletes: {erasures: {table: to_be_erased, key: id}}\n"
    shop.files.write("users.yaml", users + feed)
    assert "to_be_erased" in failures(shop)["table"]["message"]
    shop.sql("create table to_be_erased (id varchar)")
    assert shop("doctor").code == 0


def test_a_state_folder_that_cannot_be_written_is_found(shop: Shop) -> None:
    # A file in its place stops everybody, root included.
    (shop.folder / ".connector").write_text("")
    failed = failures(shop)
    assert list(failed) == ["state"]
    assert "state: {path" in failed["state"]["fix"]


@pytest.mark.parametrize(
    ("format_", "said", "fix"),
    [(0, "is of format 0", "sends everything again"), (99, "is of format 99", "newer connector")],
)
def test_state_of_another_format_is_found(shop: Shop, format_: int, said: str, fix: str) -> None:
    shop("sync")
    with duckdb.connect(shop.folder / ".connector" / "local" / "users.duckdb") as connection:
        connection.execute("update meta set value = ? where name = 'format'", [str(format_)])
    failed = failures(shop)
    assert list(failed) == ["format"]
    assert said in failed["format"]["message"]
    assert fix in failed["format"]["fix"]


def test_a_state_file_that_is_none_is_found(shop: Shop) -> None:
    shop("sync")
    (shop.folder / ".connector" / "local" / "users.duckdb").write_bytes(b"no database" * 1000)
    assert "users.duckdb" in failures(shop)["format"]["message"]


def test_a_control_store_of_a_newer_version_is_found(shop: Shop) -> None:
    shop("sync")
    engine = create_engine(f"sqlite:///{shop.folder}/.connector/local/control.db")
    with engine.begin() as connection:
        connection.execute(text("update connector_settings set value = '99' where name = 'format'"))
    engine.dispose()
    failed = failures(shop)
    assert list(failed) == ["control"]
    assert "newer connector" in failed["control"]["fix"]


def test_a_project_without_mappings_is_told_how_to_draft_one(shop: Shop) -> None:
    for name in ("users", "clicks"):
        (shop.files.path / f"{name}.yaml").unlink()
    found = shop("doctor")
    assert found.code == 0
    assert "connector init --from" in found.out


def test_recommendations_need_a_key_that_may_ask(shop: Shop) -> None:
    folder = ProjectFolder(shop.folder)
    folder.write("project.yaml", PROJECT.format(url="http://127.0.0.1:9/v1"))
    folder.write(
        "recs.yaml",
        "kind: recommendations\nsource: warehouse\ntable: users\nmodel_id: m\n"
        "fields: {user_id: id, item_ids: {expr: '[id]', type: array<string>}}\n"
        "write_to: {path: recs.parquet}\n",
    )
    with Loopback(lambda _: Answer(403)) as server:
        folder.write("project.yaml", _project(server.url))
        failed = failures(shop)
    assert "forbids" in failed["api"]["message"]


@pytest.mark.parametrize(
    ("write_to", "said"),
    [
        ("", "nothing says where the answers go"),
        ("write_to: {table: recs, source: files}", "has no tables to write to"),
    ],
)
def test_answers_that_could_go_nowhere_are_found(shop: Shop, write_to: str, said: str) -> None:
    shop.files.write(
        "project.yaml", shop.files.path.joinpath("project.yaml").read_text().replace(
            "sources:\n", "sources:\n  files: {type: files, path: .}\n"
        )
    )  # fmt: skip
    shop.files.write(
        "recs.yaml",
        "kind: recommendations\nsource: warehouse\ntable: users\nmodel_id: m\n"
        f"fields: {{user_id: id, item_ids: {{expr: '[id]', type: array<string>}}}}\n{write_to}\n",
    )
    valid = shop("validate", "--select", "recs")
    assert (valid.code, said in valid.err) == (1, True)
    assert said in failures(shop)["table"]["message"]


def test_alerts_and_a_sync_log_that_cannot_work_are_found(shop: Shop) -> None:
    file = shop.files.path / "project.yaml"
    before = file.read_text()
    said = 'alerts: [{webhook: "${NO_SUCH_HOOK}"}]\nsync_log: {source: nowhere}\n'
    file.write_text(before + said)
    failed = failures(shop)
    assert "NO_SUCH_HOOK" in failed["alerts"]["message"]
    assert "nowhere" in failed["sync log"]["message"]
    files = before.replace("sources:\n", "sources:\n  files: {type: files, path: .}\n")
    file.write_text(f"{files}sync_log: {{source: files}}\n")
    assert failures(shop)["sync log"]["fix"] == "name a source that is a database"
    file.write_text(
        before + 'alerts: [{webhook: "http://127.0.0.1:9"}]\nsync_log: {source: warehouse}\n'
    )
    assert shop("doctor").code == 0


def _project(url: str, key: str = "sandbox") -> str:
    return PROJECT.format(url=url).replace("api_key: sandbox", f"api_key: {key}")


def _right(request: Received) -> Answer:
    """What the API would say."""
    document = request.json()
    if "events" in document:
        return Answer(422)
    status = int(document["model_id"][-3:])
    if status != 200:
        return Answer(status)
    items = [{"id": each, "score": 0.5} for each in document["item_ids"]]
    return Answer(200, json.dumps({"rec_id": "r", "items": items}).encode())


def test_the_folder_of_the_project_can_be_named(shop: Shop, tmp_path: Path) -> None:
    assert shop("doctor", "--project", str(tmp_path / "mappings")).code == 0

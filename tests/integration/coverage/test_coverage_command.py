"""`connector coverage` as people and scripts call it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import duckdb
import pytest

from connector.cli.main import run
from tests.support.project_folder import ProjectFolder

PROJECT = """\
sources:
  warehouse: {type: duckdb, path: warehouse.duckdb}
default_target: sandbox
targets:
  sandbox: {base_url: "http://127.0.0.1:8787/v1", api_key: sandbox}
  other: {base_url: "http://127.0.0.1:8787/v1", api_key: "${NO_SUCH_KEY}"}
"""
USERS = """\
# whom we know
kind: users
source: warehouse
table: users
fields:
  uid: id          # the key
  # clean
  gender: gender
tags: [core]
"""


@pytest.fixture
def shop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ProjectFolder:
    """A project with users whose `dob` is not used, and with clicks."""
    monkeypatch.chdir(tmp_path)
    with duckdb.connect(tmp_path / "warehouse.duckdb") as connection:
        connection.execute(
            "CREATE TABLE users AS SELECT n AS id, 'f' AS gender, "
            "date '1980-01-01' + n::INTEGER AS dob FROM range(40) t(n)"
        )
        connection.execute(
            "CREATE TABLE clicks AS SELECT 'c' || n AS id, timestamp '2026-01-01' AS at, "
            "'u' AS uid, 'i' AS item FROM range(9) t(n)"
        )
    folder = ProjectFolder(tmp_path, PROJECT)
    folder.write("users.yaml", USERS)
    folder.write(
        "clicks.yaml",
        "kind: events\nsource: warehouse\ntable: clicks\ntype: click\nfields: {id: id, "
        "original_timestamp: at, uid: uid, item_id: item, click_type: {value: open}}\n",
    )
    return folder


def test_the_report_is_told_in_lines(
    shop: ProjectFolder, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["coverage"]) == 0
    out = capsys.readouterr().out
    assert "users (users, 40 rows)" in out
    assert "gender  Good    covered  100%  gender" in out
    assert "missing: age, address" in out
    assert "The data set reaches no tier yet." in out
    assert "--suggest" in out


def test_json_is_one_document_and_nothing_else(
    shop: ProjectFolder, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["coverage", "--json", "--select", "users"]) == 0
    document = json.loads(capsys.readouterr().out)
    (users,) = document["mappings"]
    assert (users["name"], users["kind"], users["table"], users["rows"]) == (
        "users", "users", "users", 40,
    )  # fmt: skip
    age = next(each for each in users["attributes"] if each["attribute"] == "age")
    assert age["status"] == "missing"
    assert age["suggestion"].startswith("age: date_sub('year', ")


def test_no_key_of_the_target_is_needed(
    shop: ProjectFolder, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["--target", "other", "coverage", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["target"] == "other"


def test_suggestions_are_written_where_asked_and_then_there(
    shop: ProjectFolder, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["coverage", "--suggest", "--write"]) == 0
    text = (shop.path / "users.yaml").read_text()
    line = "  age: date_sub('year', try_cast(dob AS DATE), current_date)\n"
    assert text == USERS.replace("  gender: gender\n", f"  gender: gender\n{line}")
    capsys.readouterr()
    assert run(["coverage", "--suggest"]) == 0
    out = capsys.readouterr().out
    assert "age     Good    covered  100%  age" in out
    assert "add to" not in out


def test_suggestions_are_written_whole_though_nobody_reads_what_is_printed(
    shop: ProjectFolder,
) -> None:
    reader, writer = os.pipe()
    os.close(reader)
    command = [sys.executable, "-P", "-m", "connector.cli", "coverage", "--suggest", "--write"]
    with os.fdopen(writer, "wb") as nobody:
        done = subprocess.run(
            command, cwd=shop.path.parent, stdout=nobody, stderr=subprocess.PIPE, text=True,
            check=False,
        )  # fmt: skip
    assert "Traceback" not in done.stderr
    assert "added 1 field to" in done.stderr
    assert (shop.path / "users.yaml").read_text().count("date_sub('year'") == 1
    assert [each.name for each in shop.path.iterdir() if each.name.startswith(".")] == []


def test_what_can_be_traced_to_recommendations_is_told(
    shop: ProjectFolder, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    shop.write(
        "recs.yaml",
        "kind: recommendations\nsource: warehouse\nquery: select 'u' as uid, ['i'] as items\n"
        "model_id: m\nfields: {user_id: uid, item_ids: items}\nwrite_to: {table: recs}\n",
    )
    clicks = shop.path / "clicks.yaml"
    clicks.write_text(clicks.read_text().replace("uid: uid,", "uid: uid, rec_id: id,"))
    assert run(["coverage", "--select", "clicks"]) == 0
    out = capsys.readouterr().out
    assert "traced: unknown, there are no answers (recs: " in out
    with duckdb.connect(tmp_path / "warehouse.duckdb") as connection:
        connection.execute("CREATE TABLE recs AS SELECT 'c4' AS rec_id, 'i' AS item_id")
    assert run(["coverage", "--select", "clicks"]) == 0
    out = capsys.readouterr().out
    assert "  traced to a recommendation: 11% of 9 clicks, 9 carry a rec_id" in out


def test_writing_needs_suggestions(shop: ProjectFolder, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["coverage", "--write"]) == 2
    assert "--write needs --suggest" in capsys.readouterr().err


@pytest.mark.parametrize("sample", ["0", "101%", "many", "-5"])
def test_a_sample_is_a_percentage(
    shop: ProjectFolder, sample: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["coverage", "--sample", sample]) == 2
    assert "percentage" in capsys.readouterr().err


def test_a_sample_is_marked_as_such(
    shop: ProjectFolder, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["coverage", "--sample", "50%", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["sample_percent"] == 50
    assert run(["coverage", "--sample", "50"]) == 0
    assert "a sample of 50 %" in capsys.readouterr().out


def test_page_and_csv_are_written_to_files(
    shop: ProjectFolder, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["coverage", "--html", "report.html", "--csv", "report.csv"]) == 0
    assert (tmp_path / "report.html").read_text("utf-8").startswith("<!doctype html>")
    assert (tmp_path / "report.csv").read_bytes().count(b"\r\n") == 1 + 12 + 8 + 15
    assert run(["coverage", "--html", "no/such/folder.html"]) == 1
    assert "cannot be written" in capsys.readouterr().err


def test_a_table_without_a_row_has_its_place_in_page_and_json(
    shop: ProjectFolder, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with duckdb.connect(tmp_path / "warehouse.duckdb") as connection:
        connection.execute("DELETE FROM users; DELETE FROM clicks")
    assert run(["coverage", "--json"]) == 0
    users, clicks = json.loads(capsys.readouterr().out)["mappings"]
    assert users["quality"]["fields"]["gender"]["top"] == []
    assert clicks["quality"]["fields"]["type"]["top"] == []
    assert run(["coverage", "--html", "report.html", "--csv", "report.csv"]) == 0
    assert "clicks" in (tmp_path / "report.html").read_text("utf-8")


def test_a_required_tier_that_is_missed_fails_the_command(
    shop: ProjectFolder, capsys: pytest.CaptureFixture[str]
) -> None:
    shop.write("users.yaml", USERS + "coverage: {require: good}\n")
    assert run(["coverage", "--json"]) == 1
    assert json.loads(capsys.readouterr().out)["exit_code"] == 1
    assert run(["coverage"]) == 1
    assert "falls short of good" in capsys.readouterr().out


def test_a_table_that_is_not_there_fails_the_command_and_not_the_others(
    shop: ProjectFolder, capsys: pytest.CaptureFixture[str]
) -> None:
    shop.write("users.yaml", USERS.replace("table: users", "table: nobody"))
    assert run(["coverage", "--json"]) == 1
    captured = capsys.readouterr()
    clicks, users = sorted(json.loads(captured.out)["mappings"], key=lambda each: each["name"])
    assert (clicks["rows"], users["rows"]) == (9, 0)
    assert "nobody" in users["error"]
    assert "nobody" in captured.err

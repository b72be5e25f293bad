"""Options of `connector` itself, errors, exit codes, and what importing it costs."""

import json
import subprocess
import sys
from pathlib import Path

import click
import pytest

from connector.cli import main as entry
from connector.cli.main import cli, run, scrub
from connector.cli.options import Command
from connector.cli.settings import Settings
from tests.support.project_folder import ProjectFolder

Captured = pytest.CaptureFixture[str]

HEAVY = ("duckdb", "pyarrow", "sqlalchemy", "pydantic", "rich", "starlette", "uvicorn", "yaml")


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("CONNECTOR_PROJECT", "CONNECTOR_TARGET", "NO_COLOR"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def seen(monkeypatch: pytest.MonkeyPatch) -> list[Settings]:
    """A command `look` that notes the settings it was given."""
    found: list[Settings] = []

    @click.command("look", cls=Command)
    @click.pass_obj
    def look(settings: Settings) -> None:
        found.append(settings)

    monkeypatch.setitem(cli.commands, "look", look)
    return found


@pytest.mark.parametrize(
    "arguments",
    [
        ["--project", "p", "--target", "t", "-v", "--debug", "--log-format", "json", "look"],
        ["look", "--project", "p", "--target", "t", "-v", "--debug", "--log-format", "json"],
    ],
)
def test_global_options_stand_before_or_behind_the_command(
    seen: list[Settings], arguments: list[str]
) -> None:
    assert run(arguments) == 0
    settings = seen[0]
    assert (settings.project, settings.target) == (Path("p"), "t")
    assert (settings.verbosity, settings.debug, settings.log_format) == (1, True, "json")


def test_a_flag_wins_over_the_environment_and_that_over_the_default(
    seen: list[Settings], monkeypatch: pytest.MonkeyPatch
) -> None:
    run(["look"])
    monkeypatch.setenv("CONNECTOR_PROJECT", "elsewhere")
    monkeypatch.setenv("CONNECTOR_TARGET", "staging")
    run(["look"])
    run(["--target", "before", "look"])
    run(["--target", "before", "look", "--target", "behind"])
    assert [str(each.project) for each in seen] == ["mappings", *["elsewhere"] * 3]
    assert [each.target for each in seen] == [None, "staging", "before", "behind"]


def test_help_and_version_load_nothing_heavy() -> None:
    code = (
        "import sys; from connector.cli.main import run; run(['--help']); run(['sync', '--help']); "
        f"print([name for name in {HEAVY!r} if name in sys.modules], file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stderr == "[]\n"
    assert "Keep a personalization platform in step" in done.stdout


def test_without_a_command_it_shows_help_and_exits_2(capsys: Captured) -> None:
    assert run([]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("Usage: connector")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["nope"], "error: no such command 'nope'"),
        (["sync", "--nope"], "error: no such option '--nope'"),
        (["sync", "--limit", "x"], "error: invalid value for '--limit'"),
        (["compile"], "error: missing argument 'NAME'"),
        (["rejects", "export", "--format", "xls"], "error: invalid value for '--format'"),
    ],
)
def test_wrong_usage_is_one_line_a_hint_and_2(
    capsys: Captured, arguments: list[str], message: str
) -> None:
    assert run(arguments) == 2
    out, err = capsys.readouterr()
    assert out == ""
    first, second = err.splitlines()
    assert first.startswith(message)
    assert second.startswith("hint: see `connector")


def test_mistakes_are_shown_all_at_once_with_their_lines_and_carets(
    tmp_path: Path, capsys: Captured
) -> None:
    folder = ProjectFolder(tmp_path)
    folder.write("users.yaml", "kind: users\nsource: warehose\ntable: t\nfields: {uid: id}\n")
    folder.write("clicks.yaml", "kind: clcks\n")
    assert run(["plan"]) == 1
    assert capsys.readouterr().err.splitlines() == [
        "mappings/clicks.yaml:1:7: 'kind' must be users, events or recommendations",
        "  kind: clcks",
        "        ^",
        "  hint: one of users, events, recommendations",
        "mappings/users.yaml:2:9: 'warehose' is no source of project.yaml",
        "  source: warehose",
        "          ^",
        "  hint: did you mean 'warehouse'?",
        "error: 2 problems in the configuration",
    ]


@pytest.mark.parametrize("command", ["plan", "sync"])
def test_with_json_an_error_is_a_document_too(capsys: Captured, command: str) -> None:
    assert run([command, "--json"]) == 1
    document = json.loads(capsys.readouterr().out)
    assert document["schema_version"] == 1
    assert (document["command"], document["exit_code"]) == (command, 1)
    assert (document["run_id"], document["mappings"]) == (None, [])
    assert document["error"]["problems"][0]["file"] == "mappings"


def test_wrong_usage_with_json_is_a_document_too(capsys: Captured) -> None:
    assert run(["sync", "--json", "--nope"]) == 2
    document = json.loads(capsys.readouterr().out)
    assert document["exit_code"] == 2
    assert document["error"]["message"] == "no such option '--nope'"


def test_as_json_every_line_of_the_log_is_an_object(tmp_path: Path, capsys: Captured) -> None:
    ProjectFolder(tmp_path).write("clicks.yaml", "kind: clcks\n")
    run(["plan", "--log-format", "json"])
    (line,) = capsys.readouterr().err.splitlines()
    said = json.loads(line)
    assert (said["level"], said["file"], said["line"], said["column"]) == (
        "error", "mappings/clicks.yaml", 1, 7,
    )  # fmt: skip


@pytest.fixture
def broken(monkeypatch: pytest.MonkeyPatch) -> None:
    """A command `break` that fails in a way that nobody foresaw, with secrets in its words."""

    @click.command("break", cls=Command)
    @click.pass_obj
    def fail(settings: Settings) -> None:
        settings.secrets.add("topsecretkey")
        raise RuntimeError("topsecretkey at postgres://me:hunter2@db\nand more")

    monkeypatch.setitem(cli.commands, "break", fail)


@pytest.mark.usefixtures("broken")
def test_the_unforeseen_is_one_line_without_traceback_or_secrets(capsys: Captured) -> None:
    assert run(["break"]) == 1
    assert capsys.readouterr().err.splitlines() == [
        "error: internal error: RuntimeError: *** at postgres://***@db",
        "hint: run it again with --debug, and report what it shows",
    ]


@pytest.mark.usefixtures("broken")
def test_debug_shows_the_traceback_without_secrets(capsys: Captured) -> None:
    assert run(["break", "--debug"]) == 1
    err = capsys.readouterr().err
    assert "Traceback (most recent call last)" in err
    assert "hunter2" not in err
    assert "RuntimeError: *** at" in err


def test_an_interrupt_outside_of_a_sync_is_130(
    monkeypatch: pytest.MonkeyPatch, capsys: Captured
) -> None:
    @click.command("wait", cls=Command)
    def wait() -> None:
        raise KeyboardInterrupt

    monkeypatch.setitem(cli.commands, "wait", wait)
    assert run(["wait"]) == entry.INTERRUPTED == 130
    assert capsys.readouterr().err.strip() == "error: interrupted"


def test_secrets_of_the_environment_are_covered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SEQUEN_API_KEY", "sk-123456")
    said = "key sk-123456, Authorization: Bearer abc.def, at https://u:p@host/x"
    assert scrub(said) == "key ***, Authorization: Bearer ***, at https://***@host/x"


def test_a_reader_that_leaves_is_no_error_to_talk_about(tmp_path: Path) -> None:
    process = subprocess.Popen(
        [sys.executable, "-P", "-m", "connector.cli", "schema"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=tmp_path,
    )
    assert process.stdout is not None
    process.stdout.close()
    process.wait(60)
    assert process.stderr is not None
    assert process.stderr.read() == ""
    process.stderr.close()


def test_schema_is_json_schema_of_both_files(capsys: Captured) -> None:
    assert run(["schema"]) == 0
    mapping = json.loads(capsys.readouterr().out)
    assert run(["schema", "project"]) == 0
    project = json.loads(capsys.readouterr().out)
    assert mapping["title"] == "A mapping"
    assert "targets" in project["properties"]


def test_init_says_what_to_do_next_and_never_overwrites(tmp_path: Path, capsys: Captured) -> None:
    assert run(["init", "my shop"]) == 0
    out = capsys.readouterr().out
    assert "wrote my shop/mappings/users.yaml" in out
    assert [line.split("#")[0].strip() for line in out.partition("Next:\n")[2].splitlines()] == [
        "cd 'my shop'", "connector sandbox &", "connector plan", "connector sync",
    ]  # fmt: skip
    assert run(["init", "my shop"]) == 2
    assert "already there" in capsys.readouterr().err

"""A project folder: which files belong to it, what is chosen from it, and when it asks for what."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from connector.errors import ConfigError, Place, Problem, UsageError
from connector.excerpt import excerpt
from connector.project import load_project
from tests.support.project_folder import PROJECT, ProjectFolder

USERS = """\
kind: users
source: warehouse
table: t
fields: {uid: u, country: c}
tags: [core, daily]
"""
EVENTS = """\
kind: events
source: warehouse
table: t
type: video_pause
fields: {id: e, original_timestamp: o, uid: u}
tags: [core]
"""


def test_every_yaml_file_below_the_folder_is_a_mapping_but_hidden_ones(
    folder: ProjectFolder,
) -> None:
    for name in ("b.yaml", "a.yml", "sub/deep/c.yaml", "sub/project.yaml"):
        folder.write(name, USERS)
    for name in (".hidden.yaml", ".git/x.yaml", "notes.txt", "d.yaml.bak"):
        folder.write(name, "not: [a mapping")
    assert [mapping.name for mapping in folder.load().mappings] == ["a", "b", "c", "project"]


def test_paths_are_shown_relative_to_the_current_directory_when_below_it(
    folder: ProjectFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = folder.write("users.yaml", USERS)
    assert load_project(file.parent).mappings[0].place.file == Path("mappings/users.yaml")
    elsewhere = file.parent.parent / "elsewhere"
    elsewhere.mkdir()
    monkeypatch.chdir(elsewhere)
    found = load_project(Path("../mappings"), environment={})
    assert found.mappings[0].place.file == file.absolute()
    assert found.root == file.parent.parent.absolute()


def test_relative_paths_are_relative_to_the_folders_parent(folder: ProjectFolder) -> None:
    project = folder.load()
    root = folder.path.parent.absolute()
    assert project.state_path == root / ".connector"
    assert getattr(project.source("warehouse"), "path", None) == root / "data/warehouse.duckdb"


def test_a_missing_folder_or_project_file_leads_to_init(folder: ProjectFolder) -> None:
    with pytest.raises(ConfigError, match=r"nowhere: there is no such folder; .*connector init"):
        load_project(Path("nowhere"))
    (folder.path / "project.yaml").unlink()
    with pytest.raises(
        ConfigError, match=r"project\.yaml: there is no such file; .*connector init"
    ):
        folder.load()
    folder.write("project.yml", PROJECT)
    with pytest.raises(ConfigError, match=r"rename project\.yml"):
        folder.load()


def names(folder: ProjectFolder, select: list[str], exclude: list[str]) -> list[str]:
    return [mapping.name for mapping in folder.load().select(select, exclude)]


@pytest.mark.parametrize(
    ("select", "exclude", "chosen"),
    [
        ([], [], ["users", "clicks", "views"]),
        (["clicks", "users"], [], ["users", "clicks"]),
        (["tag:daily"], [], ["users"]),
        (["tag:c*"], ["*s"], None),
        (["*"], ["views"], ["users", "clicks"]),
        (["?iews", "views"], [], ["views"]),
        ([], ["tag:core"], None),
    ],
)
def test_mappings_are_chosen_by_name_tag_and_glob_users_first(
    folder: ProjectFolder, select: list[str], exclude: list[str], chosen: list[str] | None
) -> None:
    folder.write("clicks.yaml", EVENTS)
    folder.write("users.yaml", USERS)
    folder.write("views.yaml", EVENTS)
    if chosen is None:
        with pytest.raises(UsageError, match="excluded"):
            names(folder, select, exclude)
    else:
        assert names(folder, select, exclude) == chosen


def test_a_name_that_is_also_a_pattern_is_the_mapping_of_that_name(folder: ProjectFolder) -> None:
    folder.write("a.yaml", "name: x[1]\n" + USERS)
    assert names(folder, ["x[1]"], []) == ["x[1]"]


@pytest.mark.parametrize(
    ("select", "exclude", "said"),
    [
        (["user"], [], "no mapping matches 'user'; did you mean 'users'?"),
        (["zzz"], [], "no mapping matches 'zzz'; there are users"),
        ([], ["uzers"], "no mapping matches 'uzers'; did you mean 'users'?"),
        (["tag:dayly"], [], "no mapping matches 'tag:dayly'; did you mean 'tag:daily'?"),
    ],
)
def test_a_pattern_that_matches_nothing_is_an_error(
    folder: ProjectFolder, select: list[str], exclude: list[str], said: str
) -> None:
    folder.write("users.yaml", USERS)
    with pytest.raises(UsageError) as caught:
        names(folder, select, exclude)
    assert str(caught.value) == said


def test_a_project_without_mappings_loads_and_has_nothing_to_choose(folder: ProjectFolder) -> None:
    assert folder.load().mappings == ()
    with pytest.raises(UsageError, match="no mappings in mappings"):
        folder.load().select()


def test_an_unknown_name_is_answered_with_the_closest(folder: ProjectFolder) -> None:
    folder.write("users.yaml", USERS)
    project = folder.load()
    with pytest.raises(UsageError, match=r"no mapping 'usrs' .*did you mean 'users'"):
        project.mapping("usrs")
    with pytest.raises(UsageError, match=r"no target 'sandbx' .*did you mean 'sandbox'"):
        project.target("sandbx")
    with pytest.raises(UsageError, match=r"no source 'warehose' .*did you mean 'warehouse'"):
        project.source("warehose")


def test_a_problem_is_shown_with_its_line_and_a_caret(folder: ProjectFolder) -> None:
    file = folder.write("users.yaml", "kind: users\n\tfields: x\n")
    assert excerpt(Problem(Place(file, 1, 7), "m")) == "kind: users\n      ^"
    assert excerpt(Problem(Place(file, 2, 2), "m")) == " fields: x\n ^"
    assert excerpt(Problem(Place(file, 3, 1), "m")) is None
    assert excerpt(Problem(Place(file, 9, 1), "m")) is None
    assert excerpt(Problem(Place(file), "m")) is None
    assert excerpt(Problem(Place(file.parent / "none", 1, 1), "m")) is None


def test_a_long_line_is_shown_around_the_caret(folder: ProjectFolder) -> None:
    file = folder.write("users.yaml", f"query: {'a' * 500}B{'c' * 500}\n")
    shown = excerpt(Problem(Place(file, 1, 508), "m"))
    assert shown is not None
    line, caret = shown.split("\n")
    assert len(line) <= 160
    assert line[caret.index("^")] == "B"


@pytest.mark.parametrize(
    ("line", "shown"),
    [
        ("api_key: sk-123 # mine", "api_key: ****** # mine"),
        ('{base_url: "x", api_key: "sk 123", b: 1}', '{base_url: "x", api_key: *** ****, b: 1}'),
        ("'api_key': 'it''s', b: 1", "'api_key': *******, b: 1"),
        ("api_key: two words, and more", "api_key: *** ****** *** ****"),
        ("{api_key: two words, b: 1}", "{api_key: *** *****, b: 1}"),
        ("api_key: 'not closed, at all", "api_key: **** ******* ** ***"),
        ("[api_key: not yaml, b", "[api_key: *** ****, b"),
        ('api_key: "${KEY}"', 'api_key: "${KEY}"'),
        ("proxy: http://me:pw@proxy:1", "proxy: ********************"),
        ("control_url: sqlite:///x", "control_url: ***********"),
        ('base_url: "https://me:pw@host/v1"', 'base_url: "https://*****@host/v1"'),
        ("base_url: https://host/v1", "base_url: https://host/v1"),
    ],
)
def test_what_is_secret_in_a_line_is_covered(folder: ProjectFolder, line: str, shown: str) -> None:
    file = folder.write("project.yaml", line)
    assert excerpt(Problem(Place(file, 1, 1), "m")) == shown + "\n^"


def test_a_secret_over_several_lines_is_covered(folder: ProjectFolder) -> None:
    file = folder.write("project.yaml", "api_key: >\n  sk-123\n\n  more\nother: x\n")
    assert excerpt(Problem(Place(file, 2, 3), "m")) == "  ******\n  ^"
    assert excerpt(Problem(Place(file, 4, 3), "m")) == "  ****\n  ^"
    assert excerpt(Problem(Place(file, 5, 8), "m")) == "other: x\n       ^"


def test_loading_reads_files_and_nothing_heavier(folder: ProjectFolder) -> None:
    folder.write("users.yaml", USERS)
    program = (
        "import sys, pathlib, connector.project as p\n"
        "print(p.load_project(pathlib.Path('mappings')).mappings[0].name)\n"
        "print(sorted({'duckdb', 'pyarrow', 'sqlalchemy', 'starlette', 'rich'} & set(sys.modules)))"
    )
    repository = str(Path(__file__).parents[3])
    ran = subprocess.run(
        [sys.executable, "-c", program],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "PYTHONPATH": repository},
    )
    assert ran.stdout.split("\n")[:2] == ["users", "[]"]

"""Private folders of processes that are gone are removed, those of the living are left to them."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from connector.erasure import erase
from connector.leftovers import PrivateFolder, wipe
from connector.project import load_project
from connector.sandbox import Sandbox
from tests.support.project_folder import ProjectFolder

MAKING = (
    "import sys; from pathlib import Path; from connector.leftovers import PrivateFolder\n"
    "private = PrivateFolder(Path(sys.argv[1]), 'stage')\n"
    "(private.path / 'row').write_text('uid-1'); print(private.path, flush=True)\n"
    "sys.stdin.read()\n"
)
FORKING = (
    "import os, sys; from pathlib import Path; from connector.leftovers import PrivateFolder\n"
    "private = PrivateFolder(Path(sys.argv[1]), 'stage')\n"
    "forked = os.fork()\n"
    "if not forked: sys.exit()\n"
    "os.waitpid(forked, 0); print(private.path.exists())\n"
)
NOBODY = 9_999_999
"""No process has this number."""


@contextmanager
def elsewhere(parent: Path) -> Iterator[tuple[subprocess.Popen[str], Path]]:
    """Another process, and its private folder in `parent`."""
    process = subprocess.Popen(
        [sys.executable, "-c", MAKING, str(parent)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    with process:
        try:
            yield process, Path(process.stdout.readline().strip())
        finally:
            process.kill()


def test_a_folder_is_left_to_a_process_that_lives_and_removed_once_that_was_killed(
    tmp_path: Path,
) -> None:
    with elsewhere(tmp_path) as (process, folder):
        assert folder.stat().st_mode & 0o077 == 0
        wipe(tmp_path)
        assert (folder / "row").read_text() == "uid-1"
        process.kill()
        process.wait()
        assert folder.exists(), "nobody was there to remove it"
        wipe(tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_a_folder_is_left_to_who_made_it_in_the_same_process(tmp_path: Path) -> None:
    mine, other = PrivateFolder(tmp_path, "stage"), PrivateFolder(tmp_path, "stage")
    wipe(tmp_path)
    assert mine.path.exists()
    assert other.path.exists()
    mine.close()
    assert not mine.path.exists()
    other.close()
    assert list(tmp_path.iterdir()) == []


def test_a_folder_goes_with_a_process_that_ends_without_closing_it(tmp_path: Path) -> None:
    with elsewhere(tmp_path) as (process, folder):
        assert folder.exists()
        process.communicate()
    assert process.returncode == 0
    assert list(tmp_path.iterdir()) == []


def test_a_folder_outlives_a_fork_of_the_process_that_made_it(tmp_path: Path) -> None:
    ended = subprocess.run(
        [sys.executable, "-c", FORKING, str(tmp_path)], check=True, capture_output=True, text=True
    )
    assert ended.stdout.split() == ["True"]
    assert list(tmp_path.iterdir()) == []


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files to another user")
def test_what_another_user_left_keeps_nobody_from_running_and_is_removed_by_an_erasure(
    tmp_path: Path,
) -> None:
    with elsewhere(tmp_path) as (process, _):
        process.kill()
    numbered = tmp_path / f"copies-{NOBODY}.abc"
    numbered.mkdir()
    for left in tmp_path.iterdir():
        os.chown(left, 65_534, 65_534)
    before = sorted(tmp_path.iterdir())
    assert len(before) == 3
    wipe(tmp_path)
    assert sorted(tmp_path.iterdir()) == before
    wipe(tmp_path, of_others=True)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", ["copies-{}.abc", "users.{}"])
def test_what_an_earlier_version_named_after_a_process_is_removed_when_there_is_none(
    tmp_path: Path, name: str
) -> None:
    gone, living = (tmp_path / name.format(number) for number in (NOBODY, os.getpid()))
    gone.mkdir()
    living.mkdir()
    wipe(tmp_path)
    assert not gone.exists()
    assert living.exists()


def test_a_mapping_named_like_what_an_earlier_version_left_keeps_its_stage(tmp_path: Path) -> None:
    stage = tmp_path / ".stage" / f"users.{NOBODY}"
    stage.mkdir(parents=True)
    (tmp_path / f"{stage.name}.duckdb").touch()
    wipe(stage.parent)
    assert stage.exists()


def test_an_erasure_removes_what_killed_processes_left_and_nothing_of_the_living(
    tmp_path: Path,
) -> None:
    with Sandbox() as sandbox:
        folder = ProjectFolder(tmp_path)
        folder.write(
            "project.yaml",
            "sources: {w: {type: duckdb, path: w.duckdb}}\n"
            f'targets: {{api: {{base_url: "{sandbox.base_url}", api_key: sandbox}}}}\n',
        )
        project = load_project(tmp_path / "mappings")
        state = project.state_path
        places = [each / ".stage" for each in (state, state / "api", state / "api" / "backfill")]
        for place in places:
            place.mkdir(parents=True)
            with elsewhere(place) as (process, left):
                process.kill()
            assert left.exists()
        kept = [PrivateFolder(place, "stage") for place in places]
        report, _ = erase(project, project.target("api"), ["uid-1"])
        assert report.exit_code == 0
        for place, private in zip(places, kept, strict=True):
            assert [each for each in place.iterdir() if each.is_dir()] == [private.path]
            private.close()
            assert list(place.iterdir()) == []

from pathlib import Path

import pytest

from tests.support.project_folder import ProjectFolder


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ProjectFolder:
    """A project without mappings, below the current directory."""
    monkeypatch.chdir(tmp_path)
    return ProjectFolder(tmp_path)

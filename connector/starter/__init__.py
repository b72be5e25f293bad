"""The project that `connector init` writes: small, runnable, and meant to be edited."""

from __future__ import annotations

from importlib import resources
from pathlib import Path

from connector.demo.generate import generate
from connector.errors import UsageError

TEMPLATES = {
    "mappings/project.yaml": "mappings/project.yaml",
    "mappings/users.yaml": "mappings/users.yaml",
    "mappings/clicks.yaml": "mappings/clicks.yaml",
    ".gitignore": "gitignore",  # by its own name it would act on this repository
    "README.md": "README.md",
}
"""What is written, and the file of `templates/` it is copied from."""

WAREHOUSE = "data/warehouse.duckdb"
USERS = 200
EVENTS = 2_000


def write_starter(folder: Path) -> list[Path]:
    """Write the starter project into `folder`, which is made where it is missing.

    Returns the files written. A file that is there already is never touched: `UsageError`, and
    nothing is written at all.
    """
    files = [folder / name for name in (*TEMPLATES, WAREHOUSE)]
    taken = [file for file in files if file.exists()]
    if taken:
        raise UsageError(
            f"{', '.join(str(file) for file in taken)}: already there, and not overwritten",
            hint="choose an empty folder: connector init DIR",
        )
    templates = resources.files(__package__) / "templates"
    for name, template in TEMPLATES.items():
        file = folder / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes((templates / template).read_bytes())
    generate(folder / WAREHOUSE, users=USERS, events=EVENTS)
    return files

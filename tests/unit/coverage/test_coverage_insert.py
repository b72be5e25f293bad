"""Lines added to a mapping file: everything else stays as it was."""

from __future__ import annotations

from pathlib import Path

import pytest

from connector.coverage.insert import FileVersion, insert, with_lines
from connector.coverage.suggest import Suggestion
from connector.errors import ConnectorError, UsageError
from connector.mapping.yamlfile import read_document
from tests.unit.coverage.conftest import Warehouse

CASES = {
    "behind the last field": (
        "kind: users  # who\nfields:\n  uid: id   # key\n  # about age\n  a: b\n\n# end\n",
        "kind: users  # who\nfields:\n  uid: id   # key\n  # about age\n  a: b\n  x: y\n\n# end\n",
    ),
    "before what follows": (
        "fields:\n    uid: id # key\ntable: t\n",
        "fields:\n    uid: id # key\n    x: y\ntable: t\n",
    ),
    "in braces": ("fields: {uid: id, a: b}  # all\n", "fields: {uid: id, a: b, x: y}  # all\n"),
    "in empty braces": ("fields: {}\n", "fields: {x: y}\n"),
    "in braces with a comma at the end": (
        "fields: {\n  uid: id,\n}\ntable: t\n",
        "fields: {\n  uid: id, x: y}\ntable: t\n",
    ),
    "behind a block": (
        "fields:\n  uid: |\n    case\n      id\n    end\n\ntable: t\n",
        "fields:\n  uid: |\n    case\n      id\n    end\n  x: y\n\ntable: t\n",
    ),
    "behind a long form": (
        "fields:\n  a:\n    expr: b\n    type: number\ntable: t\n",
        "fields:\n  a:\n    expr: b\n    type: number\n  x: y\ntable: t\n",
    ),
    "in braces within braces": (
        "fields: {a: {expr: '}', type: string}} # }\n",
        "fields: {a: {expr: '}', type: string}, x: y} # }\n",
    ),
    "behind a list in a long form": (
        "fields:\n  a:\n    value:\n      - b # }\n\n  # c\ntable: t\n",
        "fields:\n  a:\n    value:\n      - b # }\n  x: y\n\n  # c\ntable: t\n",
    ),
    "without a line break at the end": ("fields:\n  uid: id", "fields:\n  uid: id\n  x: y"),
    "with Windows line breaks": (
        "fields:\r\n  uid: id\r\ntable: t\r\n",
        "fields:\r\n  uid: id\r\n  x: y\r\ntable: t\r\n",
    ),
}


@pytest.mark.parametrize(("before", "after"), CASES.values(), ids=CASES)
def test_a_line_is_added(tmp_path: Path, before: str, after: str) -> None:
    file = tmp_path / "m.yaml"
    file.write_bytes(before.encode())
    document, _ = read_document(file)
    assert document is not None
    written = with_lines(before, ["x: y"])
    assert written == after
    file.write_bytes(written.encode())
    again, problems = read_document(file)
    assert again is not None
    assert problems == []
    assert again.data["fields"] == {**document.data["fields"], "x": "y"}


def _suggestion(expression: str) -> Suggestion:
    return Suggestion("age", None, "age", expression, None, ("years",), 1.0, False)


def test_a_file_that_changed_is_left_alone(warehouse: Warehouse) -> None:
    file = warehouse.users("SELECT 1 AS id, 30 AS years", "uid: id")
    project = warehouse.files.load()
    mapping = project.mapping("users")
    seen = FileVersion.of(mapping)
    file.write_text(file.read_text() + "# mine\n")
    with pytest.raises(UsageError, match="was changed meanwhile"):
        insert(project, mapping, seen, [_suggestion("years")])
    assert file.read_text().endswith("# mine\n")


def test_a_line_that_would_not_be_valid_is_taken_back(warehouse: Warehouse) -> None:
    file = warehouse.users("SELECT 1 AS id, 30 AS years", "uid: id")
    before = file.read_bytes()
    project = warehouse.files.load()
    mapping = project.mapping("users")
    with pytest.raises(ConnectorError, match="no column"):
        insert(project, mapping, FileVersion.of(mapping), [_suggestion("no_such_column")])
    assert file.read_bytes() == before


def test_a_valid_line_is_kept_with_the_rights_of_the_file(warehouse: Warehouse) -> None:
    file = warehouse.users("SELECT 1 AS id, 30 AS years", "uid: id")
    file.chmod(0o640)
    project = warehouse.files.load()
    mapping = project.mapping("users")
    insert(project, mapping, FileVersion.of(mapping), [_suggestion("years")])
    assert file.read_text().endswith("fields:\n  uid: id\n  age: years\n")
    assert file.stat().st_mode & 0o777 == 0o640
    assert {each.name for each in file.parent.iterdir()} == {"project.yaml", "users.yaml"}

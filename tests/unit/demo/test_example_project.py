"""The example project at the root and the starter: every expression runs over the real columns."""

from pathlib import Path
from typing import Any

import duckdb
import pytest
import yaml

from connector.demo.generate import generate
from connector.errors import UsageError
from connector.starter import TEMPLATES, write_starter

ROOT = Path(__file__).parents[3]
EXAMPLE = sorted(path for path in (ROOT / "mappings").glob("*.yaml") if path.stem != "project")


@pytest.fixture(scope="module")
def warehouse(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("example") / "warehouse.duckdb"
    generate(path)
    return path


def read(mapping: dict[str, Any]) -> str:
    relation = f"({mapping['query']})" if "query" in mapping else mapping["table"]
    return f"from {relation} where {mapping.get('where', 'true')}"


def expressions(mapping: dict[str, Any]) -> dict[str, str]:
    """Everything in a mapping that is an expression, by where it stands."""
    found = {}
    for name, value in mapping["fields"].items():
        if isinstance(value, str):
            found[name] = value
        elif "expr" in value:
            found[name] = value["expr"]
    if isinstance(mapping.get("type"), dict):
        found["type"] = mapping["type"]["expr"]
    for section in ("deletes", "consent"):
        for key, value in mapping.get(section, {}).items():
            if key.endswith("when"):
                found[f"{section}.{key}"] = value
    return found


@pytest.mark.parametrize("path", EXAMPLE, ids=lambda path: path.stem)
def test_expressions_run_over_the_generated_columns_and_yield_values(
    path: Path, warehouse: Path
) -> None:
    mapping = yaml.safe_load(path.read_text())
    with duckdb.connect(warehouse, read_only=True) as connection:
        for place, sql in expressions(mapping).items():
            (filled,) = connection.execute(f"select count({sql}) {read(mapping)}").fetchall()[0]
            assert filled > 0 or place == "deletes.hard_when", place


def test_cleaning_leaves_no_mess_in_what_is_sent(warehouse: Path) -> None:
    mapping = yaml.safe_load((ROOT / "mappings/users.yaml").read_text())
    fields = expressions(mapping)
    with duckdb.connect(warehouse, read_only=True) as connection:

        def values(field: str) -> set[object]:
            sql = f"select distinct {fields[field]} {read(mapping)}"
            return {row[0] for row in connection.execute(sql).fetchall()}

        assert values("loyalty_tier") == {"bronze", "silver", "gold", "platinum", None}
        assert values("gender") == {"f", "m", "x", None}
        assert len(values("country")) == 13
        assert values("age") <= {None, *range(18, 83)}


def test_folding_copies_leaves_every_click_once(warehouse: Path) -> None:
    mapping = yaml.safe_load((ROOT / "mappings/clicks.yaml").read_text())
    with duckdb.connect(warehouse, read_only=True) as connection:
        total, distinct = connection.execute(
            f"select count(*), count(distinct event_id) {read(mapping)}"
        ).fetchall()[0]
        copies = connection.execute("select count(*) from analytics.clicks").fetchall()[0][0]
    assert total == distinct < copies


def test_the_starter_is_the_beginning_of_the_example_word_for_word(tmp_path: Path) -> None:
    write_starter(tmp_path)
    for name in TEMPLATES:
        if name.startswith("mappings/"):
            assert (tmp_path / name).read_bytes() == (ROOT / name).read_bytes(), name


def test_the_starter_is_complete_and_its_data_are_there(tmp_path: Path) -> None:
    written = write_starter(tmp_path / "new" / "project")
    assert [str(path.relative_to(tmp_path / "new/project")) for path in written] == [
        "mappings/project.yaml",
        "mappings/users.yaml",
        "mappings/clicks.yaml",
        ".gitignore",
        "README.md",
        "data/warehouse.duckdb",
    ]
    assert ".connector/" in written[3].read_text().splitlines()
    with duckdb.connect(written[-1], read_only=True) as connection:
        for path in written[1:3]:
            mapping = yaml.safe_load(path.read_text())
            for sql in expressions(mapping).values():
                assert connection.execute(f"select {sql} {read(mapping)} limit 1").fetchall()


def test_a_starter_never_overwrites_and_then_writes_nothing(tmp_path: Path) -> None:
    (tmp_path / "README.md").write_text("mine")
    with pytest.raises(UsageError, match=r"README\.md: already there") as refused:
        write_starter(tmp_path)
    assert refused.value.hint
    assert [path.name for path in tmp_path.iterdir()] == ["README.md"]
    assert (tmp_path / "README.md").read_text() == "mine"

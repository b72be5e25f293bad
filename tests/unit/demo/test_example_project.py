"""The example project at the root and the starter: every expression runs over the real columns."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import duckdb
import pytest

from connector.demo.generate import generate
from connector.demo.warehouse import count
from connector.errors import ConfigError, UsageError
from connector.mapping.expression import Parser
from connector.mapping.mapping import Expression, Mapping
from connector.project import Project, load_project
from connector.source.base import Relation
from connector.source.open import open_source
from connector.starter import TEMPLATES, write_starter

ROOT = Path(__file__).parents[3]
NAMES = sorted(path.stem for path in (ROOT / "mappings").glob("*.yaml") if path.stem != "project")
NEVER_AT_FIRST = "hard_when"


@pytest.fixture(scope="module")
def example(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """The example project, in a place of its own and with generated data, nothing else set."""
    folder = tmp_path_factory.mktemp("example")
    shutil.copytree(ROOT / "mappings", folder / "mappings")
    generate(folder / "data/warehouse.duckdb")
    return load_project(folder / "mappings", environment={})


@contextmanager
def rows_of(project: Project, mapping: Mapping) -> Iterator[duckdb.DuckDBPyConnection]:
    """A connection whose view `rows` is what the source yields for the mapping."""
    source = open_source(project.source(mapping.source))
    relation = Relation(table=mapping.table, query=mapping.query, where=mapping.where)
    with source.read(relation) as batches, duckdb.connect() as connection:
        connection.register("rows", batches.read_all())
        yield connection
    source.close()


def expressions(mapping: Mapping) -> dict[str, str]:
    """Everything in a mapping that is an expression, by where it stands."""
    found = {field.name: field.value for field in mapping.fields}
    rules = {
        "type": mapping.event_type,
        "soft_when": mapping.deletes.soft_when,
        NEVER_AT_FIRST: mapping.deletes.hard_when,
        "consent": mapping.consent and mapping.consent.when,
    }
    return {
        place: value.sql
        for place, value in (found | rules).items()
        if isinstance(value, Expression)
    }


def values(connection: duckdb.DuckDBPyConnection, sql: str) -> list[object]:
    return [row[0] for row in connection.table("rows").project(sql).fetchall()]


@pytest.mark.parametrize("name", NAMES)
def test_every_expression_runs_over_what_the_source_yields_and_finds_values(
    example: Project, name: str
) -> None:
    mapping = example.mapping(name)
    with rows_of(example, mapping) as connection:
        parser = Parser(connection.cursor())
        for place, sql in expressions(mapping).items():
            parser.parse(sql)
            found = {str(value) for value in values(connection, sql)} - {"None"}
            assert found, place
            assert (found == {"False"}) == (place == NEVER_AT_FIRST), place


def test_the_example_says_nothing_that_is_worth_a_warning_and_needs_no_variable(
    example: Project,
) -> None:
    assert example.select()[0].name == "users"
    assert sorted(mapping.name for mapping in example.mappings) == NAMES
    assert example.warnings == ()
    assert example.target().name == "sandbox"


def test_only_production_asks_for_a_key(example: Project) -> None:
    with pytest.raises(ConfigError, match="SEQUEN_API_KEY"):
        example.target("production")


def test_mappings_read_as_many_rows_as_the_demo_counts(example: Project) -> None:
    settings = example.source("warehouse")
    with duckdb.connect(settings.path, read_only=True) as connection:
        counts = count(connection)
    for mapping in example.mappings:
        table = "dim_users" if mapping.name == "users" else mapping.name
        with rows_of(example, mapping) as connection:
            assert len(values(connection, "1")) == counts[table].read, mapping.name


def test_cleaning_leaves_no_mess_in_what_is_sent(example: Project) -> None:
    mapping = example.mapping("users")
    fields = expressions(mapping)
    with rows_of(example, mapping) as connection:
        assert set(values(connection, fields["loyalty_tier"])) == {
            "bronze", "silver", "gold", "platinum", None,
        }  # fmt: skip
        assert set(values(connection, fields["gender"])) == {"f", "m", "x", None}
        assert len(set(values(connection, fields["country"]))) == 13
        assert set(values(connection, fields["age"])) <= {None, *range(18, 83)}


def test_some_clicks_are_there_twice_and_those_are_exact_copies(example: Project) -> None:
    with rows_of(example, example.mapping("clicks")) as connection:
        ids = values(connection, "event_id")
        rows = connection.execute("SELECT count(*) FROM (SELECT DISTINCT * FROM rows)").fetchall()
    assert len(ids) > len(set(ids)) == rows[0][0]


def test_the_starter_is_the_beginning_of_the_example_word_for_word(tmp_path: Path) -> None:
    write_starter(tmp_path)
    for name in TEMPLATES:
        if name.startswith("mappings/"):
            assert (tmp_path / name).read_bytes() == (ROOT / name).read_bytes(), name


def test_the_starter_is_complete_and_loads_over_data_of_its_own(tmp_path: Path) -> None:
    folder = tmp_path / "new" / "project"
    written = write_starter(folder)
    assert [str(path.relative_to(folder)) for path in written] == [
        "mappings/project.yaml",
        "mappings/users.yaml",
        "mappings/clicks.yaml",
        ".gitignore",
        "README.md",
        "data/warehouse.duckdb",
    ]
    assert ".connector/" in written[3].read_text().splitlines()
    starter = load_project(folder / "mappings", environment={})
    assert starter.warnings == ()
    for mapping in starter.mappings:
        with rows_of(starter, mapping) as connection:
            for sql in expressions(mapping).values():
                assert len(values(connection, sql)) > 100


def test_a_starter_never_overwrites_and_then_writes_nothing(tmp_path: Path) -> None:
    (tmp_path / "README.md").write_text("mine")
    with pytest.raises(UsageError, match=r"README\.md: already there") as refused:
        write_starter(tmp_path)
    assert refused.value.hint
    assert [path.name for path in tmp_path.iterdir()] == ["README.md"]
    assert (tmp_path / "README.md").read_text() == "mine"

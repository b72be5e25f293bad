"""Whatever stands in the files, loading ends in a project or in a ConfigError that can be shown."""

import tempfile
from pathlib import Path
from typing import Any

import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from connector.errors import Place, Problem
from connector.excerpt import excerpt
from connector.mapping.models import EventsFile, FieldRule, RecommendationsFile, UsersFile
from connector.projectfile import ProjectFile, TargetRule
from connector.projectsources import FilesSource
from tests.support.project_folder import PROJECT, ProjectFolder

MODELS = (UsersFile, EventsFile, RecommendationsFile, FieldRule)
PROJECT_MODELS = (FilesSource, TargetRule)
NESTED = ["uid", "id", "missing", "guards", "max_deletes", "when", "keep", "deletes", "burst"]
ODD = ["", "0)", "é\n", "a b", "\x1b[31m"]
TEXTS = ["users", "events", "click", "user_id", "warehouse", "3 days", "files", "http://localhost"]
VARIABLES = ["${HOME}", "${UNSET}", "${", "${A:-b}", "$${x}"]


def keys(*models: Any) -> st.SearchStrategy[str]:
    return st.sampled_from(sorted({name for each in models for name in each.model_fields}))


KEYS = st.one_of(keys(*MODELS, *PROJECT_MODELS), st.sampled_from(NESTED + ODD))
SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    st.dates(),
    st.text(max_size=8),
    st.sampled_from(TEXTS + VARIABLES),
)
VALUES = st.recursive(
    SCALARS,
    lambda below: st.lists(below, max_size=3) | st.dictionaries(KEYS, below, max_size=4),
    max_leaves=12,
)
CHARACTERS = "{}[]:,-?|>&*!%@`#'\"\\\t\r\n \u2028\ufeff\x00é"
WORDS = ["kind: users\n", "fields:\n", "  uid: x\n", "- ", ": ", "--- ", "...", "<<", "&a ", "*a"]
ESCAPES = ["!!python/object", "\\U00110000", "\\ud800"]
PIECES = st.sampled_from([*CHARACTERS, *WORDS, *ESCAPES])


def check(project: bytes, mapping: bytes) -> None:
    """Load the two files: `mistakes` lets anything but a ConfigError through."""
    with tempfile.TemporaryDirectory() as parent:
        folder = ProjectFolder(Path(parent))
        folder.write("project.yaml", project)
        file = folder.write("m.yaml", mapping)
        for mistake in folder.mistakes({"HOME": "h"}):
            assert mistake.isprintable()
            assert len(mistake) < 2000
        shown = excerpt(Problem(Place(file, 1, 1), "a problem in the first line"))
        assert shown is None or len(shown.split("\n")) == 2


def dumped(data: Any) -> bytes:
    return yaml.safe_dump(data, allow_unicode=True).encode("utf-8", "surrogatepass")


@settings(deadline=None)
@given(st.lists(PIECES | st.text(max_size=4), max_size=25).map("".join))
def test_any_text_is_a_project_or_a_config_error(text: str) -> None:
    content = text.encode("utf-8", "surrogatepass")
    check(PROJECT.encode(), content)
    check(content, b"kind: users")


@settings(deadline=None)
@given(st.binary(max_size=60))
def test_any_bytes_are_a_project_or_a_config_error(content: bytes) -> None:
    check(PROJECT.encode(), content)


@settings(deadline=None)
@given(
    st.dictionaries(keys(*MODELS), VALUES, max_size=8),
    st.sampled_from(["users", "events", "recommendations"]),
)
def test_any_values_in_a_mapping_are_one_or_a_config_error(data: dict[str, Any], kind: str) -> None:
    check(PROJECT.encode(), dumped({"source": "warehouse", "fields": {"uid": "x"}, **data}))
    check(PROJECT.encode(), dumped({**data, "kind": kind}))


@settings(deadline=None)
@given(
    st.dictionaries(
        keys(ProjectFile),
        VALUES | st.dictionaries(KEYS, st.dictionaries(keys(*PROJECT_MODELS), VALUES, max_size=5)),
        max_size=6,
    )
)
def test_any_values_in_project_yaml_are_a_project_or_a_config_error(data: dict[str, Any]) -> None:
    check(dumped(data), b"kind: users")

"""`${VAR}` in mapping files and what it becomes."""

import pytest

from connector.errors import ConfigError
from tests.support.project_folder import ProjectFolder

MAPPING = """\
kind: recommendations
source: warehouse
table: t
model_id: m
fields: {user_id: u, item_ids: i}
"""


@pytest.mark.parametrize(
    ("written", "environment", "meant"),
    [
        ("${A}", {"A": "x"}, "x"),
        ("a ${A} ${B}", {"A": "x", "B": "y"}, "a x y"),
        ("${A:-fallback}", {}, "fallback"),
        ("${A:-fallback}", {"A": ""}, "fallback"),
        ("${A:-fallback}", {"A": "x"}, "x"),
        ("a${A:-}", {}, "a"),
        ("$${A}", {}, "${A}"),
        ("$A $1 $$ $", {}, "$A $1 $$ $"),
        ("${A}", {"A": "${B}"}, "${B}"),
        ("${A}", {"A": "x: y\n- &z"}, "x: y\n- &z"),
    ],
)
def test_variables_are_expanded_after_the_yaml_is_parsed(
    folder: ProjectFolder, written: str, environment: dict[str, str], meant: str
) -> None:
    folder.write("m.yaml", MAPPING + f'where: "{written}"\n')
    assert folder.load(environment).mapping("m").where == meant


def test_a_variable_is_read_as_a_number_where_one_is_asked_for(folder: ProjectFolder) -> None:
    folder.write("m.yaml", MAPPING + 'limit: "${LIMIT}"\nname: "${NAME}"\n')
    mapping = folder.load({"LIMIT": "10", "NAME": "123"}).mapping("123")
    assert mapping.recommendation is not None
    assert mapping.recommendation.limit == 10
    assert folder.mistakes({"LIMIT": "ten", "NAME": "n"}) == [
        "m.yaml:6:9: 'limit' must be a whole number"
    ]


def test_a_number_in_quotes_is_not_a_number(folder: ProjectFolder) -> None:
    folder.write("m.yaml", MAPPING + 'limit: "10"\n')
    assert folder.mistakes() == ["m.yaml:6:9: 'limit' must be a whole number"]


def test_an_unset_variable_matters_only_when_its_mapping_is_chosen(folder: ProjectFolder) -> None:
    folder.write("fine.yaml", MAPPING)
    folder.write("unset.yaml", MAPPING + 'limit: "${LIMIT}"\nwhere: |\n  a = 1\n  and b = ${B}\n')
    project = folder.load()
    assert [mapping.name for mapping in project.select(["fine"])] == ["fine"]
    with pytest.raises(ConfigError) as caught:
        project.select()
    assert [str(problem) for problem in caught.value.problems] == [
        "mappings/unset.yaml:6:9: the environment variable LIMIT is not set;"
        " set it, or give a default: ${LIMIT:-…}",
        "mappings/unset.yaml:9:11: the environment variable B is not set;"
        " set it, or give a default: ${B:-…}",
    ]
    with pytest.raises(ConfigError):
        project.mapping("unset")


def test_a_mapping_whose_kind_is_not_known_yet_is_an_error(folder: ProjectFolder) -> None:
    folder.write("m.yaml", MAPPING.replace("kind: recommendations", 'kind: "${KIND}"'))
    assert folder.mistakes() == [
        "m.yaml:1:8: the environment variable KIND is not set;"
        " set it, or give a default: ${KIND:-…}"
    ]
    assert not folder.mistakes({"KIND": "recommendations"})


def test_braces_that_name_no_variable_are_explained(folder: ProjectFolder) -> None:
    folder.write("m.yaml", MAPPING + 'where: "a ${1} ${A"\n')
    with pytest.raises(ConfigError, match=r"m\.yaml:6:11: '\$\{' begins no variable"):
        folder.load().mapping("m")


def test_the_value_of_a_variable_is_in_no_message(folder: ProjectFolder) -> None:
    folder.write(
        "m.yaml",
        'kind: "${S}"\n' + MAPPING.partition("\n")[2] + 'limit: "${S}"\non_invalid: "${S}"\n',
    )
    folder.write(
        "n.yaml",
        MAPPING.replace("source: warehouse", 'source: "${S}"')
        + 'schedule: "${S}"\nversion: ${S}\n',
    )
    found = folder.mistakes({"S": "hunter2"})
    assert len(found) >= 4
    assert "hunter2" not in "\n".join(found)

"""The JSON Schema of the YAML files says what the models say."""

import json
from typing import Any

import pytest
import yaml

from connector.mapping.models import FILES
from connector.mapping.rules import Kind
from connector.mapping.schema import DRAFT, mapping_schema
from connector.projectfile import ProjectFile, project_schema
from tests.support.project_folder import PROJECT
from tests.unit.mapping_yaml.examples import CLICKS, MANY_TYPES, RECOMMENDATIONS, USERS


def accepts(schema: dict[str, Any], root: dict[str, Any], value: Any) -> bool:
    """Enough of JSON Schema to tell right files from wrong ones."""
    if "$ref" in schema and not accepts(root["$defs"][schema["$ref"].split("/")[-1]], root, value):
        return False
    for several in ("anyOf", "oneOf"):
        if several in schema:
            fitting = [accepts(each, root, value) for each in schema[several]]
            if not (any(fitting) if several == "anyOf" else sum(fitting) == 1):
                return False
    if "const" in schema and value != schema["const"]:
        return False
    if "enum" in schema and value not in schema["enum"]:
        return False
    kinds = {
        "object": dict, "array": list, "string": str, "boolean": bool, "null": type(None),
        "integer": int, "number": (int, float),
    }  # fmt: skip
    if "type" in schema and not isinstance(value, kinds[schema["type"]]):
        return False
    return not isinstance(value, dict) or accepts_object(schema, root, value)


def accepts_object(schema: dict[str, Any], root: dict[str, Any], value: dict[str, Any]) -> bool:
    properties = schema.get("properties", {})
    rest = schema.get("additionalProperties", True)
    if set(schema.get("required", ())) - set(value):
        return False
    for key, below in value.items():
        if key in properties:
            fits = accepts(properties[key], root, below)
        else:
            fits = accepts(rest, root, below) if isinstance(rest, dict) else rest
        if not fits:
            return False
    return True


@pytest.mark.parametrize("text", [USERS, CLICKS, MANY_TYPES, RECOMMENDATIONS])
def test_the_examples_fit_the_schema(text: str) -> None:
    schema = mapping_schema()
    example = yaml.safe_load(text)
    assert accepts(schema, schema, example)
    assert not accepts(schema, schema, {**example, "kind": "other"})
    assert not accepts(schema, schema, {**example, "unknown": 1})
    assert not accepts(schema, schema, {**example, "max_reject_percent": [1]})
    assert not accepts(schema, schema, {"kind": example["kind"]})


def test_the_project_fits_its_schema() -> None:
    schema = project_schema()
    example = yaml.safe_load(PROJECT)
    assert accepts(schema, schema, example)
    example["targets"]["sandbox"]["max_in_flight"] = "${FLIGHT}"
    assert accepts(schema, schema, example)
    example["sources"]["files"]["type"] = "unknown"
    assert not accepts(schema, schema, example)


@pytest.mark.parametrize("schema", [mapping_schema(), project_schema()])
def test_schemas_are_plain_json_of_the_current_draft_and_name_every_part(
    schema: dict[str, Any],
) -> None:
    assert schema["$schema"] == DRAFT
    assert json.loads(json.dumps(schema)) == schema
    definitions = schema["$defs"]
    refs = {part.split('"')[0] for part in json.dumps(schema).split('"#/$defs/')[1:]}
    assert refs <= set(definitions)


@pytest.mark.parametrize("kind", list(Kind))
def test_every_key_of_a_mapping_is_described(kind: Kind) -> None:
    model = FILES[kind]
    properties = mapping_schema()["$defs"][model.__name__]["properties"]
    assert set(properties) == set(model.model_fields)
    assert all(each.get("description") or "$ref" in each for each in properties.values())


def test_every_key_of_a_project_is_described() -> None:
    properties = project_schema()["properties"]
    assert set(properties) == set(ProjectFile.model_fields)
    assert all(each.get("description") or "$ref" in each for each in properties.values())

"""JSON Schema of the YAML files, for editors that complete and check while one types."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import BaseModel, Field, TypeAdapter

from connector.mapping.models import AnyFile
from connector.mapping.validation import NULLABLE

DRAFT = "https://json-schema.org/draft/2020-12/schema"
_VARIABLE = {"type": "string", "pattern": r"\$\{", "description": "A variable."}


def mapping_schema() -> dict[str, Any]:
    """The JSON Schema (draft 2020-12) of a mapping file; `kind` decides which keys there are."""
    adapter: TypeAdapter[Any] = TypeAdapter(Annotated[AnyFile, Field(discriminator="kind")])
    return _finished(adapter.json_schema(mode="validation"), "A mapping")


def model_schema(model: type[BaseModel], title: str) -> dict[str, Any]:
    """The JSON Schema of a file that is one model, in the same manner."""
    return _finished(model.model_json_schema(mode="validation"), title)


def _finished(schema: dict[str, Any], title: str) -> dict[str, Any]:
    cleaned: dict[str, Any] = _cleaned(schema, "")
    cleaned.pop("title", None)
    return {"$schema": DRAFT, "title": title, **cleaned}


def _cleaned(schema: Any, name: str) -> Any:
    """A schema as people write the files: no null where a key is left out instead, and a variable
    wherever a number or a boolean may stand."""
    if isinstance(schema, list):
        return [_cleaned(each, name) for each in schema]
    if not isinstance(schema, dict):
        return schema
    result: dict[str, Any] = {}
    for key, value in schema.items():
        if key in ("properties", "$defs"):
            result[key] = {each: _cleaned(below, each) for each, below in value.items()}
        elif key == "anyOf":
            result |= _alternatives(value, name)
        elif not (key == "title" or (key == "default" and value is None)):
            result[key] = _cleaned(value, name)
    return _or_variable(result)


def _alternatives(schemas: list[dict[str, Any]], name: str) -> dict[str, Any]:
    written = [each for each in schemas if name in NULLABLE or each != {"type": "null"}]
    if any(each.get("type") == "string" for each in written):  # a variable is text, like any other
        return {"anyOf": written} if len(written) > 1 else written[0]
    cleaned = [_cleaned(each, name) for each in written]
    return {"anyOf": cleaned} if len(cleaned) > 1 else dict(cleaned[0])


def _or_variable(schema: dict[str, Any]) -> dict[str, Any]:
    if schema.get("type") not in ("integer", "number", "boolean"):
        return schema
    about = ("description", "default")
    result: dict[str, Any] = {key: schema[key] for key in about if key in schema}
    rest = {key: value for key, value in schema.items() if key not in about}
    return {**result, "anyOf": [rest, _VARIABLE]}

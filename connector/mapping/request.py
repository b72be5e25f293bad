"""A recommendation request: the rules on its row, and the members of its JSON object."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping

from connector.mapping.canonical import Check
from connector.mapping.conversion import as_json
from connector.mapping.fields import TypedField, subject_check
from connector.mapping.mapping import Mapping as MappingFile
from connector.sql import identifier, literal

_IDENTITIES = ("user_id", "session_id")


def checks(fields: Mapping[str, TypedField]) -> list[tuple[str, Check]]:
    """What a row must have to be a request, over its canonical fields."""
    found: list[tuple[str, Check]] = []
    if "user_id" in fields:
        found.append(("user_id", subject_check(identifier("user_id"))))
    if "session_id" in fields:
        empty = f"{identifier('session_id')} = ''"
        found.append(("session_id", Check(empty, "empty", "a session_id is not empty")))
    given = [name for name in _IDENTITIES if name in fields]
    nobody = " AND ".join(f"{identifier(name)} IS NULL" for name in given)
    message = "a request needs a user_id or a session_id"
    found.append((given[0], Check(nobody, "no_identity", message)))
    name = "items" if "items" in fields else "item_ids"
    none = f"coalesce({_length(name)}, 0) = 0"
    found.append((name, Check(none, "no_items", "a request needs at least one item")))
    if name == "item_ids":
        blank = f"list_contains({identifier(name)}, '')"
        found.append((name, Check(blank, "bad_item", "the id of an item is not empty")))
    return found


def _length(name: str) -> str:
    if name == "items":
        return f"json_array_length({identifier(name)}::JSON)"
    return f"len({identifier(name)})"


def members(mapping: MappingFile, fields: Mapping[str, TypedField]) -> Iterator[str]:
    """SQL of each member of the object, `"name":value`, null where there is none."""
    for name in ("user_id", "session_id", "item_ids", "items"):
        if name in fields:
            yield _member(name, fields[name])
    asked = mapping.recommendation
    if asked is not None:
        settings = {
            "model_id": asked.model_id,
            "model_name": asked.model_name,
            "limit": asked.limit,
        }
        for name, value in settings.items():
            if value is not None:
                yield literal(f"{json.dumps(name)}:{json.dumps(value, ensure_ascii=False)}")
    if "context" in fields:
        yield _member("context", fields["context"])


def _member(name: str, field: TypedField) -> str:
    value = as_json(field.type, identifier(name))
    return f"{literal(json.dumps(name) + ':')} || to_json({value})"

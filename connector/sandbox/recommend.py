"""`POST /v1/recommend`: the documented request schema, the mock models, and a ranking for the rest.

Strict where the documents are: a key they do not name, in the request or in an item, is refused,
so that `{"id": "x", "price": 3}` without `attributes` does not go unnoticed.
"""

from __future__ import annotations

import json
import uuid
from typing import Any, NoReturn
from zlib import crc32

from connector.sandbox.rules import Refusal

REQUEST_KEYS = (
    "user_id",
    "session_id",
    "item_ids",
    "items",
    "model_id",
    "model_name",
    "limit",
    "context",
)

MOCK_IN_ORDER = "test_model_item_200"
MOCK_ERRORS = {
    "test_model_item_400": (400, "bad_request", "the mock model answers 400"),
    "test_model_item_429": (429, "rate_limited", "the mock model answers 429"),
    "test_model_item_503": (503, "unavailable", "the mock model answers 503"),
}

Item = tuple[str, dict[str, Any]]


def recommend(request: dict[str, Any]) -> dict[str, Any]:
    """The answer to one request. Raises `Refusal`: 422, or what a mock model is there to answer."""
    items, model, limit = _checked(request)
    if model in MOCK_ERRORS:
        raise Refusal(*MOCK_ERRORS[model])
    echoes = _echoes(items)
    salt = "" if model == MOCK_IN_ORDER else _salt(request, model)
    answers = [
        _scored(salt, item_id, attributes) | echo
        for (item_id, attributes), echo in zip(items, echoes, strict=True)
    ]
    if model != MOCK_IN_ORDER:
        answers.sort(key=lambda answer: answer["score"], reverse=True)
    return {"rec_id": f"rec_{uuid.uuid4().hex}", "items": answers[:limit]}


def _refuse(field: str, message: str) -> NoReturn:
    raise Refusal(422, "validation_failed", f"{field}: {message}")


def _text(request: dict[str, Any], name: str) -> str | None:
    value = request.get(name)
    if value is not None and (not isinstance(value, str) or not value):
        _refuse(name, "must be a string that is not empty")
    return value


def _checked(request: dict[str, Any]) -> tuple[list[Item], str, int | None]:
    for name in request:
        if name not in REQUEST_KEYS:
            _refuse(name, "is no field of a recommendation request")
    if _text(request, "user_id") is None and _text(request, "session_id") is None:
        _refuse("user_id", "user_id or session_id is required")
    _text(request, "session_id")
    model = _text(request, "model_id") or _text(request, "model_name")
    if model is None:
        _refuse("model_id", "is required")
    limit = request.get("limit")
    if limit is not None and (type(limit) is not int or limit < 1):
        _refuse("limit", "must be an integer of at least 1")
    if not isinstance(request.get("context", {}), dict | None):
        _refuse("context", "must be an object")
    return _items(request), model, limit


def _items(request: dict[str, Any]) -> list[Item]:
    if (request.get("item_ids") is None) == (request.get("items") is None):
        _refuse("item_ids", "exactly one of item_ids and items is required")
    name = "item_ids" if request.get("item_ids") is not None else "items"
    given = request[name]
    if not isinstance(given, list) or not given:
        _refuse(name, "must be an array that is not empty")
    if name == "items":
        return [_item(f"items[{index}]", item) for index, item in enumerate(given)]
    for index, item_id in enumerate(given):
        if not isinstance(item_id, str) or not item_id:
            _refuse(f"item_ids[{index}]", "must be a string that is not empty")
    return [(item_id, {}) for item_id in given]


def _item(place: str, item: object) -> Item:
    if not isinstance(item, dict):
        _refuse(place, "must be an object")
    for name in item:
        if name not in ("id", "attributes"):
            _refuse(f"{place}.{name}", "an item has id and attributes, nothing else")
    item_id = item.get("id")
    if not isinstance(item_id, str) or not item_id:
        _refuse(f"{place}.id", "must be a string that is not empty")
    attributes = item.get("attributes")
    if attributes is None:
        return item_id, {}
    if not isinstance(attributes, dict):
        _refuse(f"{place}.attributes", "must be an object")
    for name, value in attributes.items():
        strings = isinstance(value, list) and all(isinstance(entry, str) for entry in value)
        if not strings and not isinstance(value, str | bool | int | float):
            _refuse(
                f"{place}.attributes.{name}",
                "must be a string, a number, a boolean or an array of strings",
            )
    return item_id, attributes


def _canonical(value: object) -> str:
    return json.dumps(value, sort_keys=True)


def _echoes(items: list[Item]) -> list[dict[str, Any]]:
    """For each item of an id that occurs several times: its attributes that vary in that group."""
    groups: dict[str, list[dict[str, Any]]] = {}
    for item_id, attributes in items:
        groups.setdefault(item_id, []).append(attributes)
    varying: dict[str, set[str]] = {}
    for item_id, group in groups.items():
        names = {name for attributes in group for name in attributes}
        varying[item_id] = {
            name
            for name in names
            if len({_canonical([a[name]]) if name in a else "" for a in group}) > 1
        }
    return [
        {
            name: value
            for name, value in attributes.items()
            if name in varying[item_id] and name not in ("id", "score")
        }
        for item_id, attributes in items
    ]


def _salt(request: dict[str, Any], model: str) -> str:
    return _canonical([model, request.get("user_id"), request.get("session_id")])


def _scored(salt: str, item_id: str, attributes: dict[str, Any]) -> dict[str, Any]:
    """An item with a synthetic score from 0 to 1, the same for the same request."""
    seen = f"{salt}{item_id}{_canonical(attributes)}"
    return {"id": item_id, "score": round(crc32(seen.encode(errors="replace")) / 2**32, 6)}

"""A part of a YAML file against a pydantic model: every mistake in plain words, at its place."""

from __future__ import annotations

import copy
import difflib
import re
import types
from collections.abc import Iterable
from dataclasses import dataclass
from enum import Enum
from typing import Annotated, Any, Generic, Literal, TypeVar, Union, get_args, get_origin

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails, PydanticCustomError

from connector.errors import Problem
from connector.mapping.variables import Expanded
from connector.mapping.yamlfile import Document, KeyPath, Opaque, path_exists

Model = TypeVar("Model", bound=BaseModel)

NULLABLE = frozenset({"max_delete_fraction", "max_deletes", "max_erasures"})
"""Keys where `null` means something: no limit."""


@dataclass(frozen=True, slots=True)
class Reading(Generic[Model]):
    """What came out of a part: the model of all that is right in it (None where that is not enough
    to make one), and what is wrong."""

    model: Model | None
    problems: list[Problem]


def complaint(message: str, hint: str | None = None) -> PydanticCustomError:
    """What a validator of ours raises: words that are shown as they are."""
    context = {"said": message, "hint": hint}
    return PydanticCustomError("said", "{said}", context)


def closest(word: str, known: Iterable[str], cutoff: float = 0.6) -> str | None:
    """The known name that was probably meant."""
    by_folded = {name.casefold(): name for name in known}
    found = difflib.get_close_matches(word.casefold(), by_folded, n=1, cutoff=cutoff)
    return by_folded[found[0]] if found else None


def did_you_mean(word: str, known: Iterable[str]) -> str | None:
    """`did you mean 'fields'?`, or the names there are when they are few, or nothing."""
    names = list(known)
    if meant := closest(word, names):
        return f"did you mean '{meant}'?"
    return f"one of {', '.join(names)}" if 0 < len(names) <= 12 else None


def read_model(
    model: type[Model],
    document: Document,
    data: Any,
    path: KeyPath = (),
    stand_ins: dict[str, Any] | None = None,
) -> Reading[Model]:
    """Validate `data`, which stands at `path` of the document.

    What is wrong is taken out and the rest validated again, so that later checks see as much of the
    file as is right and all mistakes are found at once. `stand_ins` replace required keys that are
    missing. Mistakes in opaque texts are not mistakes yet.
    """
    rest = copy.deepcopy(data)
    problems = _without_value(document, rest, path)
    for attempt in range(10):
        try:
            return Reading(model.model_validate(rest), problems)
        except ValidationError as error:
            details = error.errors(include_url=False)
        for detail in details:
            at = _path(document, path, detail["loc"])
            opaque = isinstance(_get(rest, at[len(path) :]), Opaque)
            empty = detail["type"] == "missing" and at[-1:] == detail["loc"][-1:]
            if attempt == 0 and not opaque and not empty:  # later ones only follow from these
                problems.append(_translate(detail, model, document, rest, path, at))
        for detail in details:
            _take_out(rest, detail, _path(document, path, detail["loc"])[len(path) :], stand_ins)
    return Reading(None, problems)


def _without_value(document: Document, data: Any, path: KeyPath) -> list[Problem]:
    """Keys with nothing behind them, which are removed from `data`."""
    problems: list[Problem] = []
    if isinstance(data, dict):
        for key, value in list(data.items()):
            if value is None and key not in NULLABLE:
                del data[key]
                problems.append(_no_value(document, (*path, key)))
            else:
                problems += _without_value(document, value, (*path, key))
    elif isinstance(data, list):
        for index, value in enumerate(data):
            problems += _without_value(document, value, (*path, index))
    return problems


def _no_value(document: Document, path: KeyPath) -> Problem:
    hint = _COMMA if _in_braces(document, path) else "give it one, or leave the key out"
    name = next((part for part in reversed(path) if isinstance(part, str)), "the list")
    return Problem(document.key(path), f"'{name}' has no value", hint)


def _in_braces(document: Document, path: KeyPath) -> bool:
    start, _ = document.spots[path[:-1]].span
    return document.text[start : start + 1] == "{"


_COMMA = "inside {…} a comma ends the value: put a value that holds one in quotes"


def _path(document: Document, base: KeyPath, location: tuple[str | int, ...]) -> KeyPath:
    """The way in the file to where pydantic was: without the names it gives to alternatives."""
    path = base
    for part in location:
        if (*path, part) in document.spots:
            path = (*path, part)
    return path


def _get(data: Any, path: KeyPath) -> Any:
    for part in path:
        if not path_exists(data, part):
            return None
        data = data[part]
    return data


def _take_out(
    data: Any, detail: ErrorDetails, path: KeyPath, stand_ins: dict[str, Any] | None
) -> None:
    if detail["type"] == "missing":
        missing = str(detail["loc"][-1])
        path = path[:-1] if path[-1:] == (missing,) else path
        if not path and stand_ins and missing in stand_ins:
            data[missing] = stand_ins[missing]
            return
    while path and not path_exists(_get(data, path[:-1]), path[-1]):
        path = path[:-1]
    if path:
        container = _get(data, path[:-1])
        if isinstance(container, dict):
            del container[path[-1]]
        else:
            _take_out(data, {**detail, "type": "list"}, path[:-1], stand_ins)


def _translate(
    detail: ErrorDetails, model: type[BaseModel], document: Document, data: Any, base: KeyPath,
    at: KeyPath,
) -> Problem:  # fmt: skip
    kind = detail["type"]
    context = detail.get("ctx", {})
    name = next((part for part in reversed(at) if isinstance(part, str)), "the file")
    if kind == "said":
        return Problem(document.value(at), context["said"], context["hint"])
    if kind == "missing":
        return Problem(document.key(at), f"'{detail['loc'][-1]}' is missing")
    if kind == "extra_forbidden":
        hint = did_you_mean(name, _known_keys(model, detail["loc"][:-1]))
        if not re.fullmatch(r"[\w-]+", name) and _in_braces(document, at):
            hint = _COMMA
        return Problem(document.key(at), f"unknown key '{name}'", hint)
    if kind in ("union_tag_invalid", "union_tag_not_found"):
        return _wrong_tag(document, at, context, _get(data, at[len(base) :]))
    value = _get(data, at[len(base) :])
    if kind in ("enum", "literal_error"):
        choices = _choices(model, detail["loc"])
        hint = did_you_mean(value, choices) if isinstance(value, str) else None
        message = f"'{name}' must be {_either(choices)}{_not_this(value)}"
        return Problem(document.value(at), message, hint if hint and "mean" in hint else None)
    message, hint = _requirement(kind, context, value)
    return Problem(document.value(at), f"'{name}' must {message}", hint)


_REQUIREMENTS = {
    "string_type": "be text",
    "int_type": "be a whole number",
    "int_from_float": "be a whole number",
    "float_type": "be a number",
    "finite_number": "be a finite number",
    "bool_type": "be true or false",
    "list_type": "be a list",
    "dict_type": "be a mapping of keys to values",
    "model_type": "be a mapping of keys to values",
    "model_attributes_type": "be a mapping of keys to values",
    "greater_than": "be more than {gt:,.15g}",
    "greater_than_equal": "be at least {ge:,.15g}",
    "less_than": "be less than {lt:,.15g}",
    "less_than_equal": "be at most {le:,.15g}",
    "string_too_short": "not be empty",
    "string_pattern_mismatch": "not be empty",
    "too_short": "not be empty",
    "string_too_long": "be at most {max_length:,} characters",
    "too_long": "be at most {max_length:,} entries",
}


def _requirement(kind: str, context: dict[str, Any], value: Any) -> tuple[str, str | None]:
    if kind not in _REQUIREMENTS:
        return f"be something else ({kind.replace('_', ' ')})", None
    hint = None
    if kind == "string_type":
        hint = "put it in quotes"
    elif kind == "list_type" and isinstance(value, str):
        hint = "write [one, another]"
    return _REQUIREMENTS[kind].format(**context), hint


def _wrong_tag(
    document: Document, at: KeyPath, context: dict[str, Any], value: dict[str, Any]
) -> Problem:
    discriminator = context["discriminator"].strip("'")
    if "tag" not in context:
        return Problem(document.key(at), f"'{discriminator}' is missing")
    known = [tag.strip("'") for tag in context["expected_tags"].split(", ")]
    tag = value[discriminator]
    message = f"'{discriminator}' must be {_either(known)}{_not_this(tag)}"
    meant = None if isinstance(tag, Expanded) else closest(str(tag), known)
    hint = f"did you mean '{meant}'?" if meant else None
    return Problem(document.value((*at, discriminator)), message, hint)


def _not_this(value: Any) -> str:
    if isinstance(value, (Expanded, Opaque)) or not isinstance(value, (str, int, float)):
        return ""
    text = str(value).lower() if isinstance(value, bool) else str(value)
    return f", not '{text if len(text) <= 40 else text[:40] + '…'}'"


def _either(choices: list[str]) -> str:
    if len(choices) == 1:
        return f"'{choices[0]}'" if not choices[0].isdigit() else choices[0]
    return f"{', '.join(choices[:-1])} or {choices[-1]}"


def _unwrap(annotation: Any) -> list[Any]:
    """What an annotation may stand for: the alternatives of a union, without decorations."""
    origin = get_origin(annotation)
    if origin is Annotated:
        return _unwrap(get_args(annotation)[0])
    if origin in (Union, types.UnionType):
        return [found for each in get_args(annotation) for found in _unwrap(each)]
    return [annotation]


def _annotations(model: type[BaseModel], location: tuple[str | int, ...]) -> list[Any]:
    """What may stand at a location of a model, by its annotations."""
    here: list[Any] = [model]
    for part in location:
        below: list[Any] = []
        for each in here:
            if isinstance(each, type) and issubclass(each, BaseModel):
                field = each.model_fields.get(str(part))
                below += _unwrap(field.annotation) if field else []
            elif get_origin(each) in (dict, list):
                below += _unwrap(get_args(each)[-1])
        here = below or here  # no step: the name of an alternative
    return here


def _known_keys(model: type[BaseModel], location: tuple[str | int, ...]) -> list[str]:
    models = [each for each in _annotations(model, location) if isinstance(each, type)]
    tag = location[-1] if location else None
    fitting = [each for each in models if issubclass(each, BaseModel)]
    tagged = [each for each in fitting if tag in _tags(each)]
    return [name for each in tagged or fitting for name in each.model_fields]


def _tags(model: type[BaseModel]) -> tuple[Any, ...]:
    field = model.model_fields.get("type")
    return get_args(field.annotation) if field and get_origin(field.annotation) is Literal else ()


def _choices(model: type[BaseModel], location: tuple[str | int, ...]) -> list[str]:
    choices: list[str] = []
    for each in _annotations(model, location):
        if get_origin(each) is Literal:
            choices += [str(choice) for choice in get_args(each)]
        elif isinstance(each, type) and issubclass(each, Enum):
            choices += [str(choice.value) for choice in each]
    return choices

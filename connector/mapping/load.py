"""From one mapping file to a Mapping: read, expand, validate, check."""

from __future__ import annotations

import os
from collections.abc import Mapping as Environment
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

from connector.errors import Place, Problem
from connector.mapping import mapping as plain
from connector.mapping.checks import Subject, find_problems, find_warnings
from connector.mapping.mapping import Constant, Expression, Field, Guards, Mapping, OnInvalid
from connector.mapping.models import (
    FILES,
    AnyFile,
    DeletesRule,
    EventsFile,
    FieldRule,
    GuardsRule,
    MappingFile,
    RecommendationsFile,
    UsersFile,
)
from connector.mapping.rules import Kind
from connector.mapping.validation import closest, did_you_mean, read_model
from connector.mapping.variables import expand, opaque_places
from connector.mapping.yamlfile import Document, KeyPath, Opaque, read_document

_STAND_INS: dict[str, Any] = {"source": "?", "fields": {}, "type": {"value": "?"}}


@dataclass(frozen=True, slots=True)
class Defaults:
    """What project.yaml says for all mappings that do not say otherwise."""

    on_invalid: OnInvalid = OnInvalid.REJECT
    max_reject_percent: float = 1.0
    guards: Guards = field(default_factory=Guards)


@dataclass(frozen=True, slots=True)
class Loaded:
    """What came out of one mapping file.

    `problems` make the project invalid. `unset` are variables of this file that have no value:
    they matter when the mapping is used, not before, and until then it is only good for its name.
    Without a mapping, everything that is wrong is among the problems.
    """

    document: Document | None
    mapping: Mapping | None
    problems: list[Problem] = field(default_factory=list)
    warnings: list[Problem] = field(default_factory=list)
    unset: list[Problem] = field(default_factory=list)


def load_mapping(
    file: Path,
    *,
    root: Path,
    sources: tuple[str, ...] | None,
    environment: Environment[str, str],
    defaults: Defaults = Defaults(),
) -> Loaded:
    """Read one file. `root` is what relative paths in it are relative to; `sources` are the names
    project.yaml knows, None where it could not be read."""
    document, problems = read_document(file)
    if document is None:
        return Loaded(None, None, problems)
    data, unset = expand(document, document.data, (), environment)
    kind, wrong_kind = _kind(document, data)
    problems += wrong_kind
    if kind is None:
        return Loaded(document, None, problems + unset)
    data["kind"] = kind.value
    reading = read_model(FILES[kind], document, data, stand_ins=_STAND_INS)
    problems += [_explain_other_kind(problem, document, kind) for problem in reading.problems]
    if reading.model is None:
        return Loaded(document, None, problems + unset)
    mapping = _Builder(document, root, defaults).mapping(kind, reading.model)
    subject = Subject(document, mapping, sources)
    unknown = opaque_places(document, data)
    problems += [found for found in find_problems(subject) if found.place not in unknown]
    return Loaded(document, mapping, problems, find_warnings(subject), unset)


def _kind(document: Document, data: dict[str, Any]) -> tuple[Kind | None, list[Problem]]:
    """The kind; where it is misspelt, the one that was meant, so that the rest can be judged."""
    known = [kind.value for kind in Kind]
    written = data.get("kind")
    if "kind" not in data:
        return None, [Problem(document.key(()), "'kind' is missing", f"one of {', '.join(known)}")]
    if isinstance(written, Opaque):
        return None, []
    if written in known:
        return Kind(written), []
    place = document.value(("kind",))
    message = "'kind' must be users, events or recommendations"
    if not isinstance(written, str):
        return None, [Problem(place, message)]
    meant = closest(written, known)
    return Kind(meant) if meant else None, [Problem(place, message, did_you_mean(written, known))]


def _explain_other_kind(problem: Problem, document: Document, kind: Kind) -> Problem:
    """A key that another kind has is not misspelt, it is in the wrong file."""
    for key in document.data:
        if problem.place == document.key((key,)) and problem.message.startswith("unknown key"):
            owners = [other for other, model in FILES.items() if key in model.model_fields]
            if owners:
                belongs = " and ".join(owners)
                message = f"'{key}' belongs to {belongs} mappings; this one is of kind {kind}"
                return Problem(problem.place, message)
    return problem


class _Builder:
    """Carries what is said in a model over into the plain values, with their places."""

    def __init__(self, document: Document, root: Path, defaults: Defaults) -> None:
        self.document = document
        self.root = root
        self.defaults = defaults

    def mapping(self, kind: Kind, file: AnyFile) -> Mapping:
        on_invalid = file.on_invalid or self.defaults.on_invalid
        limit = file.max_reject_percent
        return Mapping(
            name=file.name or self.document.file.stem,
            kind=kind,
            place=Place(self.document.file, 1, 1),
            source=file.source,
            fields=self._fields(("fields",), file.fields, on_invalid),
            table=file.table,
            query=file.query,
            where=file.where,
            read_place=self._read_place(file),
            max_reject_percent=self.defaults.max_reject_percent if limit is None else limit,
            schedule=file.schedule,
            tags=tuple(file.tags),
            description=file.description,
            owners=tuple(file.owners),
            **self._sent(file),
            **self._of_kind(file, on_invalid),
        )

    def _read_place(self, file: MappingFile) -> Place | None:
        return self.document.value(("query",) if file.query else ("table",))

    def _sent(self, file: AnyFile) -> dict[str, Any]:
        if isinstance(file, RecommendationsFile):
            return {}
        coverage = file.coverage
        return {
            "engine": file.engine,
            "keep_payload": file.snapshot.keep == "payload",
            "coverage": plain.Coverage(
                coverage.require, coverage.min_fill, tuple(coverage.aliases.items())
            ),
        }

    def _of_kind(self, file: AnyFile, on_invalid: OnInvalid) -> dict[str, Any]:
        if isinstance(file, UsersFile):
            return {"deletes": self._deletes(file), "consent": self._consent(file)}
        if isinstance(file, EventsFile):
            return self._events(file, on_invalid)
        return {"recommendation": self._recommendation(file)}

    def _expression(self, path: KeyPath, sql: str | None) -> Expression | None:
        return Expression(sql, self.document.value(path)) if sql is not None else None

    def _fields(
        self, path: KeyPath, fields: dict[str, FieldRule], on_invalid: OnInvalid
    ) -> tuple[Field, ...]:
        return tuple(
            Field(
                name=name,
                value=self._value((*path, name), rule.expr, rule.value),
                place=self.document.key((*path, name)),
                type=rule.type,
                pii=rule.pii,
                on_invalid=rule.on_invalid or on_invalid,
            )
            for name, rule in fields.items()
        )

    def _value(self, path: KeyPath, expr: str | None, value: Any) -> Expression | Constant:
        """The long form stands a level deeper than the short one."""
        if expr is not None:
            return Expression(expr, self.document.value((*path, "expr")))
        constant = tuple(value) if isinstance(value, list) else value
        return Constant(constant, self.document.value((*path, "value")))

    def _deletes(self, file: UsersFile) -> plain.Deletes:
        rule = file.deletes
        return plain.Deletes(
            missing=rule.missing,
            soft_when=self._expression(("deletes", "soft_when"), rule.soft_when),
            hard_when=self._expression(("deletes", "hard_when"), rule.hard_when),
            erasures=self._erasures(file),
            guards=merge_guards(_guards(rule), self.defaults.guards),
        )

    def _erasures(self, file: UsersFile) -> plain.ErasureFeed | None:
        feed = file.deletes.erasures
        if feed is None:
            return None
        return plain.ErasureFeed(
            source=feed.source or file.source,
            key=feed.key,
            place=self.document.key(("deletes", "erasures")),
            table=feed.table,
            query=feed.query,
        )

    def _consent(self, file: UsersFile) -> plain.Consent | None:
        if file.consent is None:
            return None
        place = self.document.value(("consent", "when"))
        return plain.Consent(Expression(file.consent.when, place), file.consent.otherwise)

    def _events(self, file: EventsFile, on_invalid: OnInvalid) -> dict[str, Any]:
        types = tuple(
            plain.EventType(
                name=name,
                place=self.document.key(("types", name)),
                fields=self._fields(("types", name, "fields"), rule.fields, on_invalid),
                filter=self._expression(("types", name, "filter"), rule.filter),
            )
            for name, rule in file.types.items()
        )
        return {
            "event_type": self._value(("type",), file.type.expr, file.type.value),
            "types": types,
            "cursor": file.cursor,
            "cursor_place": self.document.value(("cursor",)),
            "lookback": file.lookback or timedelta(0),
        }

    def _recommendation(self, file: RecommendationsFile) -> plain.Recommendation:
        write_to = self._write_to(file)
        return plain.Recommendation(file.model_id, file.model_name, file.limit, write_to)

    def _write_to(self, file: RecommendationsFile) -> plain.WriteTo | None:
        rule = file.write_to
        if rule is None:
            return None
        return plain.WriteTo(
            place=self.document.key(("write_to",)),
            table=rule.table,
            source=(rule.source or file.source) if rule.table else None,
            path=os.path.normpath(self.root / rule.path) if rule.path else None,
        )


def _guards(rule: DeletesRule) -> GuardsRule | None:
    return rule.guards if "guards" in rule.model_fields_set else None


def merge_guards(rule: GuardsRule | None, below: Guards) -> Guards:
    """Guards as given, over those of the project, one by one."""
    given = rule.model_dump(include=rule.model_fields_set) if rule else {}
    return Guards(
        max_delete_fraction=given.get("max_delete_fraction", below.max_delete_fraction),
        max_deletes=given.get("max_deletes", below.max_deletes),
        max_erasures=given.get("max_erasures", below.max_erasures),
    )

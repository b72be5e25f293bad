"""What a mapping must be beyond its keys, as far as it can be known without the source.

Presence is judged by what the file says, right or wrong: a field with a mistake in it is not also
reported as missing.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from urllib.parse import quote

from connector.errors import Problem
from connector.mapping import rules
from connector.mapping.mapping import Constant, Expression, Field, Mapping, Pii
from connector.mapping.pii import direct_name_in, looks_direct
from connector.mapping.rules import FieldType, Kind
from connector.mapping.validation import closest
from connector.mapping.yamlfile import Document, KeyPath
from connector.shard import split_name

MAX_NAME = 120
MAX_FILE_NAME_BYTES = 220
"""A name becomes a percent-encoded file name with an ending; file systems stop at 255 bytes."""


@dataclass(frozen=True, slots=True)
class Subject:
    """A mapping under examination, and the file it stands in."""

    document: Document
    mapping: Mapping
    sources: tuple[str, ...] | None

    def has(self, *path: str) -> bool:
        """Whether the file says anything at this place."""
        return path in self.document.spots

    def fields(self) -> frozenset[str]:
        """The names of the shared fields."""
        return self.document.keys(("fields",))

    def field_groups(self) -> Iterator[tuple[KeyPath, tuple[Field, ...]]]:
        """The shared fields and those of every event type, with where they stand."""
        yield ("fields",), self.mapping.fields
        for each in self.mapping.types:
            yield ("types", each.name, "fields"), each.fields

    def at_key(self, path: KeyPath, message: str, hint: str | None = None) -> Problem:
        """A problem with a key."""
        return Problem(self.document.key(path), message, hint)

    def at_value(self, path: KeyPath, message: str, hint: str | None = None) -> Problem:
        """A problem with a value."""
        return Problem(self.document.value(path), message, hint)


def find_problems(subject: Subject) -> list[Problem]:
    """Everything that is wrong."""
    checks = [_name, _reads_from, _fields, _personal_data, *_CHECKS[subject.mapping.kind]]
    return [problem for check in checks for problem in check(subject)]


def find_warnings(subject: Subject) -> list[Problem]:
    """What works, but is probably not meant."""
    mapping = subject.mapping
    no_effect = rules.OVERWRITTEN[mapping.kind]
    found = [
        Problem(field.place, f"'{field.name}' has no effect: {no_effect[field.name]}")
        for field in mapping.fields
        if field.name in no_effect
    ]
    if mapping.kind is Kind.USERS and "country" not in subject.fields():
        message = "no field 'country': it decides which privacy law applies, and improves ranking"
        found.append(subject.at_key(("fields",), message))
    if mapping.kind is Kind.EVENTS:
        found += _event_warnings(subject)
    for attribute, name in mapping.coverage.aliases:
        if not any(name in subject.document.keys(path) for path, _ in subject.field_groups()):
            message = f"'{name}' is no field of this mapping"
            found.append(subject.at_value(("coverage", "aliases", attribute), message))
    return found


def _event_warnings(subject: Subject) -> Iterator[Problem]:
    mapping = subject.mapping
    if "id" not in subject.fields():
        message = "no field 'id': it is derived from the row, so that equal rows are one event"
        yield subject.at_key(("fields",), message)
    types = [(each.name, each.place) for each in mapping.types]
    if isinstance(mapping.event_type, Constant):
        types.append((str(mapping.event_type.value), mapping.event_type.place))
    for name, place in types:
        meant = closest(name, rules.MANDATORY_BY_TYPE, cutoff=0.8)
        if meant and meant != name:
            yield Problem(place, f"'{name}' is a custom event type", f"did you mean '{meant}'?")


def _name(subject: Subject) -> Iterator[Problem]:
    name = subject.mapping.name
    wrong = None
    if not name.isprintable() or name != name.strip():
        wrong = "may hold neither control characters nor spaces at its ends"
    elif name.startswith("."):
        wrong = "may not begin with a dot"
    elif split_name(name)[1] is not None:
        wrong = f"may not end in {name.rpartition(' ')[2]!r}: that is how shards are called"
    elif len(name) > MAX_NAME or len(quote(name, safe=" ")) > MAX_FILE_NAME_BYTES:
        wrong = "is too long: it is also the name of a file"
    if wrong:
        yield subject.at_value(("name",), f"the name of a mapping {wrong}")


def _reads_from(subject: Subject) -> Iterator[Problem]:
    yield from _table_xor_query(subject, ())
    mapping = subject.mapping
    yield from _known_source(subject, ("source",), mapping.source)
    if mapping.deletes.erasures:
        yield from _table_xor_query(subject, ("deletes", "erasures"))
        yield from _known_source(
            subject, ("deletes", "erasures", "source"), mapping.deletes.erasures.source
        )


def _table_xor_query(subject: Subject, path: KeyPath) -> Iterator[Problem]:
    given = subject.document.keys(path) & {"table", "query"}
    if not given:
        yield subject.at_key(path, "nothing to read: give `table:` or `query:`")
    elif len(given) == 2:
        yield subject.at_key((*path, "query"), "both `table:` and `query:`; give one of them")


def _known_source(subject: Subject, path: KeyPath, name: str) -> Iterator[Problem]:
    written = subject.document.get(path)
    if subject.sources is None or not isinstance(written, str):
        return
    if name not in subject.sources:
        meant = closest(name, subject.sources)
        known = ", ".join(sorted(subject.sources)) or "none"
        hint = f"did you mean '{meant}'?" if meant else f"its sources: {known}"
        said = "this" if "${" in written else f"'{name}'"
        yield subject.at_value(path, f"{said} is no source of project.yaml", hint)


def _fields(subject: Subject) -> Iterator[Problem]:
    if not subject.fields() and subject.has("fields"):
        yield subject.at_key(("fields",), "a mapping needs at least one field")
    for _, fields in subject.field_groups():
        for field in fields:
            yield from _field(subject.mapping.kind, field)


def _field(kind: Kind, field: Field) -> Iterator[Problem]:
    if not field.name.strip() or not field.name.isprintable():
        yield Problem(field.place, "a field needs a name without control characters")
    elif why := rules.NEVER_SENT[kind].get(field.name):
        yield Problem(field.place, f"'{field.name}' cannot be mapped: {why}", "leave it out")
    elif kind is Kind.EVENTS and field.name == "type":
        hint = "give the type by the mapping's own `type:`"
        yield Problem(field.place, "'type' is not among the fields", hint)
    else:
        yield from _field_type(kind, field)


def _field_type(kind: Kind, field: Field) -> Iterator[Problem]:
    required = rules.RESERVED[kind].get(field.name)
    if field.type and required and field.type is not required:
        message = f"'{field.name}' is reserved: its type is {required}, not {field.type}"
        yield Problem(field.place, message, "leave `type:` out")
    elif field.type and field.type not in rules.ALLOWED_TYPES[kind]:
        only = "requests for recommendations" if field.type is FieldType.ITEMS else "events"
        message = f"'{field.name}' is an {field.type}, which only {only} may hold"
        yield Problem(field.place, message, "map what is in it as fields of their own")
    elif field.pii in _AS_TEXT and (field.type or required or FieldType.STRING) not in _HASHED:
        message = f"'{field.name}' is of type {field.type or required}, and what {field.pii} sends"
        yield Problem(field.place, f"{message} is text", "declare `type: string`")
    elif field.pii is Pii.REDACT and field.name in _KEYS:
        message = f"'{field.name}' cannot be redacted: it would be the same for every row"
        yield Problem(field.place, message, "`pii: hash` keeps them apart")
    elif isinstance(field.value, Constant):
        yield from _constant(field, field.value, field.type or required)


_AS_TEXT = (Pii.HASH, Pii.REDACT)
_KEYS = frozenset({rules.USER_KEY, rules.EVENT_KEY, *rules.IDENTITIES, "user_id", "session_id"})
_HASHED = (FieldType.STRING, FieldType.RELATION)
_TEXTS = (FieldType.STRING, FieldType.RELATION, FieldType.TIME)


def _constant(field: Field, constant: Constant, required: FieldType | None) -> Iterator[Problem]:
    value = constant.value
    if field.name in ("uid", "id"):
        message = f"'{field.name}' cannot be the same for every row"
        yield Problem(constant.place, message, "name a column, with `expr:`")
        return
    if field.pii:
        yield Problem(constant.place, f"'{field.name}' is a constant, which needs no `pii:`")
    if isinstance(value, bool):
        fits = required in (None, FieldType.BOOLEAN)
    elif isinstance(value, (int, float)):
        fits = required in (None, FieldType.NUMBER)
        if field.name in rules.INTEGER_FIELDS and isinstance(value, float):
            yield Problem(constant.place, f"'{field.name}' must be a whole number")
    elif isinstance(value, str):
        fits = required is None or required in _TEXTS
    else:
        fits = required in (None, FieldType.STRINGS)
    if not fits:
        yield Problem(constant.place, f"'{field.name}' is of type {required}; this value is not")


def _personal_data(subject: Subject) -> Iterator[Problem]:
    for path, fields in subject.field_groups():
        for field in fields:
            said = (*path, field.name, "pii") in subject.document.spots
            if said or not isinstance(field.value, Expression):
                continue
            read = direct_name_in(field.value.sql)
            if read is None and not looks_direct(field.name):
                continue
            what = f"'{field.name}' looks like direct personal data"
            if read is not None and read != field.name:
                what = f"'{field.name}' reads '{read}', which looks like direct personal data"
            yield Problem(field.place, what, "add `pii: hash`, `pii: redact` or `pii: allow`")


def _users(subject: Subject) -> Iterator[Problem]:
    names = subject.fields()
    if subject.has("fields") and "uid" not in names:
        yield subject.at_key(("fields",), "a users mapping needs the field 'uid'")
    if "is_deleted" in names and subject.mapping.deletes.soft_when:
        message = "'is_deleted' is mapped, and `deletes.soft_when` is given; choose one"
        yield subject.at_key(("fields", "is_deleted"), message)


def _events(subject: Subject) -> Iterator[Problem]:
    mapping = subject.mapping
    if not subject.has("fields"):
        return
    everywhere = _fields_of_all_types(subject)
    if "original_timestamp" not in everywhere:
        message = "an events mapping needs the field 'original_timestamp'"
        yield subject.at_key(("fields",), message)
    if not everywhere & set(rules.IDENTITIES):
        message = "an events mapping needs at least one of the fields uid, sid and cid"
        yield subject.at_key(("fields",), message)
    yield from _mandatory_fields(subject)
    if subject.has("lookback") and not subject.has("cursor"):
        message = "`lookback:` needs a `cursor:` to look back from"
        yield subject.at_key(("lookback",), message)
    if isinstance(mapping.event_type, Constant):
        for each in mapping.types:
            if each.name != mapping.event_type.value:
                message = f"no event is a '{each.name}': `type:` is '{mapping.event_type.value}'"
                yield Problem(each.place, message, "read the type from a column: {expr: …}")


def _fields_of_all_types(subject: Subject) -> frozenset[str]:
    own = [subject.document.keys(("types", each.name, "fields")) for each in subject.mapping.types]
    return subject.fields() | (frozenset.intersection(*own) if own else frozenset())


def _mandatory_fields(subject: Subject) -> Iterator[Problem]:
    mapping = subject.mapping
    types = {each.name: each.place for each in mapping.types}
    if isinstance(mapping.event_type, Constant):
        types.setdefault(str(mapping.event_type.value), mapping.event_type.place)
    for name, place in types.items():
        given = subject.fields() | subject.document.keys(("types", name, "fields"))
        for mandatory in rules.MANDATORY_BY_TYPE.get(name, ()):
            if mandatory not in given:
                message = f"an event of type '{name}' needs the field '{mandatory}'"
                meant = closest(mandatory, given, cutoff=0.75)
                yield Problem(place, message, f"'{meant}' is close" if meant else None)


def _recommendations(subject: Subject) -> Iterator[Problem]:
    names = subject.fields()
    if subject.has("fields"):
        for name in sorted(names - set(rules.RECOMMENDATION_FIELDS)):
            known = rules.RECOMMENDATION_FIELDS
            meant = closest(name, known)
            hint = f"did you mean '{meant}'?" if meant else f"one of {', '.join(known)}"
            message = f"'{name}' is no field of a recommendation request"
            yield subject.at_key(("fields", name), message, hint)
        if not names & {"user_id", "session_id"}:
            message = "a recommendations mapping needs the field user_id or session_id, or both"
            yield subject.at_key(("fields",), message)
        if len(names & {"item_ids", "items"}) != 1:
            message = "a recommendations mapping needs exactly one of the fields item_ids and items"
            yield subject.at_key(("fields",), message)
    if subject.has("model_id") == subject.has("model_name"):
        at = ("model_name",) if subject.has("model_name") else ()
        yield subject.at_key(at, "give either `model_id:` or `model_name:`")
    yield from _write_to(subject)


def _write_to(subject: Subject) -> Iterator[Problem]:
    given = subject.document.keys(("write_to",)) & {"table", "path"}
    if subject.has("write_to") and len(given) != 1:
        yield subject.at_key(("write_to",), "`write_to:` needs either `table:` or `path:`")
    elif "path" in given and subject.has("write_to", "source"):
        message = "a file is in no source; leave `source:` out"
        yield subject.at_key(("write_to", "source"), message)
    recommendation = subject.mapping.recommendation
    if recommendation and recommendation.write_to and recommendation.write_to.source:
        yield from _known_source(subject, ("write_to", "source"), recommendation.write_to.source)


def _aliases(subject: Subject) -> Iterator[Problem]:
    attributes = (
        rules.USER_ATTRIBUTES if subject.mapping.kind is Kind.USERS else rules.EVENT_ATTRIBUTES
    )
    known = [attribute.name for attribute in attributes]
    for name, _ in subject.mapping.coverage.aliases:
        if name not in known:
            meant = closest(name, known)
            message = f"'{name}' is no attribute of the coverage report"
            hint = f"did you mean '{meant}'?" if meant else f"one of {', '.join(known)}"
            yield subject.at_key(("coverage", "aliases", name), message, hint)


_CHECKS = {
    Kind.USERS: (_users, _aliases),
    Kind.EVENTS: (_events, _aliases),
    Kind.RECOMMENDATIONS: (_recommendations,),
}

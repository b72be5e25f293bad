"""The chain of SQL that every mapping becomes: evaluated, typed, then scanned or encoded."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from connector.mapping import encode, request, rules
from connector.mapping.canonical import Check
from connector.mapping.fields import TYPE, UNADDRESSABLE, TypedField, column, subject_check
from connector.mapping.layout import indent, lines, select
from connector.mapping.mapping import Constant, Mapping, WithoutConsent
from connector.mapping.rules import Kind
from connector.row import Verdict
from connector.sql import identifier, literal

DERIVED_ID_PREFIX = "c_"
"""Marks an event id that was derived from the row, for want of one in the mapping."""

MAX_SHOWN = 200
"""Characters of a key that cannot be used that are shown."""

_SUBJECTS = {Kind.EVENTS: "uid", Kind.RECOMMENDATIONS: "user_id"}
"""The field that says which user a row speaks of, where that is not its key."""

SOFT, HARD, CONSENT = "$soft", "$hard", "$consent"
"""Columns of the conditions that decide what happens to a row."""

_WITHDRAWN = {
    WithoutConsent.SKIP: Verdict.SKIP,
    WithoutConsent.SOFT: Verdict.WITHDRAWN_SOFT,
    WithoutConsent.HARD: Verdict.WITHDRAWN_HARD,
}


@dataclass(frozen=True, slots=True)
class Violation:
    """A rule that a row may break; the scan names it by its number, counted from 1."""

    code: str
    field: str
    message: str


@dataclass(frozen=True, slots=True)
class Flags:
    """Conditions on a row that decide what happens to it, as SQL that is never null."""

    soft: str | None = None
    hard: str | None = None
    consent: str | None = None
    filters: tuple[tuple[str, str], ...] = ()
    """Event type and the condition under which its rows are events at all."""


class _Rules:
    """Numbers the violations as the SQL that finds them is written."""

    def __init__(self) -> None:
        self.found: list[Violation] = []

    def case(self, checks: list[tuple[str, Check]]) -> str:
        """The number of the first check that fires, or null."""
        whens = []
        for field, check in checks:
            violation = Violation(check.code, field, check.message)
            if violation not in self.found:
                self.found.append(violation)
            whens.append(f"WHEN {check.condition} THEN {self.found.index(violation) + 1}")
        return lines("CASE", whens, "END") if whens else "NULL"


@dataclass(frozen=True, slots=True)
class Chain:
    """The queries of one mapping over a table `source` that has a `rowid`."""

    mapping: Mapping
    fields: dict[str, TypedField]
    flags: Flags
    cursor: TypedField | None
    salt: int
    guarded: bool = False

    @property
    def violations(self) -> tuple[Violation, ...]:
        """What the numbers in the scan's `violation` mean, the first being 1."""
        numbered = _Rules()
        self._typed(numbered)
        self._row_violation(numbered)
        return tuple(numbered.found)

    def scan(self) -> str:
        """SQL of one line a row: row, key, fingerprint, verdict, violation, cursor, subject.

        `key` is null where there is none that could be used; `violation` is a number or null;
        `cursor` is in milliseconds; `subject` is the uid an event or a request speaks of.
        """
        return f"WITH {self._layers()}\n{self._scanned()}"

    def payloads(self, chosen: str) -> str:
        """SQL of the rows of `source` that `chosen` chooses: row, key, payload and digests, and of
        what the scan says of them fingerprint, cursor and subject."""
        said = [(self._fingerprint(), "fingerprint"), *self._told_by()]
        return f"WITH {self._layers(chosen)}\n{self._encoded(*said)}"

    def unkeyed(self, chosen: str) -> str | None:
        """SQL of row and key of those chosen rows whose key no request could name: to be looked at,
        no more, and so cut short. None where a key is derived, and always of use.

        A key that is refused for another reason may be an e-mail address, and is not shown.
        """
        key = self.key_field
        if key is None:
            return None
        codes = [(violation.code, violation.field) for violation in self.violations]
        number = codes.index((UNADDRESSABLE, key)) + 1
        columns = [
            (identifier("$row"), "row"),
            (f"left({identifier(key)}, {MAX_SHOWN})", "key"),
        ]
        where = f"{identifier('$unkeyed')} = {number}"
        return f"WITH {self._layers(chosen)}\n{select(columns, 'typed', where=where)}"

    def types(self, chosen: str) -> str:
        """SQL that counts the events of each type among the chosen rows."""
        name = identifier(TYPE)
        counted = f"SELECT {name}, count(*) FROM typed GROUP BY {name} ORDER BY {name}"  # noqa: S608 - a constant
        return f"WITH {self._layers(chosen)}\n{counted}"

    def cursors(self) -> str:
        """SQL of the cursor of every row, in milliseconds, over a `source` that has its column."""
        if self.cursor is None:
            raise ValueError("the mapping has no cursor")
        columns = [(branch.sql, branch.alias) for branch in self.cursor.branches]
        value = self.cursor.conversion(guarded=False).value
        return f"SELECT {value} AS cursor FROM ({select(columns, 'source')})"  # noqa: S608 - the compiler's own

    def canonical(self) -> str:
        """SQL of every row's canonical fields alone, whatever rules they break."""
        evaluated = select(self._evaluated("NULL"), "source")
        columns = [
            (field.conversion(guarded=self.guarded).value, column(field.name))
            for field in self.fields.values()
        ]
        return f"WITH evaluated AS (\n{indent(evaluated)}\n)\n{select(columns, 'evaluated')}"

    def judged(self) -> str:
        """SQL of every row's canonical fields and, beside them, what the scan says of the row.

        That is in `$key`, `$fingerprint`, `$verdict` and `$violation`. It needs no `rowid`, so that
        `source` may be a view; what a query over it does not use is not computed.
        """
        numbered = _Rules()
        self._typed(numbered)
        usable = f"CASE WHEN {identifier('$unkeyed')} IS NULL THEN {self._key()} END"
        columns = [
            ("*", ""),
            (usable if self.key_field else self._key(), "$key"),
            (self._fingerprint(), "$fingerprint"),
            (self._verdict(), "$verdict"),
            (self._violation(numbered), "$violation"),
        ]
        return f"WITH {self._layers(row='NULL')}\n{select(columns, 'typed')}"

    def preview(self) -> str:
        """One readable query with everything: key, payload, fingerprint, verdict, violation."""
        cases = [
            f"WHEN {number} THEN {{'code': {literal(v.code)}, 'field': {literal(v.field)}, "
            f"'message': {literal(v.message)}}}"
            for number, v in enumerate(self.violations, start=1)
        ]
        violation = lines("CASE s.violation", cases, "END") if cases else "NULL"
        return (
            f"WITH {self._layers()},\n"
            f"scanned AS (\n{indent(self._scanned())}\n),\n"
            f"encoded AS (\n{indent(self._encoded())}\n)\n"
            f"SELECT\n  s.key,\n  e.payload,\n  s.fingerprint,\n  s.verdict,\n"
            f"  {violation} AS violation\n"
            f"FROM scanned AS s\nJOIN encoded AS e ON e.row = s.row"
        )

    def _layers(self, chosen: str | None = None, row: str = "rowid") -> str:
        evaluated = select(self._evaluated(row), "source", where=chosen)
        numbered = _Rules()
        typed = select(self._typed(numbered), "evaluated")
        return f"evaluated AS (\n{indent(evaluated)}\n),\ntyped AS (\n{indent(typed)}\n)"

    def _evaluated(self, row: str) -> Iterator[tuple[str, str]]:
        """The mapping's expressions, as its author wrote them."""
        yield row, "$row"
        everything = [*self.fields.values(), *([self.cursor] if self.cursor else [])]
        for field in everything:
            for branch in field.branches:
                sql = f"TRY(struct_pack(v := {branch.sql}))" if self.guarded else branch.sql
                yield sql, branch.alias
        for alias, condition in self._conditions():
            yield (f"TRY({condition})" if self.guarded else condition), alias

    def _conditions(self) -> Iterator[tuple[str, str]]:
        flags = self.flags
        named = {SOFT: flags.soft, HARD: flags.hard, CONSENT: flags.consent}
        yield from ((alias, sql) for alias, sql in named.items() if sql is not None)
        yield from ((_filter(number, name), sql) for number, (name, sql) in _numbered(flags))

    def _failed_conditions(self) -> Iterator[tuple[str, Check]]:
        """A condition that failed decides nothing: a row must not be deleted for want of one."""
        names = {SOFT: "soft_when", HARD: "hard_when", CONSENT: "consent"}
        for alias, _ in self._conditions() if self.guarded else ():
            failed = f"{identifier(alias)} IS NULL"
            message = "the condition failed"
            yield names.get(alias, "filter"), Check(failed, "expression_failed", message)

    def _typed(self, numbered: _Rules) -> list[tuple[str, str]]:
        """Canonical values, and the number of the first rule that a field breaks."""
        key = self.key_field
        ordered = [self.fields[TYPE]] if TYPE in self.fields else []
        ordered += [field for field in self.fields.values() if field.name != TYPE]
        columns: list[tuple[str, str]] = [(identifier("$row"), "$row")]
        checks: list[tuple[str, Check]] = []
        unusable: list[tuple[str, Check]] = []
        for field in ordered:
            conversion = field.conversion(guarded=self.guarded)
            columns.append((conversion.value, column(field.name)))
            found = [(field.name, check) for check in conversion.checks]
            if field.name == key:
                unusable = found + [(key, check) for check in field.key_checks(conversion.value)]
            else:
                checks += found
        columns.append((numbered.case(unusable), "$unkeyed"))
        checks += self._failed_conditions()
        columns.append((numbered.case(checks), "$broken"))
        if self.cursor is not None:
            columns.append((self.cursor.conversion(guarded=self.guarded).value, "$cursor"))
        columns += [(identifier(alias), alias) for alias, _ in self._conditions()]
        return columns

    @property
    def key_field(self) -> str | None:
        """The field that holds the key; None where it is derived from the row."""
        if self.mapping.kind is Kind.RECOMMENDATIONS:
            return None
        key = rules.USER_KEY if self.mapping.kind is Kind.USERS else rules.EVENT_KEY
        return key if key in self.fields else None

    def _scanned(self) -> str:
        numbered = _Rules()
        self._typed(numbered)
        usable = f"CASE WHEN {identifier('$unkeyed')} IS NULL THEN {self._key()} END"
        return select(
            [
                (identifier("$row"), "row"),
                (usable if self.key_field else self._key(), "key"),
                (self._fingerprint(), "fingerprint"),
                (f"{self._verdict()}::UTINYINT", "verdict"),
                (f"{self._violation(numbered)}::USMALLINT", "violation"),
                *self._told_by(),
            ],
            "typed",
        )

    @property
    def untold(self) -> tuple[str, ...]:
        """Which of cursor and subject are null in every row."""
        return tuple(name for sql, name in self._told_by() if sql.startswith("NULL"))

    def _told_by(self) -> list[tuple[str, str]]:
        """When a row came, and of whom it speaks."""
        subject = _SUBJECTS.get(self.mapping.kind)
        return [
            (identifier("$cursor") if self.cursor else "NULL::BIGINT", "cursor"),
            (identifier(subject) if subject in self.fields else "NULL::VARCHAR", "subject"),
        ]

    @property
    def bare_payload(self) -> str:
        """SQL of the payload that soft-deletes `key` when its row is no longer there.

        What was last acknowledged goes along where it was `kept`, so that the platform has the same
        fields whether it merges an upsert or replaces by it.
        """
        bare = "to_json({'uid': key, 'is_deleted': true})"
        whole = """json_merge_patch(kept, '{"is_deleted":true}')"""
        return f"CASE WHEN kept IS NULL THEN {bare} ELSE {whole} END::VARCHAR"

    def _encoded(self, *more: tuple[str, str]) -> str:
        return select(
            [
                (identifier("$row"), "row"),
                (self._key(), "key"),
                (self._payload(), "payload"),
                (self._digests(), "digests"),
                *more,
            ],
            "typed",
        )

    @property
    def digested(self) -> tuple[str, ...]:
        """The fields that the digests of a payload speak of, in their order."""
        return tuple(name for name in self.fields if name != rules.USER_KEY)

    def _digests(self) -> str:
        """16 bits a field, enough to tell which of them changed; the first stand for the shape."""
        if self.mapping.kind is not Kind.USERS:
            return "NULL::USMALLINT[]"
        values = [
            f"hash({self.salt}, version())",
            *(f"hash({identifier(column(name))})" for name in self.digested),
        ]
        narrowed = [f"({value} & 65535)::USMALLINT" for value in values]
        return lines("list_value(", narrowed, ")", separator=",")

    def _key(self) -> str:
        if self.key_field is not None:
            return identifier(self.key_field)
        if self.mapping.kind is Kind.RECOMMENDATIONS:
            return f"md5({self._payload()})"
        return f"{literal(DERIVED_ID_PREFIX)} || md5({encode.event_without_id(self.fields)})"

    def _fingerprint(self) -> str:
        names = [name for name in self.fields if name != self.key_field]
        values = [str(self.salt), *(identifier(column(name)) for name in names)]
        if self.mapping.kind is Kind.USERS:
            values.insert(1, f"({self._verdict()}) = {Verdict.SOFT_DELETE:d}")
        return f"hash({', '.join(values)})"

    def _verdict(self) -> str:
        flags = self.flags
        whens = []
        if flags.hard:
            whens.append(f"WHEN {identifier(HARD)} THEN {Verdict.HARD_DELETE:d}")
        if flags.consent and self.mapping.consent:
            withdrawn = _WITHDRAWN[self.mapping.consent.otherwise]
            whens.append(f"WHEN NOT {identifier(CONSENT)} THEN {withdrawn:d}")
        if flags.soft:
            whens.append(f"WHEN {identifier(SOFT)} THEN {Verdict.SOFT_DELETE:d}")
        for number, (name, _) in _numbered(flags):
            passed = identifier(_filter(number, name))
            whens.append(
                f"WHEN {identifier(TYPE)} = {literal(name)} AND NOT {passed} THEN {Verdict.SKIP:d}"
            )
        if not whens:
            return f"{Verdict.SEND:d}"
        return f"CASE {' '.join(whens)} ELSE {Verdict.SEND:d} END"

    def _violation(self, numbered: _Rules) -> str:
        row = self._row_violation(numbered)
        return f"coalesce({identifier('$unkeyed')}, {identifier('$broken')}, {row})"

    def _row_violation(self, numbered: _Rules) -> str:
        """Rules on a row as a whole: what an event of its type must have, and whose it is."""
        if self.mapping.kind is Kind.RECOMMENDATIONS:
            return numbered.case(request.checks(self.fields))
        if self.mapping.kind is not Kind.EVENTS:
            return "NULL"
        checks = [
            (name, Check(f"{identifier(name)} IS NULL", "missing_field", "is mandatory"))
            for name in (TYPE, "original_timestamp")
        ]
        if "uid" in self.fields:
            checks.append(("uid", subject_check(identifier("uid"))))
        present = [identifier(name) for name in rules.IDENTITIES if name in self.fields]
        nobody = " AND ".join(f"{name} IS NULL" for name in present)
        message = "an event needs at least one of uid, sid and cid"
        checks.append(("uid", Check(nobody, "no_identity", message)))
        checks += self._mandatory()
        return numbered.case(checks)

    def _mandatory(self) -> Iterator[tuple[str, Check]]:
        constant = self.mapping.event_type
        for event_type, names in rules.MANDATORY_BY_TYPE.items():
            if isinstance(constant, Constant) and constant.value != event_type:
                continue
            is_type = f"{identifier(TYPE)} = {literal(event_type)}"
            for name in names:
                absent = f" AND {identifier(name)} IS NULL" if name in self.fields else ""
                message = f"is mandatory for {event_type} events"
                yield name, Check(is_type + absent, "missing_field", message)

    def _payload(self) -> str:
        if self.mapping.kind is Kind.USERS:
            deleted = f"({self._verdict()}) = {Verdict.SOFT_DELETE:d}"
            return encode.user(self.fields, deleted)
        if self.mapping.kind is Kind.RECOMMENDATIONS:
            return encode.without_nulls(list(request.members(self.mapping, self.fields)))
        return encode.event(self.fields, self._key())


def _numbered(flags: Flags) -> Iterator[tuple[int, tuple[str, str]]]:
    return enumerate(flags.filters, start=1)


def _filter(number: int, event_type: str) -> str:
    return f"$filter {number} {event_type}"

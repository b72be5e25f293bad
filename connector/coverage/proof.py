"""What a table's statistics prove of its columns, so that it need not be checked row by row.

DuckDB keeps the least and the greatest value of every column and the length of its longest text.
Where those exclude that a rule is broken, its check is left out: counting then costs little more
than counting what is not null.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Any

import duckdb
from duckdb.sqltypes import DuckDBPyType

from connector.mapping import rules
from connector.mapping.canonical import FLOATS, INTEGERS, TIMES, Check, Conversion, family
from connector.mapping.chain import Chain
from connector.mapping.fields import Branch, TypedField
from connector.mapping.mapping import OnInvalid, Pii
from connector.mapping.rules import FieldType
from connector.sql import identifier

_BLANKS = "e' \\t\\n\\x0b\\x0c\\r'"
_SHORTEST_ADDRESS = len("a@b.no")
_FIRST_VISIBLE = "!"
_YEAR_OF_OURS = re.compile(r"\d{4}-(?!.*\(BC\))")
_PLAIN = {FieldType.NUMBER, FieldType.TIME, FieldType.BOOLEAN}
_PLAIN_FAMILIES = INTEGERS | FLOATS | TIMES | {"decimal", "boolean"}


@dataclass(frozen=True, slots=True)
class Facts:
    """What is known of an expression over all rows; None is not known."""

    has_null: bool | None = None
    least: Any = None
    greatest: Any = None
    longest: int | None = None
    ascii: bool = False
    items: Facts | None = None

    @property
    def never_blank(self) -> bool:
        """Whether every text begins with a character that is no white space."""
        return self.ascii and isinstance(self.least, str) and self.least >= _FIRST_VISIBLE

    def within(self, limit: float) -> bool:
        """Whether every number is finite and no further from zero than `limit`."""
        ends = (self.least, self.greatest)
        return all(isinstance(end, int | float) and abs(end) <= limit for end in ends)

    @property
    def dated(self) -> bool:
        """Whether every time is between the years 1000 and 9999."""
        ends = (self.least, self.greatest)
        return all(isinstance(end, str) and _YEAR_OF_OURS.match(end) for end in ends)


UNKNOWN = Facts()


def facts_of(connection: duckdb.DuckDBPyConnection, chain: Chain) -> dict[str, Facts]:
    """What is known of every branch of every field of `chain`, by its alias."""
    branches = [
        branch
        for each in chain.fields.values()
        for branch in each.branches
        if branch.bound.field.pii is not Pii.HASH
    ]
    if not branches:
        return {}
    asked = ", ".join(f"to_json(stats({branch.sql}))" for branch in branches)
    try:
        row = connection.execute(f"SELECT {asked} FROM source LIMIT 1").fetchone()  # noqa: S608 - the compiler's own SQL
    except duckdb.Error:
        return {}  # an expression that fails on the first row proves nothing; counting will say so
    found = row or (None,) * len(branches)
    return {
        branch.alias: _facts(json.loads(each)) if each else UNKNOWN
        for branch, each in zip(branches, found, strict=True)
    }


def _facts(stats: Any) -> Facts:
    if not isinstance(stats, dict):
        return UNKNOWN
    return Facts(
        has_null=stats.get("has_null"),
        least=stats.get("min"),
        greatest=stats.get("max"),
        longest=stats.get("max_string_length"),
        ascii=stats.get("has_unicode") is False,
        items=_facts(stats.get("child_stats")),
    )


@dataclass(frozen=True, slots=True)
class CountedField(TypedField):
    """A field that is only counted: its value is null where the real one is, but need not be in its
    canonical form unless `canonical` is set, and checks that `facts` disprove are left out; so are,
    where it has to be `quick`, those that read through every text."""

    facts: dict[str, Facts] = field(default_factory=dict)
    canonical: bool = False
    quick: bool = False

    def conversion(self, *, guarded: bool) -> Conversion:
        """The value and the checks that are left."""
        whole = TypedField.conversion(self, guarded=guarded)
        branch = self.branches[0]
        alone = len(self.branches) == 1 and branch.bound.only_for is None
        if guarded or not alone or branch.bound.field.on_invalid is OnInvalid.DROP_FIELD:
            return whole
        checks = tuple(check for check in whole.checks if not self._disproved(branch, check))
        plain = self.type in _PLAIN and family(branch.source_type) in _PLAIN_FAMILIES
        value = identifier(branch.alias) if plain and not self.canonical else whole.value
        return Conversion(value, checks)

    def key_checks(self, value: str) -> Iterator[Check]:
        """The same checks, at less cost: what needs no escape in a URL is no control character."""
        branch = self.branches[0]
        for check in TypedField.key_checks(self, value):
            if self._disproved(branch, check):
                continue
            if check.code != "unaddressable_key":
                yield check
                continue
            refused = f"{value} IN ('', '.', '..')"
            least = self.facts.get(branch.alias, UNKNOWN).least
            if isinstance(least, str) and least > "..":
                if self.quick:
                    continue
                refused = "false"  # the three sort before all that is there
            # What a URL spells without escapes holds no control character.
            unreserved = f"strlen(url_encode({value})) = strlen({value})"
            thorough = f"CASE WHEN {unreserved} THEN {refused} ELSE {check.condition} END"
            condition = refused if self.quick else thorough
            yield replace(check, condition=condition)

    def _disproved(self, branch: Branch, check: Check) -> bool:
        facts = self.facts.get(branch.alias, UNKNOWN)
        kind = family(branch.source_type)
        items = facts.items or UNKNOWN
        match check.code:
            case "direct_pii":
                longest = items.longest if self.type is FieldType.STRINGS else facts.longest
                return self.quick or (longest is not None and longest < _SHORTEST_ADDRESS)
            case "too_long" if kind == "varchar":
                return facts.longest is not None and facts.longest <= rules.MAX_STRING_BYTES
            case "too_long" if self.type is FieldType.STRINGS and kind == "list":
                return items.longest is not None and items.longest <= rules.MAX_STRING_BYTES
            case "not_strings" if kind == "list":
                return items.has_null is False
            case "not_finite" if kind in FLOATS:
                return facts.within(sys.float_info.max)
            case "integer_too_large" if kind in INTEGERS:
                return facts.within(rules.MAX_EXACT_INTEGER)
            case "bad_time" if kind in TIMES:
                return facts.dated
            case "key_null":
                return facts.has_null is False
            case "unaddressable_key":
                return kind in INTEGERS
        return False


def counted(chain: Chain, facts: dict[str, Facts], *, quick: bool = False) -> Chain:
    """The same chain for counting only: see `CountedField`. It needs no parameters."""
    # A key that is derived from the row is made of canonical values.
    derived = chain.key_field is None
    fields: dict[str, TypedField] = {
        name: CountedField(
            name,
            each.type,
            _without_hash(each, chain.key_field),
            each.timezone,
            facts=facts,
            canonical=derived,
            quick=quick,
        )
        for name, each in chain.fields.items()
    }
    return replace(chain, fields=fields)


def unhashed(chain: Chain) -> Chain:
    """The same chain without the key of `pii: hash`: digests that are equal where the hashes are.

    It needs no parameters, and its values are for comparing, never for showing.
    """
    return replace(
        chain,
        fields={
            name: replace(each, branches=_without_hash(each, name))
            for name, each in chain.fields.items()
        },
    )


def _without_hash(given: TypedField, digested: str | None) -> tuple[Branch, ...]:
    """Whether there is a hash depends on the text alone, and is found out at less cost."""
    return tuple(
        _plain_branch(branch, digest=given.name == digested)
        if branch.bound.field.pii is Pii.HASH
        else branch
        for branch in given.branches
    )


def _plain_branch(branch: Branch, *, digest: bool) -> Branch:
    text = f"nullif(lower(trim(({branch.sql})::VARCHAR, {_BLANKS})), '')"
    pii = Pii.ALLOW if digest else Pii.REDACT
    return replace(
        branch,
        sql=f"md5({text})" if digest else text,
        source_type=DuckDBPyType("VARCHAR"),
        bound=replace(branch.bound, field=replace(branch.bound.field, pii=pii)),
    )

"""What a report or a plan never shows the values of."""

from __future__ import annotations

import re

from connector.mapping.chain import Chain
from connector.mapping.fields import TYPE
from connector.mapping.mapping import Expression
from connector.mapping.pii import direct_name_in, looks_direct

KEYS = {"id", "uid", "sid", "cid"}
_PERSONAL = {
    "firstname", "lastname", "surname", "forename", "fullname", "username", "nickname", "address",
    "street", "zip", "zipcode", "postcode", "postal", "birth", "birthday", "birthdate",
    "dob", "ip", "ssn", "passport", "iban", "card", "tax", "licence", "license", "latitude",
    "longitude", "lat", "lon", "geo", "geolocation", "location", "token", "password", "secret",
    "note", "notes", "comment", "comments", "bio", "search", "query",
}  # fmt: skip
_OF_A_PERSON = {
    "first", "last", "middle", "full", "given", "family", "maiden", "display", "legal", "user",
    "customer", "member", "contact", "guest", "name",
}  # fmt: skip
"""Words that make a `name` that of a person: `event_name` is none."""
_WORD = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+")
_COLUMN = re.compile(r'\s*("[^"]+"|[\w ]+)\s*')
_CONTACT = re.compile(r"[^@\s]+@[^@\s]+\.\w+|\+?[\d\s()./-]{7,}")


def hidden_fields(chain: Chain) -> frozenset[str]:
    """Fields that identify somebody, are marked `pii:`, or look as if they should be."""
    return frozenset(name for name, each in chain.fields.items() if _hidden(chain, name))


def _hidden(chain: Chain, name: str) -> bool:
    if name == TYPE:
        return False
    if name in KEYS or personal(name):
        return True
    for branch in chain.fields[name].branches:
        given = branch.bound.field
        if given.pii is not None:
            return True
        if isinstance(given.value, Expression) and (
            direct_name_in(given.value.sql) is not None
            or (_COLUMN.fullmatch(given.value.sql) and personal(given.value.sql))
        ):
            return True
    return False


def personal(name: str) -> bool:
    """Whether a field or column of this name would say who somebody is, or where to find them."""
    words = [word.lower() for word in _WORD.findall(name)]
    if words[-1:] == ["name"] and _OF_A_PERSON.issuperset(words):
        return True
    return looks_direct(name) or bool(_PERSONAL & set(words))


def looks_personal(value: str) -> bool:
    """Whether a value is an address to write to or a number to call."""
    return _CONTACT.fullmatch(value.strip()) is not None

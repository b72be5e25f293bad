"""Rows, the variants of a mapping over them, and what the one makes of the other: the histories of
`test_convergence` are made of these."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from hypothesis import strategies as st

from tests.support.road import CLICKS

UIDS = [f"u{number}" for number in range(12)] + ["a/b", "ü ñ", "50%"]
POISON = "poison"
ALL_CLICKS = CLICKS.replace("cursor: seen\nlookback: 3 days\n", "")

HEAD = """\
kind: users
source: warehouse
table: users
fields:
  uid: user_id
  country: upper(country)
  total_orders: {expr: orders, type: number}
  email_hash: {expr: email, pii: hash}
  email: {expr: email, pii: redact}
"""
TAIL = """\
deletes:
  soft_when: closed
  hard_when: erase
  erasures: {table: erasures, key: user_id}
  guards: {max_delete_fraction: null, max_erasures: null}
consent: {when: consent, otherwise: hard}
"""
FIELDS = {
    "plain": "",
    "a note": "  note: note\n",
    "a tier": "  loyalty_tier: tier\n",
    "both": "  note: note\n  loyalty_tier: upper(tier)\n",
}
RETYPED = HEAD.replace("{expr: orders, type: number}", "{expr: orders::varchar, type: string}")


@dataclass(frozen=True)
class User:
    """A row of the warehouse."""

    country: str | None
    tier: str | None
    orders: int | None
    note: str | None
    closed: bool | None = None
    erase: bool | None = None
    consent: bool | None = True

    def sent(self, variant: str) -> dict[str, Any]:
        """What the mapping makes of it."""
        fields: dict[str, Any] = {
            "country": self.country and self.country.upper(),
            "total_orders": self.orders,
        }
        if variant in ("a note", "both"):
            fields["note"] = self.note
        if variant == "a tier":
            fields["loyalty_tier"] = self.tier
        if variant == "both":
            fields["loyalty_tier"] = self.tier and self.tier.upper()
        return fields


uids = st.sampled_from(UIDS)
users = st.builds(
    User,
    country=st.sampled_from([None, "de", "fr"]),
    tier=st.sampled_from([None, "gold", "ünïque"]),
    orders=st.sampled_from([None, 0, 7]),
    note=st.sampled_from([None, "", "hello", POISON]),
    closed=st.sampled_from([None, None, None, True]),
    consent=st.sampled_from([True, True, True, True, True, None, False]),
)


def mail(uid: str) -> str:
    return f"{UIDS.index(uid)}@mail.test"


def literal(value: object) -> str:
    if value is None:
        return "null"
    return "'" + value.replace("'", "''") + "'" if isinstance(value, str) else str(value).lower()


def only(far: dict[str, Any] | None, fields: dict[str, Any]) -> dict[str, Any] | None:
    return far and {name: far.get(name, "missing") for name in fields}

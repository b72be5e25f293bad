"""The API's rules as data: reserved fields, event types, field types and their limits, tiers.

Source of every line: the platform's documents on users, events and recommendations. Where they
change, this file changes, and nothing else.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Kind(StrEnum):
    """What a mapping sends."""

    USERS = "users"
    EVENTS = "events"
    RECOMMENDATIONS = "recommendations"


class FieldType(StrEnum):
    """The platform's field types. A field's type is fixed by the first value ever sent."""

    STRING = "string"
    NUMBER = "number"
    BOOLEAN = "boolean"
    STRINGS = "array<string>"
    TIME = "time"
    EMBEDDING = "embedding"
    RELATION = "relation"
    OBJECT = "object"
    ITEMS = "array<object>"
    """The candidates of a recommendation request, with their attributes; nothing stored has it."""


MAX_STRING_BYTES = 16 * 1024
MAX_OBJECT_BYTES = 4 * 1024
MAX_EMBEDDING = 1024
MAX_EXACT_INTEGER = 2**53
"""A number is a 64-bit float: integers beyond this would arrive as another integer."""

USER_KEY = "uid"
EVENT_KEY = "id"

USER_FIELDS: dict[str, FieldType] = {
    "uid": FieldType.STRING,
    "created_at": FieldType.TIME,
    "updated_at": FieldType.TIME,
    "is_deleted": FieldType.BOOLEAN,
}

EVENT_FIELDS: dict[str, FieldType] = {
    "id": FieldType.STRING,
    "type": FieldType.STRING,
    "original_timestamp": FieldType.TIME,
    "server_timestamp": FieldType.TIME,
    "ingest_timestamp": FieldType.TIME,
    "uid": FieldType.STRING,
    "sid": FieldType.STRING,
    "cid": FieldType.STRING,
    "rec_id": FieldType.STRING,
    "page_view_id": FieldType.STRING,
    "module_view_id": FieldType.STRING,
    "impression_id": FieldType.STRING,
    "rank": FieldType.NUMBER,
    "item_id": FieldType.STRING,
    "item_ids": FieldType.STRINGS,
    "item_id_relation": FieldType.RELATION,
    "page_type": FieldType.STRING,
    "click_type": FieldType.STRING,
    "conversion_type": FieldType.STRING,
    "dwell_ms": FieldType.NUMBER,
}

INTEGER_FIELDS = frozenset({"rank"})
"""Numbers that must be whole."""

IDENTITIES = ("uid", "sid", "cid")
"""An event names at least one of these."""

NEVER_SENT: dict[Kind, dict[str, str]] = {
    Kind.USERS: {"_table": "the platform sets it itself"},
    Kind.EVENTS: {
        "_table": "the platform sets it itself",
        "ingest_timestamp": "the platform sets it itself when the event arrives",
    },
    Kind.RECOMMENDATIONS: {},
}
"""Fields that no mapping may send, and why."""

OVERWRITTEN: dict[Kind, dict[str, str]] = {
    Kind.USERS: {"updated_at": "the platform overwrites it at every upsert"},
    Kind.EVENTS: {},
    Kind.RECOMMENDATIONS: {},
}
"""Fields that can be sent but have no effect: worth a warning."""

MANDATORY_BY_TYPE: dict[str, tuple[str, ...]] = {
    "page_view": ("page_type",),
    "module_view": ("rank",),
    "impression": ("item_id", "rank"),
    "click": ("item_id", "click_type"),
    "conversion": ("conversion_type", "item_ids"),
    "dwell_time": ("dwell_ms",),
    "scroll": (),
}
"""Mandatory fields of the standard event types, over `type` and `original_timestamp`, which every
event has. Any other type is custom and has no more than those."""

ALLOWED_TYPES: dict[Kind, frozenset[FieldType]] = {
    Kind.USERS: frozenset(FieldType) - {FieldType.OBJECT, FieldType.ITEMS},
    Kind.EVENTS: frozenset(FieldType) - {FieldType.ITEMS},
    Kind.RECOMMENDATIONS: frozenset(FieldType),
}
"""Objects are for events only (and for the context of a recommendation)."""

RECOMMENDATION_FIELDS: dict[str, FieldType] = {
    "user_id": FieldType.STRING,
    "session_id": FieldType.STRING,
    "item_ids": FieldType.STRINGS,
    "items": FieldType.ITEMS,
    "context": FieldType.OBJECT,
}

RESERVED: dict[Kind, dict[str, FieldType]] = {
    Kind.USERS: USER_FIELDS,
    Kind.EVENTS: EVENT_FIELDS,
    Kind.RECOMMENDATIONS: RECOMMENDATION_FIELDS,
}
"""Fields whose type is settled, by kind of mapping."""


class Tier(StrEnum):
    """How much a model can do with the data; each includes the ones before it."""

    GOOD = "good"
    BETTER = "better"
    BEST = "best"


@dataclass(frozen=True, slots=True)
class Attribute:
    """One line of the platform's Good/Better/Best tables."""

    name: str
    tier: Tier


USER_ATTRIBUTES = tuple(
    Attribute(name, tier)
    for tier, names in {
        Tier.GOOD: ("age", "gender", "address", "created_at", "status", "previous_reviews"),
        Tier.BETTER: (
            "past_trips",
            "review_categories",
            "labels",
            "last_login",
            "session_frequency",
        ),
        Tier.BEST: ("loyalty_programs",),
    }.items()
    for name in names
)

EVENT_ATTRIBUTES = tuple(
    Attribute(name, tier)
    for tier, names in {
        Tier.GOOD: (
            "page_id",
            "search_query",
            "geolocation",
            "locale/language",
            "device_type",
            "logged_in",
        ),
        Tier.BETTER: (
            "partial_form_fills",
            "review_click",
            "outbound_click",
            "dwell_time",
            "referral_source",
        ),
        Tier.BEST: ("scroll_depth", "cart_content", "email_campaign", "push_notifications"),
    }.items()
    for name in names
)

RECOMMENDED_USER_FIELDS = (
    "country",
    "language",
    "signup_channel",
    "loyalty_tier",
    "total_orders",
    "avg_order_value",
    "preferred_categories",
    "profile_embedding_v1",
)

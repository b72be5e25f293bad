"""The same rows that our mappings send, as SQL: names and times as the platform knows them."""

from __future__ import annotations

EVENTS = """
SELECT event_id AS id, 'click' AS type,
  strftime(at_, '%Y-%m-%dT%H:%M:%S.%gZ') AS original_timestamp,
  uid, sku AS item_id, position AS rank, device AS device_type, click_type, logged_in
FROM events LIMIT {rows}
"""
USERS = """
SELECT uid, country, tier AS loyalty_tier, orders AS total_orders, spent::DOUBLE AS spent,
  strftime(created, '%Y-%m-%dT%H:%M:%S.%gZ') AS created_at, cats AS preferred_categories,
  consent AS gdpr_consent, bio, points
FROM users LIMIT {rows}
"""


def select(kind: str, rows: int) -> str:
    """The first so many events or users."""
    return {"events": EVENTS, "users": USERS}[kind].format(rows=rows)

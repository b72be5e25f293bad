"""The rows that are measured: users of ten fields, events, and projects over them."""

from __future__ import annotations

from pathlib import Path

import duckdb

_TEN = """
  'user_' || i AS uid,
  ['US', 'FR', 'DE', NULL][1 + i % 4] AS country,
  CASE WHEN i % 3 = 0 THEN 'gold' END AS tier,
  i % 500 AS orders,
  (i * 7 % 10000) / 100.0 AS spent,
  TIMESTAMP '2024-01-01' + INTERVAL (i % 31536000) SECOND AS created,
  ['a', 'b'] AS cats,
  i % 2 = 0 AS consent,
  CASE WHEN {changed} THEN 'changed' ELSE 'some text value ' || (i * 31 % 1000) END AS bio,
  (i * 13) % 100000 AS points
"""
_TEN_MORE = """
  ['en', 'fr', 'de'][1 + i % 3] AS language,
  CASE WHEN i % 5 > 0 THEN 18 + i % 70 END AS age,
  ['f', 'm', 'x'][1 + i % 3] AS gender,
  'city ' || (i % 5000) AS city,
  CASE WHEN i % 7 > 2 THEN ['hotel', 'bar'] END AS reviews,
  i % 11 AS reviews_count,
  TIMESTAMP '2025-01-01' + INTERVAL (i % 8640000) SECOND AS seen,
  CASE WHEN i % 10 > 0 THEN (i % 97) / 97.0 END AS churn,
  ['web', 'app'][1 + i % 2] AS channel,
  CASE WHEN i % 4 > 0 THEN 'a' || (i % 300) END AS segment
"""
USERS = f"CREATE TABLE {{table}} AS SELECT {_TEN} FROM range({{rows}}) AS t(i)"
WIDE = f"CREATE TABLE users AS SELECT {_TEN}, {_TEN_MORE} FROM range({{rows}}) AS t(i)"
FIELDS = ("country", "tier", "orders", "spent", "created", "cats", "consent", "bio", "points")
MORE = (
    "language", "age", "gender", "city", "reviews", "reviews_count", "seen", "churn", "channel",
    "segment",
)  # fmt: skip

EVENTS = """
CREATE TABLE events AS SELECT
  'e_' || i AS event_id, 'user_' || (i * 7919 % 100000) AS uid, 'sku_' || (i % 5000) AS sku,
  TIMESTAMP '2024-01-01' + INTERVAL (i % 31536000) SECOND AS at_, i % 20 AS position,
  ['ios', 'android', 'web'][1 + i % 3] AS device, 'open' AS click_type, i % 7 = 0 AS logged_in
FROM range({rows}) AS t(i)
"""

API_KEY = "k"
PROJECT = """
version: 1
sources: {{w: {{type: duckdb, path: w.duckdb}}}}
targets:
  api:
    base_url: http://127.0.0.1:{port}/v1
    api_key: {key}
    max_in_flight: 64
    events_per_request: 1000
"""

USERS_MAPPING = """
kind: users
source: w
table: users
fields:
  uid: uid
  country: country
  loyalty_tier: tier
  total_orders: orders
  spent: spent
  created_at: created
  preferred_categories: cats
  gdpr_consent: consent
  bio: bio
  points: points
"""

WIDE_MAPPING = f"""{USERS_MAPPING.rstrip()}
  language: language
  age: age
  gender: gender
  address: city
  review_categories: reviews
  previous_reviews: reviews_count
  last_login: seen
  churn_score: churn
  signup_channel: channel
  segment: segment
"""

EVENTS_MAPPING = """
kind: events
source: w
table: events
type: click
fields:
  id: event_id
  original_timestamp: at_
  uid: uid
  item_id: sku
  rank: position
  device_type: device
  click_type: click_type
  logged_in: logged_in
"""


def project(folder: Path, mapping: str, *, port: int = 9) -> None:
    """A project with one mapping, over `w.duckdb` in the same folder."""
    (folder / "mappings").mkdir(parents=True, exist_ok=True)
    (folder / "mappings" / "project.yaml").write_text(PROJECT.format(port=port, key=API_KEY))
    (folder / "mappings" / "rows.yaml").write_text(mapping)


def users(folder: Path, rows: int, *, table: str = "users", changed: bool = False) -> None:
    """A table of users; `changed` changes one in a hundred."""
    condition = "hash(i) % 100 = 0" if changed else "false"
    _execute(folder, USERS.format(table=table, rows=rows, changed=condition))


def wide(folder: Path, rows: int) -> None:
    """A table of users with twenty columns."""
    _execute(folder, WIDE.format(rows=rows, changed="false"))


def events(folder: Path, rows: int) -> None:
    """A table of events."""
    _execute(folder, EVENTS.format(rows=rows))


def swap(folder: Path) -> None:
    """Let `changed` become the table that is synced, and the other way round."""
    _execute(folder, "ALTER TABLE users RENAME TO other")
    _execute(folder, "ALTER TABLE changed RENAME TO users")
    _execute(folder, "ALTER TABLE other RENAME TO changed")


def _execute(folder: Path, sql: str) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    with duckdb.connect(str(folder / "w.duckdb")) as connection:
        connection.execute(sql)

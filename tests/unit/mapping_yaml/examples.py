"""The examples of the mapping reference."""

USERS = """\
version: 1
name: users                    # default: the file's stem
kind: users
source: warehouse
table: analytics.dim_users     # or  query: |  in the source's own SQL
where: is_test = false         # the source's own SQL, pushed down
fields:
  uid: user_id                 # every value is a DuckDB expression over the source's columns
  country: upper(country_code)
  created_at: signup_ts
  loyalty_tier: tier
  preferred_categories: {expr: cats, type: array<string>}
  total_orders: {expr: "coalesce(orders, 0)", type: number}
  email_hash: {expr: email, pii: hash}          # hash | redact | allow
  plan: {value: gold}                           # a constant
on_invalid: reject             # reject | drop_field; per field or for the mapping
deletes:
  missing: soft                # a row that left the source: soft (default) | hard | keep
  soft_when: status = 'closed'
  hard_when: erasure_requested_at is not null
  erasures: {table: gdpr.erasure_requests, key: user_id}   # an explicit feed
  guards: {max_delete_fraction: 0.15, max_deletes: null, max_erasures: 1000}
consent: {when: gdpr_consent, otherwise: skip}  # skip | soft | hard
schedule: "0 * * * *"          # read by Dagster
tags: [core]
coverage: {require: good, min_fill: 0.5, aliases: {previous_reviews: total_orders}}
engine: duckdb
snapshot: {keep: payload}
description: Everyone with an account
owners: [data-team]
max_reject_percent: 2
"""

CLICKS = """\
kind: events
source: warehouse
table: analytics.clicks
type: click                    # or {expr: event_name}: one table, many types
cursor: occurred_at            # new rows only, re-reading `lookback` for late ones
lookback: 3 days
fields:
  id: event_id                 # left out: derived from the row, the same for the same row, always
  original_timestamp: occurred_at
  uid: user_id
  item_id: sku
  click_type: {value: add_to_cart}
  device: {expr: "{'platform': os, 'version': os_version}", type: object}
"""

MANY_TYPES = """\
kind: events
source: warehouse
query: |
  select *
  from analytics.events
type: {expr: event_name}
fields:
  id: event_id
  original_timestamp: occurred_at
  sid: session_id
  item_id: sku
types:
  click:
    fields: {click_type: what}
    filter: what is not null
  impression: {fields: {rank: position}}
  wishlist: {}
"""

RECOMMENDATIONS = """\
kind: recommendations
source: warehouse
query: select user_id, candidates, region from analytics.rec_requests
model_id: test_model_item_200      # or model_name, for old accounts
limit: 10
fields:                            # user_id and/or session_id; item_ids or items; context
  user_id: user_id
  item_ids: candidates
  context: {expr: "{'user_region': region}", type: object}
write_to: {table: analytics.recommendations}
"""

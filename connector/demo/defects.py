"""Rows that no mapping can send, under 1 % of each table: rejects have something to show."""

from __future__ import annotations

from dataclasses import dataclass

import duckdb


@dataclass(frozen=True, slots=True)
class Defect:
    """One mistake as warehouses make them; `rows` is how many rows it spoils."""

    table: str
    reason: str
    rows: int
    sql: str


_SENDABLE = """
update analytics.dim_users set is_test = false, gdpr_consent = true, status = 'active'
where user_id in ('u_000101', 'u_000202', 'u_000302', 'u_000303', 'u_000404', 'u_000505',
                  'u_000606')
"""

USER_DEFECTS = (
    Defect(
        "dim_users",
        "no user id",
        1,
        "update analytics.dim_users set user_id = null where user_id = 'u_000101'",
    ),
    Defect(
        "dim_users",
        "an empty user id",
        1,
        "update analytics.dim_users set user_id = '' where user_id = 'u_000202'",
    ),
    Defect(
        "dim_users",
        "two users of one id",
        2,
        "update analytics.dim_users set user_id = 'u_000302' where user_id = 'u_000303'",
    ),
    Defect(
        "dim_users",
        "an essay where the city should be",
        1,
        "update analytics.dim_users set city = repeat('a long way from home ', 1000)"
        " where user_id = 'u_000404'",
    ),
    Defect(
        "dim_users",
        "a score that is no number",
        1,
        "update analytics.dim_users set churn_score = 'nan' where user_id = 'u_000505'",
    ),
    Defect(
        "dim_users",
        "a line break in the user id",
        1,
        "update analytics.dim_users set user_id = user_id || chr(10) where user_id = 'u_000606'",
    ),
)

EVENT_DEFECTS = (
    Defect(
        "page_views",
        "no page type",
        2,
        "update analytics.page_views set page_type = null where page_view_id in"
        " (select page_view_id from analytics.page_views order by page_view_id limit 2 offset 40)",
    ),
    Defect(
        "page_views",
        "nobody's visit",
        1,
        "update analytics.page_views set user_id = null, session_id = null, client_id = null"
        " where page_view_id in"
        " (select page_view_id from analytics.page_views order by page_view_id limit 1 offset 80)",
    ),
    Defect(
        "impressions",
        "no position",
        2,
        "update analytics.impressions set position = null where impression_id in"
        " (select impression_id from analytics.impressions order by impression_id"
        " limit 2 offset 40)",
    ),
    Defect(
        "clicks",
        "exact copies, which the mapping's query folds",
        0,
        "insert into analytics.clicks from analytics.clicks order by event_id limit 4 offset 20",
    ),
    Defect(
        "clicks",
        "no item",
        1,
        "update analytics.clicks set item_id = null where event_id in"
        " (select event_id from analytics.clicks order by event_id limit 1 offset 60)",
    ),
    Defect(
        "orders",
        "no items",
        1,
        "update analytics.orders set item_ids = null where order_id in"
        " (select order_id from analytics.orders where state = 'placed' order by order_id"
        " limit 1 offset 10)",
    ),
    Defect(
        "searches",
        "a time that is none",
        2,
        "update analytics.searches set searched_at = 'yesterday, around noon' where search_id in"
        " (select search_id from analytics.searches order by search_id limit 2 offset 20)",
    ),
    Defect(
        "searches",
        "a whole page pasted into the search box",
        1,
        "update analytics.searches set search_query = repeat('cheap flights ', 2000)"
        " where search_id in"
        " (select search_id from analytics.searches order by search_id limit 1 offset 40)",
    ),
    Defect(
        "dwell",
        "a tab left open forever",
        1,
        "update analytics.dwell set dwell_ms = 'infinity' where dwell_id in"
        " (select dwell_id from analytics.dwell order by dwell_id limit 1 offset 20)",
    ),
    Defect(
        "dwell",
        "exact copies: no defect, they are one event",
        0,
        "insert into analytics.dwell from analytics.dwell order by dwell_id limit 2 offset 40",
    ),
    Defect(
        "app_events",
        "an event without a name",
        1,
        "update analytics.app_events set event_name = null where event_id in"
        " (select event_id from analytics.app_events order by event_id limit 1 offset 20)",
    ),
)


def spoil_users(connection: duckdb.DuckDBPyConnection) -> tuple[Defect, ...]:
    """Spoil a handful of users, who could otherwise all be sent; returns what was done."""
    connection.execute(_SENDABLE)
    return _apply(connection, USER_DEFECTS)


def spoil_events(connection: duckdb.DuckDBPyConnection) -> tuple[Defect, ...]:
    """Spoil a handful of rows of each event table; returns what was done."""
    return _apply(connection, EVENT_DEFECTS)


def _apply(
    connection: duckdb.DuckDBPyConnection, defects: tuple[Defect, ...]
) -> tuple[Defect, ...]:
    for defect in defects:
        connection.execute(defect.sql)
    return defects

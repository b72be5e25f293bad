"""What provides each attribute of the platform's tables: synonyms and event types as data.

A name matches whatever its case and punctuation: `deviceType`, `device_type` and `Device Type` are
one. The attribute's own name is always among its synonyms.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from connector.mapping.rules import (
    EVENT_ATTRIBUTES,
    RECOMMENDED_USER_FIELDS,
    USER_ATTRIBUTES,
    Attribute,
    Kind,
)


@dataclass(frozen=True, slots=True)
class EventRule:
    """Events that provide an attribute: those of `types`, and those of `of` whose `field` holds
    text that matches `pattern` (lower case, RE2)."""

    types: tuple[str, ...]
    of: str | None = None
    field: str | None = None
    pattern: str | None = None


FIELD_SYNONYMS: dict[str, tuple[str, ...]] = {
    "age": ("age_years", "user_age", "age_group", "age_band", "age_range"),
    "gender": ("sex", "user_gender"),
    "address": (
        "city", "location", "home_city", "home_address", "postal_address", "postal_code",
        "zip_code", "postcode", "region", "province", "shipping_address", "billing_address",
    ),
    "created_at": ("signup_at", "signup_date", "registered_at", "joined_at", "member_since"),
    "status": ("account_status", "user_status", "customer_status", "membership_status"),
    "previous_reviews": (
        "reviews", "reviews_count", "review_count", "num_reviews", "total_reviews",
    ),
    "past_trips": (
        "trips", "trip_count", "trips_count", "previous_trips", "past_bookings", "bookings_count",
        "travel_history", "past_destinations",
    ),
    "review_categories": ("reviewed_categories", "categories_reviewed"),
    "labels": ("tags", "segments", "audiences", "user_labels", "user_tags", "segment"),
    "last_login": (
        "last_login_at", "last_seen", "last_seen_at", "last_active", "last_active_at",
        "last_activity_at", "last_visit", "last_visit_at", "last_sign_in_at",
    ),
    "session_frequency": (
        "sessions_per_week", "sessions_per_month", "sessions_per_day", "visit_frequency",
        "visits_per_month", "visits_per_week", "session_count", "sessions_30d", "login_frequency",
    ),
    "loyalty_programs": (
        "loyalty_program", "loyalty_programmes", "memberships", "rewards_programs", "loyalty_card",
        "frequent_flyer_programs",
    ),
    "page_id": ("page_path", "page_url", "page", "url", "screen_id", "screen_name", "page_name"),
    "search_query": ("query", "search_term", "search_terms", "search_text", "keywords", "q"),
    "geolocation": ("geo", "geo_location", "coordinates", "lat_lon", "geo_city", "geo_country"),
    "locale/language": ("locale", "language", "lang", "browser_language", "user_locale"),
    "device_type": ("device", "device_category", "device_class", "device_info", "platform"),
    "logged_in": ("is_logged_in", "signed_in", "is_signed_in", "authenticated", "is_authenticated"),
    "partial_form_fills": ("partial_form_fill", "form_progress", "form_fields_filled"),
    "review_click": ("review_clicked", "clicked_review", "review_id"),
    "outbound_click": ("outbound_url", "outbound_link", "exit_url", "external_url"),
    "dwell_time": ("dwell_ms", "dwell_seconds", "time_on_page", "dwell", "engagement_time_msec"),
    "referral_source": (
        "referrer", "referer", "referral", "traffic_source", "utm_source", "source_medium",
        "referrer_domain", "acquisition_source",
    ),
    "scroll_depth": ("scroll_percent", "scroll_pct", "percent_scrolled", "max_scroll"),
    "cart_content": ("cart_contents", "cart", "cart_items", "basket", "basket_items"),
    "email_campaign": (
        "email_campaign_id", "campaign_email", "mail_campaign", "newsletter_id",
    ),
    "push_notifications": (
        "push_notification", "push_notification_id", "push_id", "push_campaign", "push_campaign_id",
    ),
    "country": ("country_code",),
    "language": ("locale", "lang", "preferred_language"),
    "signup_channel": ("signup_source", "acquisition_channel", "registration_channel"),
    "loyalty_tier": ("tier", "membership_tier", "loyalty_level", "membership_level"),
    "total_orders": ("orders", "orders_count", "order_count", "num_orders"),
    "avg_order_value": ("average_order_value", "aov", "mean_order_value"),
    "preferred_categories": ("favorite_categories", "favourite_categories", "top_categories"),
    "profile_embedding_v1": ("profile_embedding", "user_embedding", "embedding"),
}  # fmt: skip

EVENT_RULES: dict[str, EventRule] = {
    "partial_form_fills": EventRule(
        ("partial_form_fill", "partial_form_fills", "form_abandon", "form_abandoned", "form_start")
    ),
    "review_click": EventRule(
        ("review_click", "click_review"), "click", "click_type", "(^|[^a-z])reviews?([^a-z]|$)"
    ),
    "outbound_click": EventRule(
        ("outbound_click", "outbound", "exit_click", "external_click"),
        "click",
        "click_type",
        "(^|[^a-z])(outbound|external|exit)([^a-z]|$)",
    ),
    "dwell_time": EventRule(("dwell_time", "dwell")),
    "scroll_depth": EventRule(("scroll", "scroll_depth")),
    "cart_content": EventRule(("cart_view", "view_cart", "cart_update", "cart_content")),
    "email_campaign": EventRule(
        ("email_campaign", "email_open", "email_opened", "email_click", "email_clicked")
    ),
    "push_notifications": EventRule(
        (
            "push_notification", "push_notifications", "push_open", "push_opened", "push_click",
            "push_clicked", "push_received",
        )
    ),
}  # fmt: skip


def attributes_of(kind: Kind) -> tuple[Attribute, ...]:
    """The lines of the Good/Better/Best table for a kind of mapping; none for recommendations."""
    return {Kind.USERS: USER_ATTRIBUTES, Kind.EVENTS: EVENT_ATTRIBUTES}.get(kind, ())


def recommended_for(kind: Kind) -> tuple[str, ...]:
    """Fields that help beside the tiers."""
    return RECOMMENDED_USER_FIELDS if kind is Kind.USERS else ()


def plain(name: str) -> str:
    """A name without case and punctuation, `lastSeenAt` as `lastseenat`."""
    return re.sub(r"[\W_]+", "", name).lower()


def synonyms(attribute: str) -> tuple[str, ...]:
    """Names that provide an attribute, its own first, in the order in which they are preferred."""
    return (attribute, *FIELD_SYNONYMS.get(attribute, ()))

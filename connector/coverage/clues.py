"""By which columns a missing attribute may be recognised: names, types and content, as data."""

from __future__ import annotations

from dataclasses import dataclass

from connector.mapping.rules import FieldType, Kind

TEXT, NUMBER, TIME, BOOLEAN, LIST, OBJECT = "text", "number", "time", "boolean", "list", "object"


@dataclass(frozen=True, slots=True)
class Clue:
    """A column called `names` (a regular expression over its words, `last_seen_at`) of one of
    `types` may provide `attribute` as `expression`, where `{c}` is the column.

    `also` is the name of a second column, `{d}`. `holds` is a condition that the content of the
    sampled rows has to meet. `type` is declared where it cannot be inferred. `field` is what the
    field is called where that is not the attribute.
    """

    attribute: str
    names: str
    types: frozenset[str]
    expression: str = "{c}"
    holds: str = "true"
    type: FieldType | None = None
    also: str | None = None
    field: str | None = None


_AGE = "quantile_disc({c}, 0.5) BETWEEN 5 AND 100 AND max({c}) < 130"
_BORN = "year(quantile_disc(try_cast({c} AS DATE), 0.5)) BETWEEN 1900 AND year(current_date)"
_YEARS = "min({c}) >= 1900 AND max({c}) <= 2200"
_FEW = "approx_count_distinct({c}) <= 30"
_PARSES = "count(try_cast({c} AS TIMESTAMP)) >= 0.9 * count({c})"
_COORDINATES = "min({c}) >= -90 AND max({c}) <= 90 AND min({d}) >= -180 AND max({d}) <= 180"
_ONE = "CASE WHEN {c} <> '' THEN [{c}] END"
_YES_NO = "CASE WHEN {c} THEN 'active' WHEN NOT {c} THEN 'inactive' END"
_BY_EMAIL = "lower({d}) IN ('email', 'e-mail', 'mail', 'newsletter')"
_PLACES = "nullif(concat_ws(', ', {c}, {d}), '')"

_CITY = "city|town|home_city|city_name|municipality"
_REGION = "province|state|region|state_province|county|province_code|state_code"
_JOINED = (
    "signup|sign_up|created|creation|registered|registration|register|joined|join|enrol|enroll|"
    "enrolled|enrolment|enrollment|member_since|onboarded|first_seen|opened"
)
_WHEN = "(_(at|on|date|ts|time|timestamp|datetime|day|dt))?"
_LEFT = (
    "cancel|cancelled|canceled|cancellation|cancelation|churn|churned|closed|closure|deactivated|"
    "deactivation|terminated|termination|unsubscribed"
)
_SEEN = "last_(login|log_in|logon|seen|active|activity|visit|visited|sign_in|signin|session|access)"
_TRIPS = "(past_|previous_|total_)?(trips?|bookings?|flights?|journeys?|travels?|stays?)"
_COUNTED = "(_(count|made|taken|number|booked))?"


def _clue(attribute: str, names: str, types: str, expression: str = "{c}", **more: str) -> Clue:
    type_ = more.pop("type", None)
    return Clue(
        attribute,
        names,
        frozenset(types.split()),
        expression,
        type=FieldType(type_) if type_ else None,
        **more,
    )


USER_CLUES = (
    _clue("age", "age|age_years|age_in_years|current_age", NUMBER, holds=_AGE),
    _clue(
        "age",
        "dob|birth_?day|birth_?date|date_of_birth|birth_dt|born|born_on",
        "time text",
        "date_sub('year', try_cast({c} AS DATE), current_date)",
        holds=_BORN,
    ),
    _clue(
        "age",
        "birth_year|year_of_birth|yob|born_year",
        NUMBER,
        "year(current_date) - {c}",
        holds=_YEARS,
    ),
    _clue("age", "age_(group|band|range|bracket)", TEXT, holds=_FEW),
    _clue("gender", "gender|sex|gender_identity", TEXT, "lower(trim({c}))", holds=_FEW),
    _clue("address", _CITY, TEXT, _PLACES, also=_REGION),
    _clue("address", _CITY, TEXT),
    _clue("address", "address|home_address|full_address|location|residence|hometown", TEXT),
    _clue("address", "postal_code|postcode|post_code|zip|zip_code|zipcode", TEXT),
    _clue("address", _REGION, TEXT),
    _clue("created_at", f"({_JOINED}){_WHEN}", TIME),
    _clue("created_at", f"({_JOINED}){_WHEN}", TEXT, holds=_PARSES, type="time"),
    _clue(
        "created_at",
        f"({_JOINED})_year",
        NUMBER,
        "make_date({c}, {d}, 1)",
        also=f"({_JOINED})_month",
        holds=f"{_YEARS} AND min({{d}}) >= 1 AND max({{d}}) <= 12",
    ),
    _clue("created_at", f"({_JOINED})_year", NUMBER, "make_date({c}, 1, 1)", holds=_YEARS),
    _clue("status", "status|state|lifecycle(_stage)?|membership_status", TEXT, holds=_FEW),
    _clue("status", "is_active|active|enabled|is_enabled", BOOLEAN, _YES_NO),
    _clue(
        "status",
        f"({_LEFT})({_WHEN}|_year)",
        "time number text",
        "CASE WHEN {c} IS NULL THEN 'active' ELSE 'cancelled' END",
        holds="count({c}) < count(*)",
    ),
    _clue(
        "previous_reviews",
        "(previous_|past_|total_|num_)?reviews?(_(count|written|posted|left|total))?",
        "number list",
    ),
    _clue("past_trips", _TRIPS + _COUNTED, "number list"),
    _clue("past_trips", "(past_|previous_|visited_)?destinations?(_visited)?", LIST),
    _clue(
        "review_categories",
        "review_categor(y|ies)|reviewed_categor(y|ies)|categories_reviewed",
        LIST,
    ),
    _clue(
        "review_categories", "review_category|reviewed_category", TEXT, _ONE, type="array<string>"
    ),
    _clue("labels", "labels?|tags?|segments?|audiences?|interests?|user_labels", LIST),
    _clue(
        "labels",
        "labels?|tags?|segments?|audiences?|interests?|customer_segment",
        TEXT,
        "string_split({c}, ',')",
        holds="count_if(contains({c}, ',')) > 0",
        type="array<string>",
    ),
    _clue(
        "labels",
        "label|tag|segment|audience|cohort|persona",
        TEXT,
        _ONE,
        holds=_FEW,
        type="array<string>",
    ),
    _clue("last_login", f"({_SEEN}|most_recent_(login|visit)|latest_login){_WHEN}", TIME),
    _clue(
        "last_login",
        f"({_SEEN}|most_recent_(login|visit)|latest_login){_WHEN}",
        TEXT,
        holds=_PARSES,
        type="time",
    ),
    _clue(
        "session_frequency",
        "(session|visit|login)s?_(frequency|count|(per|last|in)_.*|[0-9]+_?d(ays)?)|"
        "(avg|average|weekly|monthly|num|total)_(session|visit|login)s?(_.*)?",
        NUMBER,
    ),
    _clue(
        "loyalty_programs",
        "(loyalty|rewards?|frequent_flyer)_(programs?|programmes?|schemes?)|memberships",
        LIST,
    ),
    _clue(
        "loyalty_programs",
        "(loyalty|rewards?|frequent_flyer|membership)_(program|programme|scheme|card|club|plan)|"
        "membership",
        TEXT,
        _ONE,
        holds=_FEW,
        type="array<string>",
    ),
    _clue("country", "country|country_code|country_name|nation|country_iso", TEXT),
    _clue("language", "language|locale|lang|preferred_language|language_code", TEXT, holds=_FEW),
    _clue(
        "signup_channel",
        "(signup|sign_up|registration|acquisition|enrolment|enrollment|join)_"
        "(channel|source|type|medium|method)",
        TEXT,
        holds=_FEW,
    ),
    _clue(
        "loyalty_tier",
        "tier|(loyalty|membership|member|reward|rewards)_(tier|level|class|card|grade)",
        TEXT,
        holds=_FEW,
    ),
    _clue("total_orders", "(total_|num_)?(orders|purchases)(_(count|placed|total))?", NUMBER),
    _clue("avg_order_value", "(avg|average|mean)_(order|basket)_(value|size)|aov", NUMBER),
    _clue(
        "preferred_categories",
        "(preferred|favou?rite|top|liked)_categor(y|ies)|categories|category_preferences",
        LIST,
    ),
    _clue("profile_embedding_v1", "(.*_)?(embedding|vector)(_v?[0-9]+)?", LIST, type="embedding"),
)

EVENT_CLUES = (
    _clue("page_id", "page_id|page|page_path|page_url|url|path|page_name|screen(_name|_id)?", TEXT),
    _clue(
        "search_query",
        "search_(query|term|terms|text|phrase|string)|query|query_text|keywords?|q|search",
        TEXT,
    ),
    _clue(
        "geolocation",
        "lat|latitude|geo_lat",
        NUMBER,
        "{{'lat': {c}, 'lon': {d}}}",
        also="lon|lng|long|longitude|geo_lon|geo_lng",
        holds=_COORDINATES,
        type="object",
    ),
    _clue("geolocation", "geo|geolocation|geo_location|location|coordinates", "object text"),
    _clue(
        "geolocation",
        "(geo_|visitor_|ip_)?city",
        TEXT,
        "{{'city': {c}, 'country': {d}}}",
        also="(geo_|visitor_|ip_)?country(_code)?",
        type="object",
    ),
    _clue(
        "geolocation",
        "(geo_|visitor_|ip_)?country(_code|_name)?",
        TEXT,
        "CASE WHEN {c} <> '' THEN {{'country': {c}}} END",
        holds="approx_count_distinct({c}) <= 300",
        type="object",
    ),
    _clue("locale/language", "locale|browser_locale|ui_locale", TEXT, holds=_FEW, field="locale"),
    _clue(
        "locale/language",
        "language|lang|browser_language|ui_language",
        TEXT,
        holds=_FEW,
        field="language",
    ),
    _clue(
        "device_type",
        "device_type|device|device_category|device_class|platform|form_factor",
        TEXT,
        holds=_FEW,
    ),
    _clue(
        "device_type",
        "is_mobile|mobile",
        BOOLEAN,
        "CASE WHEN {c} THEN 'mobile' WHEN NOT {c} THEN 'desktop' END",
    ),
    _clue(
        "logged_in", "(is_)?(logged_in|signed_in|authenticated|login|loggedin)", "boolean number"
    ),
    _clue("partial_form_fills", "(partial_)?form_(fills?|progress|state|fields?_filled)", "number"),
    _clue("partial_form_fills", "(partial_)?form_(fills?|progress|state|fields?)", "text list"),
    _clue("review_click", "(is_)?review_click(ed|s)?|clicked_review", "boolean number"),
    _clue("outbound_click", "(is_)?outbound(_click)?", "boolean number"),
    _clue("outbound_click", "(outbound|exit|external)_(url|link|domain)", TEXT),
    _clue("dwell_time", "dwell_ms|dwell_millis|time_on_page_ms", NUMBER, field="dwell_ms"),
    _clue(
        "dwell_time",
        "dwell_(time|seconds|s|sec)|time_on_page|seconds_on_page|time_on_page_(s|sec|seconds)",
        NUMBER,
        "{c} * 1000",
        holds="quantile_disc({c}, 0.5) < 3600",
        field="dwell_ms",
    ),
    _clue(
        "referral_source",
        "referr?al(_source)?|referr?er(_url|_domain)?|traffic_source|utm_source|source_medium",
        TEXT,
    ),
    _clue("scroll_depth", "(max_)?scroll(_(depth|percent|pct|percentage))?", NUMBER),
    _clue(
        "cart_content",
        "(cart|basket)(_(contents?|items|products|skus))?",
        "list",
    ),
    _clue("cart_content", "(cart|basket)(_(contents?|items|products))?", "object", type="object"),
    _clue(
        "email_campaign", "(e_?mail|newsletter|mailing)_(campaign|id)(_(id|name))?", "text number"
    ),
    _clue(
        "email_campaign",
        "utm_campaign(_(id|name))?",
        "text number",
        f"CASE WHEN {_BY_EMAIL} THEN {{c}} END",
        also="utm_medium",
        holds=f"bool_or({_BY_EMAIL})",
    ),
    _clue(
        "push_notifications",
        "push(_(notifications?|campaign|message))?(_id|_name)?",
        "text number boolean",
    ),
)

CLUES = {Kind.USERS: USER_CLUES, Kind.EVENTS: EVENT_CLUES, Kind.RECOMMENDATIONS: ()}

OWNERS = ("user", "customer", "member", "client", "account", "profile", "cust", "visitor", "guest")
"""What a column's name may begin with without saying more: `customer_gender` is a gender."""

PLACEHOLDERS = (
    "none", "unknown", "n/a", "na", "null", "-", "?", "not specified", "unspecified", "undefined",
    "not set", "(not set)", "prefer not to say",
)  # fmt: skip
"""Texts that stand for no value."""

"""By which names columns are recognised, as data: regular expressions over the words of a name.

`CustomerID`, `customer id` and `customer_id` are the words `customer_id`. Where several patterns
are given, the first that fits is preferred.
"""

from __future__ import annotations

import re

_WORD = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|[0-9]+")

_PERSON = (
    "user|customer|member|account|profile|person|guest|subscriber|shopper|passenger|contact|cust|"
    "usr|loyalty|membership|travell?er|buyer|patient|player|consumer"
)
NUMBERS = "id|uid|uuid|guid|key|code|number|num|no|nr|ref"
_THING = (
    "item|product|sku|article|stock|listing|content|offer|asset|hotel|property|movie|film|track|"
    "song|video|book|course|recipe|restaurant|variant|ad|show"
)

UID = (
    rf"uid|user_({NUMBERS})|userid",
    rf"({_PERSON})_({NUMBERS})|customerid|memberid",
    _PERSON,
)
"""Whom a row is about; in a table of users, `client_id` and a bare `id` as well."""

UID_OF_USERS = (*UID, rf"client_({NUMBERS})", NUMBERS)

SID = (r"session_(id|key|token|uuid|guid)|sessionid|sid|visit_id|ga_session_id", "session")
CID = (
    r"client_id|clientid|cid|device_id|cookie_id|anonymous_id|anon_id|visitor_id|browser_id|"
    r"user_pseudo_id",
)

ITEM = (
    r"item_id|itemid",
    rf"({_THING})_({NUMBERS})",
    r"sku|asin|ean|isbn|gtin|upc|productid|stockcode",
    _THING,
    r"name|title",
)
"""What an event is about; a bare `name` last: in a table of stays it is the hotel's."""

ITEMS = (rf"({_THING})s?_(ids|codes|numbers)|({_THING})s|skus|items|basket|cart",)

LINKS = {
    "rec_id": (r"rec_id|recommendation_id",),
    "page_view_id": (r"page_view_id|pageview_id|pv_id",),
    "module_view_id": (r"module_view_id|widget_view_id",),
    "impression_id": (r"impression_id|imp_id",),
}
"""Reserved fields by which events point to one another."""

RANK = (r"rank", r"(item_|list_|display_|result_)?(position|pos|slot|rank|index)")
CLICK_TYPE = (r"click_(type|action|kind)", r"interaction(_type)?|action(_type)?")
PAGE_TYPE = (r"page_(type|category|kind|template)|screen_type|template(_type)?", r"page|screen")
CONVERSION_TYPE = (r"conversion_(type|name)|(order|purchase|booking)_type|goal(_name)?",)
EVENT_NAME = (r"event_(name|type|action|kind)", r"event|activity_type|action_type")
QUANTITY = (r"quantity|qty|units?(_sold)?|item_count|num_items",)
WORTH = (
    r"quantity|qty",
    r"((unit|item|order|total|gross|net)_)?(price|amount|total|value|revenue)|total",
    r"currency(_code)?",
)
"""What a conversion came to."""

_WHEN = "at|on|ts|time|timestamp|date|datetime|day|dt"
TIME = (
    rf"(event|occurred|happened|original|action|activity)(_({_WHEN}))?",
    r"timestamp|ts|time|datetime|date|event_timestamp",
    rf".+_({_WHEN})",
)
NOT_THE_TIME = re.compile(
    r"(.*_)?(load|loaded|ingest|ingested|ingestion|import|imported|etl|dbt|sync|synced|updated?|"
    r"modified|inserted|processed|deleted|birth|birthday|expir\w*|due|valid\w*|src|batch|partition|"
    r"delivery|shipped|returned|checkout|check_out|end|ended|finished)(_.*)?"
)
"""Times of something else: of a warehouse's own work, of people, of what comes later."""

YEAR, MONTH, DAY = (r"(.+_)?year",), (r"(.+_)?month",), (r"day|day_of_month",)

EVENT_TABLES = {
    r"(.+_)?page_?views?|pageviews?|screen_?views?": "page_view",
    r"(.+_)?(module|widget|carousel|section)_?views?": "module_view",
    r"(.+_)?(item_)?impressions?|.+_impressions?": "impression",
    r"(.+_)?clicks?|click_?stream": "click",
    r"(.+_)?(orders?|purchases?|sales?|transactions?|invoices?|conversions?)(_lines?|_items?)?"
    r"|(.+_)?(bookings?|reservations?|stays?)": "conversion",
    r"(.+_)?dwell(_times?|_events?)?|time_on_page": "dwell_time",
    r"(.+_)?scrolls?(_depths?|_events?)?": "scroll",
}
"""The standard event type that a table's name speaks of."""

BOOKINGS = re.compile(r"(.+_)?(bookings?|reservations?|stays?)")

TEST = (r"(is_)?(test|internal|synthetic|fake|bot)(_(user|account|data|row))?",)
DELETED = (
    r"(is_|was_)?(deleted|closed|deactivated|disabled|terminated|removed)(_flag|_at|_on|_date|_ts)?"
    r"|(account_)?(closed|deleted|deactivated)(_at|_on|_date)",
)
ERASE = (
    r"(.+_)?(erasure|erase|forget|forgotten|anonymi[sz]e|rtbf)(_me)?(_request(ed)?)?"
    r"(_(at|on|date|ts|flag))?|(gdpr|ccpa|privacy)_(delete|deletion|erase|erasure)(_.*)?"
    r"|(delete|deletion)_request(ed)?(_.*)?",
)
CONSENT = (
    r"(gdpr|privacy|data|profiling|personali[sz]ation|tracking)_(consent|opt_?in|agreed)(_given)?"
    r"|(has_)?consent(ed)?(_(given|granted|gdpr|personali[sz]ation|profiling|flag))?",
)
REFUSAL = (
    r"(gdpr_|tracking_|profiling_|personali[sz]ation_)?opt(ed)?_?out|do_not_(sell|track|profile)",
)
CLOSED = ("closed", "deleted", "deactivated", "disabled", "terminated", "erased")
"""What a status says of somebody who is gone."""


def words(name: str) -> str:
    """The words of a column's name in lower case: `Loyalty Number` as `loyalty_number`."""
    return "_".join(word.lower() for word in _WORD.findall(name))


def field_name(column: str) -> str:
    """What a field made of a column is called; a name without letters that we know stays."""
    return words(column) or "_".join(column.split())


def singular(table: str) -> str:
    """`searches` as `search`, `hotel_stays` as `hotel_stay`."""
    for ending, instead in (("ies", "y"), ("ches", "ch"), ("sses", "ss"), ("shes", "sh")):
        if table.endswith(ending) and len(table) > len(ending) + 1:
            return table.removesuffix(ending) + instead
    keeps = table.endswith(("ss", "us", "is")) or len(table) < 4
    return table if keeps else table.removesuffix("s")

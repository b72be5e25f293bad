"""The look-at side: requests, the page, and who may use it."""

import re
from html.parser import HTMLParser

import pytest


def test_recent_requests_are_listed_newest_first(api):
    api.user(uid="u")
    api.user(uid="")
    api("DELETE", "/v1/users/a%2Fb")
    seen = api.handle.requests(2)
    assert [(one["method"], one["path"], one["status"]) for one in seen] == [
        ("DELETE", "/v1/users/a%2Fb", 404),
        ("POST", "/v1/users", 422),
    ]
    assert seen[1]["bytes"] == len('{"uid": ""}')
    assert seen[1]["ms"] >= 0
    assert api.handle.counts()["requests"] == {
        "DELETE /v1/users/{uid}": {"404": 1},
        "POST /v1/users": {"200": 1, "422": 1},
    }
    assert api("GET", "/_sandbox/requests?limit=all").status == 400


def test_types_are_listed(api):
    api.user(uid="u", vector=[0.5])
    assert api("GET", "/_sandbox/types").json["users"]["vector"] == "embedding"


@pytest.mark.parametrize(
    ("what", "document"),
    [
        ("faults", []),
        ("faults", {"e503": 2}),
        ("quota", {"requests_per_second": 0}),
        ("quota", {"speed": 1}),
        ("poison", {}),
        ("poison", [{}]),
    ],
)
def test_controls_refuse_what_makes_no_sense(api, what, document):
    before = api("GET", f"/_sandbox/{what}").json
    answer = api("PUT", f"/_sandbox/{what}", document)
    assert answer.status == 400
    assert answer.message
    assert api("GET", f"/_sandbox/{what}").json == before


class Page(HTMLParser):
    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))


def test_the_page_needs_nothing_from_elsewhere_and_runs_nothing_but_its_own(api):
    answer = api("GET", "/_sandbox/")
    text = answer.body.decode()
    page = Page(text)
    assert answer.headers["Content-Type"] == "text/html; charset=utf-8"
    policy = answer.headers["Content-Security-Policy"]
    assert policy.startswith("default-src 'none'; ")
    nonces = {attrs.get("nonce") for tag, attrs in page.tags if tag in ("script", "style")}
    assert nonces == set(re.findall("'nonce-([^']+)'", policy))
    assert len(nonces) == 1
    assert not [attrs for _, attrs in page.tags if {"src", "href", "onclick"} & attrs.keys()]
    assert "innerHTML" not in text
    assert "{{" not in text
    assert api("GET", "/_sandbox").headers["Location"] == "/_sandbox/"


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({}, 200),
        ({"Host": "localhost:1"}, 200),
        ({"Host": "[::1]:1"}, 200),
        ({"Host": "rebound.test"}, 403),
        ({"Origin": "https://elsewhere.test"}, 403),
        ({"Origin": "null"}, 403),
    ],
)
def test_pages_of_other_origins_are_kept_out(api, headers, status):
    assert api("POST", "/_sandbox/reset", headers=headers).status in (status, 204)
    assert api("GET", "/_sandbox/counts", headers=headers).status == status

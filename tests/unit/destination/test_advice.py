"""Every way in which an API may ask for patience."""

from __future__ import annotations

import time
from collections.abc import Callable
from email.utils import formatdate

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connector.destination.advice import Allowance, allowance, policy, retry_after


def said(**headers: str) -> Callable[[str], str | None]:
    return {name.replace("_", "-"): value for name, value in headers.items()}.get


@pytest.mark.parametrize(
    ("value", "seconds"),
    [("0", 0), ("7", 7), (" 120 ", 120), ("-5", 0), ("+3", 3), ("99999999999", 99999999999)],
)
def test_retry_after_in_seconds(value: str, seconds: float) -> None:
    assert retry_after(said(retry_after=value)) == seconds


@pytest.mark.parametrize("value", ["", "soon", "1.5s", "1,2", "NaN", "inf", "Sat, 99 Foo", "٣"])
def test_a_malformed_retry_after_is_ignored(value: str) -> None:
    assert retry_after(said(retry_after=value)) is None


def test_a_date_is_measured_against_the_date_of_the_answer() -> None:
    answered = formatdate(1_000_000_000, usegmt=True)
    later = formatdate(1_000_000_030, usegmt=True)
    assert retry_after(said(retry_after=later, date=answered)) == 30


def test_a_date_without_another_is_measured_against_the_clock() -> None:
    wait = retry_after(said(retry_after=formatdate(time.time() + 30, usegmt=True)))
    assert wait == pytest.approx(30, abs=2)


def test_a_date_in_the_past_is_now() -> None:
    assert retry_after(said(retry_after="Wed, 21 Oct 2015 07:28:00 GMT")) == 0


@pytest.mark.parametrize(
    "headers",
    [
        {"ratelimit": '"default";r=0;t=30'},
        {"ratelimit": '"a";r=0;t=30;pk=:dA==:'},
        {"ratelimit": "limit=100, remaining=0, reset=30"},
        {"ratelimit_remaining": "0", "ratelimit_reset": "30"},
        {"x_ratelimit_remaining": "0", "x_ratelimit_reset": "30"},
    ],
)
def test_what_is_left_of_a_quota(headers: dict[str, str]) -> None:
    assert allowance(said(**headers)) == Allowance(0, 30)


def test_several_quotas_bind_by_the_one_that_is_used_up_for_longest() -> None:
    assert allowance(said(ratelimit='"minute";r=0;t=12, "day";r=900;t=80000')) == Allowance(0, 12)
    assert allowance(said(ratelimit='"s";r=5;t=1, "m";r=0;t=40')) == Allowance(0, 40)


@pytest.mark.parametrize("unit", [1, 1000])
def test_a_reset_may_be_a_moment(unit: int) -> None:
    moment = str(int((time.time() + 30) * unit))
    left = allowance(said(x_ratelimit_remaining="0", x_ratelimit_reset=moment))
    assert left is not None
    assert left.seconds == pytest.approx(30, abs=2)


@pytest.mark.parametrize(
    "headers",
    [
        {"ratelimit": "gibberish"},
        {"ratelimit": '"default";r=0'},
        {"ratelimit": '"default";r=x;t=y'},
        {"x_ratelimit_remaining": "0"},
        {"x_ratelimit_remaining": "none", "x_ratelimit_reset": "30"},
        {"x_ratelimit_remaining": "0", "x_ratelimit_reset": "inf"},
    ],
)
def test_what_is_not_said_in_full_is_ignored(headers: dict[str, str]) -> None:
    assert allowance(said(**headers)) is None


def test_a_reset_in_the_past_is_now() -> None:
    past = said(x_ratelimit_remaining="0", x_ratelimit_reset="-4")
    assert allowance(past) == Allowance(0, 0)


@pytest.mark.parametrize(
    ("value", "rate"),
    [
        ('"default";q=100;w=10', 10),
        ('"burst";q=100;w=1, "daily";q=86400;w=86400', 1),
        ("100;w=10", None),
        ('"default";q=100', None),
        ('"default";q=0;w=10', None),
        ('"default";q=100;w=0', None),
        ("gibberish", None),
    ],
)
def test_a_policy_is_a_rate(value: str, rate: float | None) -> None:
    limit = policy(said(ratelimit_policy=value))
    assert (limit and limit.requests_per_second) == rate


@given(st.text(), st.text())
def test_no_header_whatever_breaks_the_reading(one: str, other: str) -> None:
    header = said(
        retry_after=one, date=other, ratelimit=one, ratelimit_policy=other,
        x_ratelimit_remaining=one, x_ratelimit_reset=other,
    )  # fmt: skip
    retry_after(header)
    allowance(header)
    policy(header)

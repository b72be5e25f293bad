"""The token bucket and what it says about itself."""

from email.utils import parsedate_to_datetime

import pytest

from connector.sandbox import Quota
from connector.sandbox.quota import Bucket

SLOW = 0.001
"""Requests a second: so few that none comes back during a test."""


def test_a_burst_is_taken_at_once_and_no_more():
    bucket = Bucket(Quota(SLOW, burst=3))
    assert [bucket.take() for _ in range(5)] == [True, True, True, False, False]


def test_without_a_rate_everything_passes():
    bucket = Bucket(Quota())
    assert all(bucket.take() for _ in range(1000))
    assert bucket.headers() == []


def test_tokens_come_back_at_the_rate(monkeypatch):
    clock = [100.0]
    monkeypatch.setattr("connector.sandbox.quota.time.monotonic", lambda: clock[0])
    bucket = Bucket(Quota(10, burst=2))
    assert [bucket.take() for _ in range(3)] == [True, True, False]
    clock[0] += 0.11
    assert [bucket.take() for _ in range(2)] == [True, False]
    clock[0] += 60
    assert [bucket.take() for _ in range(3)] == [True, True, False]


def test_retry_after_comes_in_every_form():
    def after(form: str) -> list[bytes]:
        bucket = Bucket(Quota(SLOW, burst=1, retry_after=form))
        assert bucket.take()
        return [value for _, value in bucket.retry_after()]

    assert after("seconds") in ([b"1000"], [b"999"])
    assert parsedate_to_datetime(after("date")[0].decode()).tzinfo is not None
    assert after("none") == []
    assert after("in a while") == [b"in a while"]
    assert after("-5") == [b"-5"]


def test_a_policy_tells_units_a_window_whatever_may_come_at_once():
    headers = dict(Bucket(Quota(100, burst=5, rate_headers="ietf")).headers())
    assert headers[b"ratelimit-policy"] == b'"default";q=100;w=1'
    assert headers[b"ratelimit"] == b'"default";r=5;t=1'


def test_rate_headers_speak_of_what_is_left():
    ietf = Bucket(Quota(1, burst=5, rate_headers="ietf"))
    ietf.take()
    assert dict(ietf.headers()) == {
        b"ratelimit-policy": b'"default";q=5;w=5',
        b"ratelimit": b'"default";r=4;t=1',
    }
    plain = Bucket(Quota(1, burst=5, rate_headers="x", headers={"X-RateLimit-Reset": "soon"}))
    assert dict(plain.headers()) == {
        b"x-ratelimit-limit": b"5",
        b"x-ratelimit-remaining": b"5",
        b"x-ratelimit-reset": b"soon",
    }


@pytest.mark.parametrize("wrong", [{"requests_per_second": 0}, {"burst": 0}, {"rate_headers": "y"}])
def test_a_quota_that_makes_no_sense_is_refused(wrong):
    with pytest.raises(ValueError, match=r"rate|burst"):
        Quota(**wrong)

"""Requests: one segment for one uid, and nothing secret in a repr."""

from __future__ import annotations

from urllib.parse import unquote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connector.destination import requests
from connector.destination.requests import UnaddressableKeyError


@given(st.text(min_size=1))
def test_an_erasure_names_its_uid_in_one_segment_or_is_refused(uid: str) -> None:
    try:
        path = requests.erase(uid).path
    except UnaddressableKeyError:
        control = any(ord(c) < 32 or 127 <= ord(c) < 160 for c in uid)
        assert control or uid in (".", "..") or not uid.isprintable()
        return
    empty, users, segment = path.split("/")
    assert (empty, users) == ("", "users")
    assert unquote(segment) == uid
    assert segment not in ("", ".", "..")


@pytest.mark.parametrize("uid", ["", ".", "..", "a\x00", "a\nb", "\x7f", "\x85", "\ud800"])
def test_a_key_that_cannot_be_addressed_is_refused(uid: str) -> None:
    with pytest.raises(UnaddressableKeyError) as raised:
        requests.erase(uid)
    assert repr(uid)[1:-1] not in str(raised.value) or uid in ("", ".", "..")


def test_a_request_shows_neither_key_nor_content() -> None:
    assert "canary" not in repr(requests.erase("canary"))
    assert "canary" not in repr(requests.user(b'{"uid":"canary"}'))


def test_events_are_wrapped_even_when_there_is_one() -> None:
    assert requests.events(b'{"id":"e"}').body == b'{"events":[{"id":"e"}]}'

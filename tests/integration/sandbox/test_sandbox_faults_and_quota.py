"""Faults, quota and poison, as a client meets them."""

import http.client
import json
import socket
import struct
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from email.utils import parsedate_to_datetime

import pytest

from connector.sandbox import Handle


@contextmanager
def asking(handle: Handle) -> Iterator[socket.socket]:
    """A connection over which a user was just sent; the sandbox is at it."""
    body = b'{"uid": "u"}'
    head = (
        f"POST /v1/users HTTP/1.1\r\nHost: {handle.host}\r\nContent-Type: application/json\r\n"
        f"Authorization: Bearer sandbox\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    with socket.create_connection((handle.host, handle.port)) as connection:
        connection.sendall(head.encode() + body)
        while not handle.counts()["in_flight"]:
            time.sleep(0.005)
        yield connection


@pytest.mark.parametrize("status", [400, 408, 429, 500, 503, 504])
def test_a_status_on_request_is_answered_before_anything_is_stored(start, status):
    api = start(faults=f"e{status}=1")
    answer = api.user(uid="u")
    assert answer.status == status
    assert answer.json["code"] == "injected_fault"
    assert api.handle.user("u") is None


@pytest.mark.parametrize(
    ("fault", "stored"),
    [("reset", False), ("reset_after", True), ("hang", False), ("hang_after", True)],
)
def test_a_client_left_without_an_answer_may_or_may_not_have_been_heard(start, fault, stored):
    api = start(faults=f"{fault}=1", hang_seconds=0.2)
    with pytest.raises(ConnectionResetError) as broken:
        api.user(uid="u")
    assert broken.type is ConnectionResetError, "an orderly end is no reset"
    api.handle.set_faults({})
    assert (api.handle.user("u") is not None) is stored
    assert api.handle.counts()["requests"] == {"POST /v1/users": {"0": 1}}
    assert api.handle.counts()["faults"] == {fault: 1}


def test_a_hang_ends_when_the_client_hangs_up(start):
    api = start(faults="hang=1")
    with pytest.raises(TimeoutError):
        api("POST", "/v1/users", {"uid": "u"}, timeout=0.2)
    deadline = time.monotonic() + 10
    while api.handle.counts()["in_flight"]:
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_a_client_that_breaks_off_leaves_no_error_behind(start, caplog):
    api = start(faults="hang=1")
    with asking(api.handle) as connection:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    deadline = time.monotonic() + 20
    while api.handle.counts()["in_flight"]:
        assert time.monotonic() < deadline
        time.sleep(0.01)
    api.handle.stop()
    assert [record.getMessage() for record in caplog.records if record.levelname == "ERROR"] == []


def test_a_sandbox_stops_although_a_client_hangs(start):
    api = start(faults="hang=1")
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(api.user, uid="u")
        while not api.handle.counts()["in_flight"]:
            time.sleep(0.01)
        api.handle.stop()
        assert isinstance(waiting.exception(10), ConnectionError)


def test_a_drip_is_the_whole_answer_in_bytes(start):
    api = start(faults="drip=1,drip_seconds=50ms")
    assert api.user(uid="u").json == {"uid": "u", "created": True}


def test_a_truncated_answer_promises_more_than_it_sends(start):
    api = start(faults="truncate=1")
    with pytest.raises(http.client.IncompleteRead):
        api.user(uid="u")
    assert api.handle.user("u") is not None


@pytest.mark.parametrize("fault", ["garbage", "no_body"])
def test_a_spoiled_body_keeps_the_status(start, fault):
    api = start(faults=f"{fault}=1")
    for fields, status in (({"uid": "u"}, 200), ({"uid": ""}, 422)):
        answer = api.user(**fields)
        assert answer.status == status
        assert (answer.body == b"") == (fault == "no_body")
        with pytest.raises(json.JSONDecodeError):
            json.loads(answer.body)
    assert api("DELETE", "/v1/users/u").status == 204


def test_a_redirect_loses_what_follows_it(start):
    api = start(faults="redirect=1")
    answer = api.user(uid="u")
    assert answer.status == 302
    assert answer.headers["Location"] == f"{api.handle.url}/_sandbox/redirected"
    assert api("GET", "/_sandbox/redirected").status == 200
    assert api.handle.user("u") is None


def test_an_outage_is_switched_on_and_off(api):
    assert api.user(uid="u").status == 200
    api.handle.set_faults({"e503": 1.0})
    assert {api.user(uid="u").status for _ in range(5)} == {503}
    api.handle.set_faults({})
    assert api.user(uid="u").status == 200
    with pytest.raises(ValueError, match="is no fault"):
        api.handle.set_faults({"explode": 1})


def test_latency_and_capacity_hold_requests_back(start):
    api = start(faults="latency=50ms,capacity=2")
    begun = time.monotonic()
    with ThreadPoolExecutor(6) as pool:
        statuses = list(pool.map(lambda n: api.user(uid=f"u{n}").status, range(6)))
    assert statuses == [200] * 6
    assert time.monotonic() - begun >= 0.15


def test_overlapping_requests_of_one_user_are_recorded(start):
    api = start(faults="latency=1s")
    with ThreadPoolExecutor(3) as pool:
        list(pool.map(lambda uid: api.user(uid=uid), ["u", "u", "other"]))
    counts = api.handle.counts()
    assert counts["order_violations"] == 1
    assert counts["order_violation_uids"] == ["u"]
    api.user(uid="u")
    api("DELETE", "/v1/users/u")
    assert api.handle.counts()["order_violations"] == 1


def test_a_delete_that_overlaps_an_upsert_is_recorded(start):
    api = start(faults="latency=1s")
    with ThreadPoolExecutor(2) as pool:
        upsert = pool.submit(api.user, uid="a/b")
        while not api.handle.counts()["in_flight"]:
            time.sleep(0.005)
        delete = pool.submit(api, "DELETE", "/v1/users/a%2Fb")
        upsert.result()
        delete.result()
    assert api.handle.counts()["order_violations"] == 1


def test_asking_again_after_hanging_up_is_no_violation(start):
    api = start(faults="latency=1s")
    with asking(api.handle):
        pass
    assert api.user(uid="u").status == 200
    assert api.handle.counts()["order_violations"] == 0


def test_a_quota_answers_429_and_says_when_to_come_back(api):
    api.handle.set_quota(requests_per_second=0.1, burst=2, rate_headers="ietf")
    answers = [api.user(uid="u") for _ in range(4)]
    assert [answer.status for answer in answers] == [200, 200, 429, 429]
    assert 5 <= int(answers[2].headers["Retry-After"]) <= 10
    assert answers[0].headers["RateLimit-Policy"] == '"default";q=2;w=20'
    assert answers[0].headers["RateLimit"].startswith('"default";r=1;t=')
    api.handle.set_quota(requests_per_second=0.1, burst=1, retry_after="date")
    answer = [api.user(uid="u") for _ in range(2)][1]
    wait = parsedate_to_datetime(answer.headers["Retry-After"]) - parsedate_to_datetime(
        answer.headers["Date"]
    )
    assert 5 <= wait.total_seconds() <= 13
    api.handle.set_quota(requests_per_second=0.1, burst=1, retry_after="none")
    answer = [api.user(uid="u") for _ in range(2)][1]
    assert (answer.status, answer.headers["Retry-After"]) == (429, None)
    api.handle.set_quota()
    assert api.user(uid="u").status == 200


def test_an_unknown_key_costs_no_quota(start):
    api = start()
    api.handle.set_quota(requests_per_second=0.01, burst=1)
    wrong = {"Authorization": "Bearer wrong"}
    assert api("POST", "/v1/users", {"uid": "u"}, headers=wrong).status == 401
    assert api.user(uid="u").status == 200
    assert api.user(uid="u").status == 429


def test_poison_is_refused_by_the_api_alone(api, click):
    api.handle.set_poison(
        [
            {"resource": "events", "field": "item_id", "equals": "bad"},
            {"resource": "events", "field": "item_id", "equals": "mute", "tell_index": False},
            {"resource": "users", "field": "uid", "equals": "u7", "status": 400, "code": "no"},
        ]
    )
    answer = api.events(click(), click(item_id="bad"))
    assert (answer.status, answer.message) == (422, "events[1].item_id: is not accepted")
    assert api.events(click(item_id="mute")).message == "is not accepted"
    answer = api.user(uid="u7")
    assert (answer.status, answer.json["code"]) == (400, "no")
    assert api.user(uid="u8").status == 200
    api.handle.set_poison([])
    assert api.user(uid="u7").status == 200


def test_faults_are_drawn_at_the_asked_rate(start):
    api = start(faults="e500=0.3", seed=3)
    statuses = [api.user(uid="u").status for _ in range(200)]
    assert 30 < statuses.count(500) < 90
    again = start(faults="e500=0.3", seed=3)
    assert [again.user(uid="u").status for _ in range(200)] == statuses


def test_threads_of_a_stopped_sandbox_are_gone(start):
    api = start()
    api.handle.stop()
    api.handle.stop()
    assert f"sandbox-{api.handle.port}" not in {thread.name for thread in threading.enumerate()}

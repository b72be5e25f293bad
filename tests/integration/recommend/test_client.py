"""The client alone, against the sandbox and against servers that misbehave."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta, timezone
from typing import Any

import pytest

from connector import AsyncClient, Client
from connector.errors import ConnectorError, DestinationError, RequestRefused, UsageError
from connector.sandbox import Sandbox
from tests.support.loopback import OK, RESET, Answer, Loopback, Received, error

KEY = "sk_very_secret_key"


@pytest.fixture
def client(far: Sandbox) -> Iterator[Client]:
    with Client("sandbox", far.base_url) as made:
        yield made


def click(**members: Any) -> dict[str, Any]:
    event = {"type": "click", "uid": "u", "item_id": "i", "click_type": "open"}
    return {**event, "original_timestamp": datetime(2026, 3, 1, 12), **members}


def test_a_user_is_created_changed_and_deleted(client: Client, far: Sandbox) -> None:
    client.users.upsert({"uid": "a/b ü", "country": "NO", "seen": datetime(2026, 3, 1, tzinfo=UTC)})
    client.users.upsert({"uid": "a/b ü", "country": "SE"})
    stored = far.user("a/b ü")
    assert stored is not None
    assert stored["country"] == "SE"
    assert client.users.delete("a/b ü") is True
    assert client.users.delete("a/b ü") is False
    assert far.user("a/b ü") is None


def test_events_arrive_in_few_requests_and_once(client: Client, far: Sandbox) -> None:
    assert client.events.send(click(item_id=f"i{n}") for n in range(1200)) == 1200
    assert far.counts()["events"] == 1200
    assert far.counts()["requests"]["POST /v1/events"] == {"200": 3}
    assert client.events.send([]) == 0
    assert client.events.send(click(id="alone")) == 1
    assert far.event("alone") is not None


def test_events_repeated_after_a_lost_answer_are_stored_once(client: Client, far: Sandbox) -> None:
    far.set_faults({"reset_after": 0.5})
    assert client.events.send([click() for _ in range(10)]) == 10
    for n in range(10):
        client.events.send([click(id=f"own_{n}")])
    far.set_faults({})
    assert far.counts()["events"] == 20
    assert far.event("own_3") is not None


def test_recommendations_come_typed_with_what_tells_items_apart(client: Client) -> None:
    answer = client.recommend(
        user_id="u",
        items=[
            {"id": "a", "attributes": {"price": 1}},
            {"id": "b"},
            {"id": "a", "attributes": {"price": 2}},
        ],
        model_id="test_model_item_200",
        limit=3,
        context={"user_region": "NO"},
    )
    assert answer.rec_id.startswith("rec_")
    assert [(item.id, dict(item.attributes)) for item in answer.items] == [
        ("a", {"price": 1}),
        ("b", {}),
        ("a", {"price": 2}),
    ]
    assert all(isinstance(item.score, float) for item in answer.items)
    by_name = client.recommend(session_id="s", item_ids=["x"], model_name="test_model_item_200")
    assert [item.id for item in by_name.items] == ["x"]


def test_each_mock_model_has_its_outcome(client: Client, far: Sandbox) -> None:
    with pytest.raises(RequestRefused) as refused:
        client.recommend(user_id="u", item_ids=["a"], model_id="test_model_item_400")
    assert (refused.value.status, refused.value.code) == (400, "bad_request")
    for status in (429, 503):
        with pytest.raises(DestinationError, match=f"failed 6 times in a row .HTTP {status}"):
            client.recommend(user_id="u", item_ids=["a"], model_id=f"test_model_item_{status}")
    found = far.counts()["requests"]["POST /v1/recommend"]
    assert found == {"400": 1, "429": 6, "503": 6}


def test_tasks_may_share_an_asynchronous_client(far: Sandbox) -> None:
    async def work() -> int:
        async with AsyncClient("sandbox", far.base_url, max_in_flight=4) as client:
            users = ({"uid": f"u{n}", "country": "NO"} for n in range(50))
            await asyncio.gather(*(client.users.upsert(user) for user in users))
            answer = await client.recommend(
                user_id="u1", item_ids=["a"], model_id="test_model_item_200"
            )
            return len(answer.items)

    assert asyncio.run(work()) == 1
    assert far.counts()["users"] == 50


def test_the_client_works_where_a_loop_is_running_already(far: Sandbox) -> None:
    async def notebook() -> None:
        with Client("sandbox", far.base_url) as client:
            client.users.upsert({"uid": "u", "country": "NO"})

    asyncio.run(notebook())
    assert far.counts()["users"] == 1


@pytest.mark.parametrize(
    "call",
    [
        lambda client: client.users.upsert({"country": "NO"}),
        lambda client: client.users.upsert({"uid": ".."}),
        lambda client: client.users.upsert({"uid": 7}),
        lambda client: client.users.upsert({"uid": "u", "score": float("nan")}),
        lambda client: client.users.upsert({"uid": "u", "what": object()}),
        lambda client: client.users.delete(""),
        lambda client: client.recommend(item_ids=["a"], model_id="m"),
        lambda client: client.recommend(user_id="u", model_id="m"),
        lambda client: client.recommend(user_id="u", item_ids=["a"], items=[], model_id="m"),
        lambda client: client.recommend(user_id="u", item_ids=["a"]),
        lambda client: client.recommend(user_id="u", item_ids="abc", model_id="m"),
        lambda client: client.recommend(user_id="u", items={"id": "a"}, model_id="m"),
        lambda client: client.users.upsert("u"),
        lambda client: client.events.send(["scroll"]),
        lambda client: client.events.send("scroll"),
    ],
)
def test_what_cannot_be_sent_is_refused_before_it_is(
    client: Client, far: Sandbox, call: Any
) -> None:
    with pytest.raises(UsageError):
        call(client)
    assert far.counts()["requests_total"] == 0


def test_an_empty_key_is_no_key() -> None:
    with pytest.raises(UsageError, match="empty"):
        Client("")


def test_a_closed_client_says_so(far: Sandbox) -> None:
    client = Client("sandbox", far.base_url)
    client.close()
    client.close()
    with pytest.raises(UsageError, match="closed"):
        client.users.delete("u")


def test_the_key_shows_nowhere_though_the_api_repeats_it() -> None:
    echo = error(401, f"bad_{KEY} key", f"no such key {KEY}")
    with Loopback(lambda request: echo) as server:
        with Client(KEY, server.url) as client, pytest.raises(DestinationError) as raised:
            client.users.delete("u")
        assert server.received[0].headers["authorization"] == f"Bearer {KEY}"
        assert KEY not in repr(client) + str(raised.value) + repr(raised.value)
        with Client(KEY, server.url, auth="api_key") as client, pytest.raises(DestinationError):
            client.users.delete("u")
        assert server.received[1].headers["x-api-key"] == KEY


def test_what_the_api_complains_of_is_named_and_its_words_are_not_repeated() -> None:
    said = json.dumps({"code": "invalid", "message": f"{KEY} is wrong", "field": "country"})
    with (
        Loopback(lambda request: Answer(422, said.encode())) as server,
        Client(KEY, server.url) as client,
        pytest.raises(RequestRefused) as raised,
    ):
        client.users.upsert({"uid": "u", "country": "XX"})
    assert (raised.value.code, raised.value.field) == ("invalid", "country")
    assert str(raised.value) == "the API refused the request (HTTP 422, invalid, field 'country')"


def test_retry_after_is_waited_for_and_broken_connections_are_tried_again() -> None:
    answers = iter([error(429, "slow", "down", **{"Retry-After": "1"}), RESET, error(503, "", "")])

    def respond(_request: Received) -> Answer:
        return next(answers, OK)

    with Loopback(respond) as server, Client(KEY, server.url) as client:
        client.users.upsert({"uid": "u"})
        first, second = server.received[0].at, server.received[1].at
        assert len(server.received) == 4
    assert second - first >= 0.99


def test_a_longer_wait_than_allowed_ends_the_call() -> None:
    answer = error(429, "slow", "down", **{"Retry-After": "3600"})
    with (
        Loopback(lambda request: answer) as server,
        Client(KEY, server.url) as client,
        pytest.raises(DestinationError, match="asks to wait 3600 s"),
    ):
        client.users.upsert({"uid": "u"})


def test_an_answer_that_breaks_off_is_asked_for_again() -> None:
    whole = json.dumps({"rec_id": "r", "items": [{"id": "a", "score": 1}]}).encode()
    cut = b"HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\n" + whole[:10]
    answers = iter([Answer(raw=cut, close=True)])
    with (
        Loopback(lambda request: next(answers, Answer(body=whole))) as server,
        Client(KEY, server.url) as client,
    ):
        answer = client.recommend(user_id="u", item_ids=["a"], model_id="m")
        assert len(server.received) == 2
    assert answer.rec_id == "r"


@pytest.mark.parametrize(
    "body", [b"<html>", b"[]", b'{"rec_id": "r"}', b'{"rec_id":"r","items":[1]}']
)
def test_a_success_that_is_no_answer_is_an_error(body: bytes) -> None:
    with (
        Loopback(lambda request: Answer(body=body)) as server,
        Client(KEY, server.url) as client,
        pytest.raises(ConnectorError, match="rec_id"),
    ):
        client.recommend(user_id="u", item_ids=["a"], model_id="m")


def test_a_batch_that_is_too_large_is_halved() -> None:
    def respond(request: Received) -> Answer:
        return OK if len(request.json()["events"]) <= 3 else error(413, "too_large", "too large")

    with Loopback(respond) as server, Client(KEY, server.url) as client:
        assert client.events.send(click(id=str(n)) for n in range(10)) == 10
        accepted = [
            event["id"]
            for request in server.received
            if len(request.json()["events"]) <= 3
            for event in request.json()["events"]
        ]
    assert sorted(accepted, key=int) == [str(n) for n in range(10)]


def test_times_are_sent_in_utc_with_milliseconds() -> None:
    oslo = timezone(timedelta(hours=2))
    with Loopback() as server, Client(KEY, server.url) as client:
        client.users.upsert(
            {
                "uid": "u",
                "a": datetime(2026, 3, 1, 12, 0, 0, 123_456),
                "b": datetime(2026, 3, 1, 12, tzinfo=oslo),
                "c": date(2026, 3, 1),
            }
        )
        (sent,) = server.users()
    assert sent == {
        "uid": "u",
        "a": "2026-03-01T12:00:00.123Z",
        "b": "2026-03-01T10:00:00.000Z",
        "c": "2026-03-01T00:00:00.000Z",
    }


def test_plain_http_is_for_loopback_only() -> None:
    with pytest.raises(DestinationError, match="https"):
        Client(KEY, "http://api.example.com/v1")

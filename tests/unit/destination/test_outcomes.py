"""The table from answers to actions, and the reading of refusals."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connector.destination.outcomes import (
    MESSAGE_CHARACTERS,
    Action,
    Failure,
    outcome,
    refusal,
)
from connector.destination.work import Operation

WRITES = [Operation.UPSERT, Operation.SOFT_DELETE, Operation.EVENT]


@pytest.mark.parametrize("operation", list(Operation))
@pytest.mark.parametrize("status", [200, 201, 202, 204, 207, 299])
def test_every_2xx_acknowledges(operation: Operation, status: int) -> None:
    assert outcome(operation, status).action is Action.ACKNOWLEDGE


@pytest.mark.parametrize("operation", list(Operation))
@pytest.mark.parametrize("status", [401, 403, 407, 301, 302, 303, 307, 308, 304, 405])
def test_what_concerns_every_row_stops(operation: Operation, status: int) -> None:
    assert outcome(operation, status).action is Action.STOP
    assert outcome(operation, status).problem


@pytest.mark.parametrize("status", [404, 410])
def test_a_missing_address_stops_a_post_and_completes_a_delete(status: int) -> None:
    assert {outcome(write, status).action for write in WRITES} == {Action.STOP}
    assert outcome(Operation.HARD_DELETE, status).action is Action.ACKNOWLEDGE


@pytest.mark.parametrize("operation", list(Operation))
@pytest.mark.parametrize("status", [408, 409, 425, 500, 501, 502, 503, 504, 529, 599])
def test_temporary_statuses_are_retried(operation: Operation, status: int) -> None:
    assert outcome(operation, status).action is Action.RETRY


@pytest.mark.parametrize("operation", list(Operation))
def test_only_three_statuses_are_the_rows_own(operation: Operation) -> None:
    assert outcome(operation, 400).action is Action.REFUSE
    assert outcome(operation, 422).action is Action.REFUSE
    assert outcome(operation, 413).action is Action.SHRINK
    assert outcome(operation, 429).action is Action.THROTTLE
    assert outcome(operation, 418).action is Action.STOP


@pytest.mark.parametrize("failure", [each for each in Failure if each is not Failure.CERTIFICATE])
def test_a_failure_of_the_network_is_retried(failure: Failure) -> None:
    assert outcome(Operation.UPSERT, failure).action is Action.RETRY


def test_a_certificate_that_is_not_trusted_stops() -> None:
    assert outcome(Operation.UPSERT, Failure.CERTIFICATE).action is Action.STOP


@given(st.integers(0, 999))
def test_there_is_an_action_for_every_number(status: int) -> None:
    assert all(isinstance(outcome(operation, status).action, Action) for operation in Operation)


@pytest.mark.parametrize(
    ("body", "code", "message"),
    [
        (b'{"code": "bad", "message": "no good"}', "bad", "no good"),
        (b'{"error": {"code": "bad", "message": "no good"}}', "bad", "no good"),
        (b'{"code": 17, "detail": "no good"}', "17", "no good"),
        (b'{"code": null, "message": ["x"]}', "http_422", "HTTP 422"),
        (b"", "http_422", "HTTP 422"),
        (b"<html>", "http_422", "HTTP 422"),
        (b"[1, 2]", "http_422", "HTTP 422"),
        (b'{"code": "bad"', "http_422", "HTTP 422"),
        (b"\xff\xfe", "http_422", "HTTP 422"),
        (b"[" * 50_000, "http_422", "HTTP 422"),
    ],
)
def test_a_refusal_is_read_leniently(body: bytes, code: str, message: str) -> None:
    words = refusal(422, body)
    assert words.code == code
    assert words.message.startswith(message)


def test_a_message_is_bounded_and_one_line() -> None:
    words = refusal(400, b'{"message": "a\\nb\\u001b[31m' + b"x" * 5000 + b'"}')
    assert words.message.startswith("a b [31m")
    assert len(words.message) == MESSAGE_CHARACTERS


def test_named_events_and_fields_are_found() -> None:
    words = refusal(422, b'{"message": "events[17].rank: must be a number; events[3]: odd"}')
    assert words.named == ((17, "rank"), (3, None))
    assert words.field == "rank"


@given(st.binary(max_size=300))
def test_no_body_whatever_breaks_the_reading(body: bytes) -> None:
    assert refusal(400, body).code

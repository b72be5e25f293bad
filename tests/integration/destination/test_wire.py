"""What really leaves: bytes on the wire, headers, and everything that must not leave."""

from __future__ import annotations

import asyncio
import logging
import pickle
import shutil
import ssl
import subprocess
import traceback
from collections.abc import Callable
from pathlib import Path
from urllib.parse import unquote_to_bytes

import pytest
from pydantic import SecretStr

from connector.destination import requests
from connector.destination.outcomes import Failure
from connector.destination.requests import Request
from connector.destination.target import Auth, Target
from connector.destination.transport import SOUND_ANSWERS, HttpTransport
from connector.destination.transport import Answer as Answered
from connector.destination.writer import Writer
from connector.errors import DestinationError
from tests.integration.destination.conftest import KEY, Ledger
from tests.support.loopback import OK, RESET, Answer, Loopback, error
from tests.support.work import erasures, users

MakeTarget = Callable[..., Target]

UIDS = [
    "plain",
    "a/b",
    "a%2Fb",
    "../../admin",
    "..%2f",
    "/",
    "ü ñ",
    "a?b#c",
    "👩‍👩‍👧",
    "%",
    "%%",
    "%2e%2e",
    "...",
    ".hidden",
    "back\\slash",
    "a;b=c&d+e",
    " leading and trailing ",
    "'\"<>{}|^`[]@:!$*(),~-_",
    "x" * 500,
    "é" * 500,
]


def send(target: Target, *wanted: Request) -> list[Answered | Failure]:
    async def run() -> list[Answered | Failure]:
        transport = HttpTransport(target)
        try:
            return [await transport.send(request) for request in wanted]
        finally:
            await transport.close()

    return asyncio.run(run())


@pytest.mark.parametrize("uid", UIDS)
def test_a_delete_names_exactly_its_uid_as_one_segment(target: MakeTarget, uid: str) -> None:
    with Loopback() as server:
        send(target(server.url), requests.erase(uid))
    (received,) = server.received
    prefix, _, segment = received.target.rpartition("/")
    assert (received.method, prefix) == ("DELETE", "/v1/users")
    assert unquote_to_bytes(segment) == uid.encode()


def test_all_these_uids_are_deleted_in_one_delivery(target: MakeTarget, ledger: Ledger) -> None:
    with Loopback() as server:
        Writer(target(server.url)).deliver([erasures(UIDS)], ledger.settle)
    assert ledger.holds_once(range(len(UIDS)))
    assert {unquote_to_bytes(r.target.rpartition("/")[2]).decode() for r in server.received} == set(
        UIDS
    )


@pytest.mark.parametrize(
    ("auth", "header", "value"),
    [(Auth.BEARER, "authorization", f"Bearer {KEY}"), (Auth.API_KEY, "x-api-key", KEY)],
)
def test_the_key_goes_into_the_one_header_it_belongs_to(
    target: MakeTarget, auth: Auth, header: str, value: str
) -> None:
    with Loopback() as server:
        send(target(server.url, auth=auth), requests.user(b"{}"))
    headers = server.received[0].headers
    assert headers[header] == value
    assert not {"authorization", "x-api-key"} - {header} & set(headers)
    assert headers["content-type"] == "application/json"
    assert headers["user-agent"].startswith("sequen-connector/")
    assert not {"cookie", "referer"} & set(headers)


def test_connections_are_kept_and_used_again(target: MakeTarget, ledger: Ledger) -> None:
    answer = Answer(200, b'{"ok": true}')
    with Loopback(lambda request: answer) as server:
        Writer(target(server.url, max_in_flight=8)).deliver(users(500), ledger.settle)
        assert len({request.connection for request in server.received}) <= 8


def test_no_redirect_is_followed(target: MakeTarget) -> None:
    with Loopback() as other, Loopback() as server:
        server.respond = lambda request: Answer(307, headers={"Location": f"{other.url}/users"})
        (answer,) = send(target(server.url), requests.user(b"{}"))
    assert isinstance(answer, Answered)
    assert answer.status == 307
    assert other.received == []


def test_cookies_are_not_kept(target: MakeTarget) -> None:
    with Loopback(lambda request: Answer(headers={"Set-Cookie": "a=b; Path=/"})) as server:
        send(target(server.url), requests.user(b"{}"), requests.user(b"{}"))
    assert all("cookie" not in request.headers for request in server.received)


@pytest.mark.parametrize("name", ["http_proxy", "HTTP_PROXY", "https_proxy", "ALL_PROXY"])
def test_a_proxy_of_the_environment_is_ignored(
    target: MakeTarget, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    with Loopback() as proxy, Loopback() as server:
        monkeypatch.setenv(name, f"http://127.0.0.1:{proxy.port}")
        (answer,) = send(target(server.url), requests.user(b"{}"))
    assert isinstance(answer, Answered)
    assert len(server.received) == 1
    assert proxy.received == []


def test_a_proxy_of_the_target_is_used(target: MakeTarget) -> None:
    with Loopback() as proxy, Loopback() as server:
        secret = SecretStr(f"http://127.0.0.1:{proxy.port}")
        send(target(server.url, proxy=secret), requests.user(b"{}"))
    assert server.received == []
    assert len(proxy.received) == 1


def test_an_answer_that_never_ends_costs_neither_time_nor_memory(target: MakeTarget) -> None:
    flood = Answer(
        raw=b"HTTP/1.1 422 No\r\nContent-Length: 99999999999\r\n\r\n", drip=b"x" * 50_000
    )
    with Loopback(lambda request: flood) as server:
        (answer,) = send(target(server.url), requests.user(b"{}"))
    assert isinstance(answer, Answered)
    assert answer.status == 422
    assert len(answer.body) <= 65_536


@pytest.mark.parametrize(
    ("trouble", "failure"),
    [
        (
            Answer(raw=b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nabc", close=True),
            Failure.BROKEN,
        ),
        (Answer(raw=b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nabc"), Failure.TIMEOUT),
    ],
)
def test_after_many_sound_answers_a_body_that_stays_out_hides_its_status_once(
    target: MakeTarget, trouble: Answer, failure: Failure
) -> None:
    answers = iter([*[Answer(200, b"{}")] * SOUND_ANSWERS, *[trouble] * 3])
    with Loopback(lambda request: next(answers)) as server:
        wanted = [requests.user(b"{}")] * (SOUND_ANSWERS + 3)
        *sound, first, second, third = send(target(server.url, timeout=1.5), *wanted)
    assert {answer.status for answer in sound if isinstance(answer, Answered)} == {200}
    assert first is failure
    assert [each.status for each in (second, third) if isinstance(each, Answered)] == [200, 200]


def test_after_many_sound_answers_the_words_of_a_refusal_still_come(target: MakeTarget) -> None:
    flood = Answer(
        raw=b"HTTP/1.1 422 No\r\nContent-Length: 99999999999\r\n\r\n", drip=b"x" * 50_000
    )
    answers = iter([*[OK] * SOUND_ANSWERS, error(400, "bad_user", "age: not a number"), flood])
    with Loopback(lambda request: next(answers)) as server:
        wanted = [requests.user(b"{}")] * (SOUND_ANSWERS + 2)
        *_, refused, flooded = send(target(server.url), *wanted)
    assert isinstance(refused, Answered)
    assert b"age: not a number" in refused.body
    assert isinstance(flooded, Answered)
    assert flooded.status == 422
    assert 0 < len(flooded.body) <= 65_536


def test_headers_that_never_end_time_out(target: MakeTarget) -> None:
    endless = Answer(raw=b"HTTP/1.1 200 OK\r\n", drip=b"X-More: x\r\n")
    with Loopback(lambda request: endless) as server:
        (answer,) = send(target(server.url, timeout=1.5), requests.user(b"{}"))
    assert answer is Failure.TIMEOUT


@pytest.mark.parametrize(
    ("answer", "failure"),
    [
        (RESET, Failure.BROKEN),
        (Answer(raw=b"HTTP/1.1 200", close=True), Failure.BROKEN),
        (Answer(raw=b"220 mail.test ESMTP\r\n\r\n", close=True), Failure.GARBLED),
        (Answer(delay=30), Failure.TIMEOUT),
    ],
)
def test_no_status_is_a_failure_and_not_an_exception(
    target: MakeTarget, answer: Answer, failure: Failure
) -> None:
    with Loopback(lambda request: answer) as server:
        assert send(target(server.url, timeout=1.5), requests.user(b"{}")) == [failure]


def test_nobody_listening_is_a_failure_to_connect(target: MakeTarget) -> None:
    with Loopback() as server:
        url = server.url
    assert send(target(url), requests.user(b"{}")) == [Failure.CONNECT]


@pytest.mark.parametrize(
    "address", ["http://api.example.com/v1", "ftp://127.0.0.1/v1", "https:///v1", "127.0.0.1/v1"]
)
def test_an_address_that_would_send_the_key_in_clear_is_refused(
    target: MakeTarget, address: str
) -> None:
    with pytest.raises(DestinationError, match="https"):
        Writer(target(address))


def test_a_key_that_is_no_header_value_is_an_error_without_the_key(ledger: Ledger) -> None:
    target = Target("test", "http://127.0.0.1:1/v1", SecretStr("canary\nkey"))
    with pytest.raises(DestinationError) as raised:
        Writer(target).deliver(users(1), ledger.settle)
    assert "canary" not in "".join(traceback.format_exception(raised.value))


def test_neither_key_nor_uid_shows_in_reprs_errors_or_logs(
    target: MakeTarget, ledger: Ledger, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    uid = "canary-uid"
    asked = requests.erase(uid)
    shown = [repr(asked), repr(requests.user(uid.encode()))]
    for answer in (error(401, "no", f"bad key {KEY} for {uid}"), RESET, Answer(302)):
        with Loopback(lambda request, answer=answer: answer) as server:
            here = target(server.url, give_up_after=0.1)
            shown += [repr(here), repr(send(here, asked))]
            try:
                delivery = Writer(here).deliver([erasures([uid])], ledger.settle)
                shown.append(repr(delivery))
            except DestinationError as raised:
                shown.append("".join(traceback.format_exception(raised)))
                shown.append(repr(pickle.dumps(str(raised))))
    text = "\n".join([*shown, caplog.text])
    assert KEY not in text
    assert uid not in text


def test_a_certificate_that_is_not_trusted_stops_the_run(
    target: MakeTarget, ledger: Ledger, tmp_path: Path
) -> None:
    if shutil.which("openssl") is None:
        pytest.skip("openssl makes the certificate")
    subprocess.run(
        [
            "openssl",
            "req",
            "-x509",
            "-newkey",
            "rsa:2048",
            "-nodes",
            "-days",
            "2",
            "-subj",
            "/CN=localhost",
            "-addext",
            "subjectAltName=IP:127.0.0.1",
            "-keyout",
            "key.pem",
            "-out",
            "cert.pem",
        ],
        cwd=tmp_path,
        check=True,
        capture_output=True,
    )
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(tmp_path / "cert.pem", tmp_path / "key.pem")
    with Loopback(tls=tls) as server, pytest.raises(DestinationError, match="not trusted"):
        Writer(target(server.url)).deliver(users(1), ledger.settle)
    assert server.received == []

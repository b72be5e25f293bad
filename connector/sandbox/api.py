"""The documented API under /v1, as an ASGI application over a `Store`.

Written against ASGI directly: it must see the path as it came over the wire (a uid is one
percent-encoded segment) and must be able to leave a client without a proper answer.
"""

from __future__ import annotations

import hmac
import logging
import re
import sqlite3
import time
import uuid
from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote_to_bytes

from starlette.types import Receive, Scope, Send

from connector.sandbox import wire
from connector.sandbox.faults import AFTER, Faults, Poison
from connector.sandbox.quota import Bucket
from connector.sandbox.recommend import recommend
from connector.sandbox.rules import FieldError, Refusal, check_event, check_user, dump, load
from connector.sandbox.settings import Settings
from connector.sandbox.store import CommitFailed, Store, now
from connector.sandbox.traffic import Seen, Traffic
from connector.sandbox.wire import Answer, Caller, Gone

USERS, USER, EVENTS, RECOMMEND = "/v1/users", "/v1/users/{uid}", "/v1/events", "/v1/recommend"
METHODS = {USERS: "POST", USER: "DELETE", EVENTS: "POST", RECOMMEND: "POST"}

_JSON = re.compile(rb"\s*application/json\s*(;.*)?", re.IGNORECASE)
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Request:
    """A request, read. `refusal` is why its body could not be."""

    route: str | None
    uid: str | None = None
    document: Any = None
    refusal: Refusal | None = None


class Api:
    """Answers /v1. `faults`, `bucket` and `poison` may be replaced while it serves."""

    def __init__(self, settings: Settings, store: Store, traffic: Traffic) -> None:
        self.settings = settings
        self.store = store
        self.traffic = traffic
        self.faults = Faults.parse(
            settings.faults, seed=settings.seed, hang_seconds=settings.hang_seconds
        )
        self.bucket = Bucket(settings.quota)
        self.poison: Sequence[Poison] = ()
        self._callers: set[Caller] = set()
        self._key = settings.api_key.encode()
        self._read_only = (settings.read_only_key or "").encode()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request, and write it down."""
        started, came = time.perf_counter(), now()
        caller = Caller(scope, receive, send)
        fault = self.faults.draw()
        route = _route(caller.path)
        status = 0
        self._callers.add(caller)
        try:
            status = await self._serve(caller, await self._read(caller, route), fault)
        except Gone:
            _log.debug("a client hung up before its request was complete")
        finally:
            self._callers.discard(caller)
            ms = round((time.perf_counter() - started) * 1000, 2)
            self.traffic.saw(
                f"{caller.method} {route or 'unknown'}",
                Seen(came, caller.method, caller.path, status, caller.received, ms, fault),
            )

    @property
    def in_flight(self) -> int:
        """Requests being served."""
        return len(self._callers)

    def let_go(self) -> None:
        """Break the connections of those who are left hanging, so that the server can stop."""
        for caller in self._callers:
            if caller.left_hanging:
                caller.transport.abort()

    # Reading

    async def _read(self, caller: Caller, route: str | None) -> Request:
        body = await caller.body(self.settings.max_bytes)
        try:
            if route == USER:
                return Request(route, uid=_uid(caller.path))
            if route is None or caller.method != "POST":
                return Request(route)
            document = self._document(caller, body)
        except Refusal as refusal:
            return Request(route, refusal=refusal)
        uid = document.get("uid") if route == USERS and isinstance(document, dict) else None
        return Request(route, uid if isinstance(uid, str) else None, document)

    def _document(self, caller: Caller, body: bytes | None) -> Any:
        if body is None:
            limit = self.settings.max_bytes
            raise Refusal(413, "too_large", f"the body has more than {limit} bytes")
        if not _JSON.fullmatch(caller.headers.get(b"content-type", b"")):
            raise Refusal(400, "malformed_request", "Content-Type must be application/json")
        return load(body)

    # Serving

    async def _serve(self, caller: Caller, request: Request, fault: str | None) -> int:
        with (
            nullcontext()
            if request.uid is None
            else self.traffic.of_user(request.uid, caller.transport)
        ):
            await self.faults.hold()
            if fault is not None and fault not in AFTER:
                headers = self.bucket.retry_after() if fault == "e429" else []
                return await wire.instead(caller, fault, self.faults, headers)
            answer = await self._settled(caller, request)
            if fault is None:
                return await caller.send(answer)
            return await wire.spoiled(caller, answer, fault, self.faults)

    async def _settled(self, caller: Caller, request: Request) -> Answer:
        """The answer, once what it says is committed."""
        headers: wire.Headers = []
        try:
            answer = self._answer(caller, request)
            if answer.stored:
                await self.store.committed()
        except Refusal as refusal:
            if refusal.status == 429:
                headers = self.bucket.retry_after()
            answer = Answer.error(refusal.status, refusal.code, refusal.message)
        except sqlite3.Error as error:
            self.store.abandon(error)
            answer = _not_stored(error)
        except CommitFailed as error:
            answer = _not_stored(error)
        return Answer(answer.status, answer.body, headers + self.bucket.headers())

    def _answer(self, caller: Caller, request: Request) -> Answer:
        if request.route is None:
            raise Refusal(404, "not_found", f"there is no {caller.path}")
        if caller.method != METHODS[request.route]:
            raise Refusal(
                405, "method_not_allowed", f"{caller.path} takes {METHODS[request.route]}"
            )
        self._authorize(caller, request.route)
        if not self.bucket.take():
            raise Refusal(429, "rate_limited", "over the quota; retry with exponential backoff")
        if request.refusal is not None:
            raise request.refusal
        if request.route == USER:
            return self._delete_user(request.uid or "")
        if not isinstance(request.document, dict):
            raise Refusal(400, "malformed_request", "the body must be a JSON object")
        if request.route == USERS:
            return self._put_user(request.document)
        if request.route == EVENTS:
            return self._put_events(request.document)
        return Answer.of(200, recommend(request.document))

    def _authorize(self, caller: Caller, route: str) -> None:
        given = caller.headers.get(b"x-api-key", b"")
        if bearer := caller.headers.get(b"authorization"):
            scheme, _, token = bearer.partition(b" ")
            given = token.strip() if scheme.lower() == b"bearer" else b""
        if hmac.compare_digest(given, self._key):
            return
        if not (self._read_only and hmac.compare_digest(given, self._read_only)):
            raise Refusal(401, "unauthorized", "the API key is missing or unknown")
        if route != RECOMMEND:
            raise Refusal(403, "forbidden", "this API key may only ask for recommendations")

    # Users

    def _put_user(self, user: dict[str, Any]) -> Answer:
        fresh: dict[str, str] = {}
        try:
            check_user(user)
            self.store.users.check(user, fresh)
            dump(user)
        except FieldError as error:
            raise _invalid(f"{error.field}: {error.message}") from None
        for rule in self.poison:
            if rule.resource == "users" and rule.hits(user):
                raise Refusal(rule.status, rule.code, f"{rule.field}: {rule.message}")
        self.store.learn(self.store.users, fresh)
        created = self.store.put_user(user)
        return Answer.of(200, {"uid": user["uid"], "created": created}, stored=True)

    def _delete_user(self, uid: str) -> Answer:
        if not self.store.delete_user(uid):
            raise Refusal(404, "not_found", "there is no such user")
        return Answer(204, stored=True)

    # Events

    def _put_events(self, document: dict[str, Any]) -> Answer:
        single = "events" not in document or "type" in document
        if not single and (not isinstance(document["events"], list) or not document["events"]):
            raise _invalid("events: must be an array that is not empty")
        if not single and len(document) > 1:
            raise _invalid("a batch has the key events and no other")
        events = [document] if single else document["events"]
        if len(events) > self.settings.max_batch:
            limit = self.settings.max_batch
            raise Refusal(
                413, "too_large", f"a batch has at most {limit} events, not {len(events)}"
            )
        fresh: dict[str, str] = {}
        checked = []
        for index, event in enumerate(events):
            try:
                checked.append((event, self._checked(event, fresh)))
            except FieldError as error:
                place = error.field if single else f"events[{index}].{error.field}".rstrip(".")
                raise _invalid(f"{place}: {error.message}") from None
            if self.poison:
                self._refuse_poison(event, "" if single else f"events[{index}].")
        self.store.learn(self.store.events, fresh)
        self.store.put_events(checked)
        about = {"id": events[0]["id"]} if single else {"accepted": len(events)}
        return Answer.of(200, about, stored=True)

    def _checked(self, event: Any, fresh: dict[str, str]) -> str:
        if not isinstance(event, dict):
            raise FieldError("", "an event is an object")
        check_event(event)
        self.store.events.check(event, fresh)
        if event.get("id") is None:
            event["id"] = f"evt_{uuid.uuid4().hex}"
        return dump(event)

    def _refuse_poison(self, event: dict[str, Any], place: str) -> None:
        for rule in self.poison:
            if rule.resource == "events" and rule.hits(event):
                where = f"{place}{rule.field}: " if rule.tell_index else ""
                raise Refusal(rule.status, rule.code, f"{where}{rule.message}")


def _invalid(message: str) -> Refusal:
    return Refusal(422, "validation_failed", message)


def _not_stored(error: Exception) -> Answer:
    _log.error("the sandbox could not store a request: %s", error)
    return Answer.error(500, "storage_failed", "the sandbox could not store this; see its log")


def _route(path: str) -> str | None:
    if path in METHODS:
        return path
    prefix, _, segment = path.rpartition("/")
    return USER if prefix == USERS and segment else None


def _uid(path: str) -> str:
    try:
        return unquote_to_bytes(path.rpartition("/")[2]).decode()
    except UnicodeDecodeError:
        raise Refusal(400, "malformed_request", "the uid in the path is not UTF-8") from None

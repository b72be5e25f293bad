"""Calling the API by hand: users, events and recommendations, from a script or a notebook.

    with Client("KEY") as client:
        client.users.upsert({"uid": "u_1", "country": "NO"})
        client.events.send([{"type": "click", "uid": "u_1", "item_id": "sku_1", ...}])
        client.recommend(user_id="u_1", item_ids=["sku_1", "sku_2"], model_id="model_…").items

Retries, backoff and pace are those of a sync; nothing is remembered: no snapshot, no suppressions.
"""

from __future__ import annotations

import asyncio
import re
import threading
import uuid
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from time import monotonic
from typing import Any, ParamSpec, Self, TypeVar

from pydantic import SecretStr

from connector.destination import requests
from connector.destination.bodies import Recommendation, batches, encoded, recommendation
from connector.destination.outcomes import Action, Failure, outcome, refusal
from connector.destination.pacing import Attempt, LocalPacer, Pacer
from connector.destination.requests import Request, UnaddressableKeyError
from connector.destination.target import Auth, RateLimit, Target
from connector.destination.transport import (
    Answer,
    HttpTransport,
    Transport,
    check_address,
    described,
    stopped,
)
from connector.destination.work import Operation
from connector.errors import DestinationError, RequestRefused, UsageError

BASE_URL = "https://api.sequen.com/v1"
ATTEMPTS = 6
"""How often a request is sent at most, before it is given up."""

_FIELD = re.compile(r"[A-Za-z_][\w.\[\]]{0,99}")

_P = ParamSpec("_P")
_T = TypeVar("_T")


class AsyncClient:
    """The API for asyncio; to be used within one event loop, by any number of tasks at once.

    `api_key` is sent as a bearer, or as X-API-Key with `auth="api_key"`. Times are in seconds:
    `timeout` is for one attempt, `max_wait` the longest `Retry-After` that is waited for. `proxy`
    is the only way to a proxy; redirects are not followed. `transport` replaces HTTP.

    Every call raises `RequestRefused` for what the API refuses, `DestinationError` where it cannot
    be reached or refuses us, and `UsageError` for what cannot be sent at all.
    """

    def __init__(
        self,
        api_key: str | SecretStr,
        base_url: str = BASE_URL,
        *,
        auth: Auth | str = Auth.BEARER,
        timeout: float = 30.0,
        connect_timeout: float = 10.0,
        max_wait: float = 60.0,
        max_in_flight: int = 16,
        rate_limit: RateLimit | None = None,
        proxy: str | None = None,
        transport: Transport | None = None,
    ) -> None:
        key = api_key if isinstance(api_key, SecretStr) else SecretStr(api_key)
        if not key.get_secret_value():
            raise UsageError("the API key is empty", hint="is the variable set that holds it?")
        self._target = Target(
            "client",
            base_url.rstrip("/"),
            key,
            auth=Auth(auth),
            rate_limit=rate_limit,
            max_in_flight=max_in_flight,
            connect_timeout=connect_timeout,
            timeout=timeout,
            proxy=SecretStr(proxy) if proxy else None,
            max_wait=max_wait,
        )
        check_address(self._target.base_url)
        self._transport = transport
        self._pacer: Pacer | None = None
        self.users = AsyncUsers(self)
        self.events = AsyncEvents(self)

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self._target.base_url}>"

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def close(self) -> None:
        """Close every connection."""
        if self._transport is not None:
            await self._transport.close()

    async def recommend(
        self,
        *,
        user_id: str | None = None,
        session_id: str | None = None,
        item_ids: Sequence[str] | None = None,
        items: Sequence[Mapping[str, Any]] | None = None,
        model_id: str | None = None,
        model_name: str | None = None,
        limit: int | None = None,
        context: Mapping[str, Any] | None = None,
    ) -> Recommendation:
        """Rank candidates: bare `item_ids`, or `items` as `{"id": …, "attributes": {…}}`."""
        if user_id is None and session_id is None:
            raise UsageError("a request needs a user_id or a session_id")
        if (item_ids is None) == (items is None):
            raise UsageError("a request needs either item_ids or items")
        if isinstance(item_ids, str) or isinstance(items, str | Mapping):
            raise UsageError("candidates are a list, though there be one")
        if (model_id is None) == (model_name is None):
            raise UsageError("a request needs either model_id or model_name")
        members = {
            "user_id": user_id,
            "session_id": session_id,
            "item_ids": None if item_ids is None else list(item_ids),
            "items": None if items is None else list(items),
            "model_id": model_id,
            "model_name": model_name,
            "limit": limit,
            "context": context,
        }
        body = encoded({name: value for name, value in members.items() if value is not None})
        answer = await self.call(Operation.RECOMMENDATION, requests.recommend(body))
        return recommendation(answer.body)

    async def call(self, operation: Operation, request: Request) -> Answer:
        """Send one request, again and again where that makes sense; returns the success."""
        attempts = 0
        while True:
            answer = await self._attempt(operation, request, attempts)
            result = answer if isinstance(answer, Failure) else answer.status
            verdict = outcome(operation, result)
            if not isinstance(answer, Failure) and verdict.action is Action.ACKNOWLEDGE:
                return answer
            if verdict.action is Action.STOP:
                raise stopped(self._target.name, answer, verdict)
            if not isinstance(answer, Failure) and verdict.action in {Action.REFUSE, Action.SHRINK}:
                raise _refused(answer)
            attempts += 1
            if attempts >= ATTEMPTS:
                raise DestinationError(
                    f"the API failed {attempts} times in a row ({described(answer)})",
                    hint="try again later",
                )
            await asyncio.sleep(self._ready()[1].backoff(attempts))

    async def _attempt(
        self, operation: Operation, request: Request, attempts: int
    ) -> Answer | Failure:
        transport, pacer = self._ready()
        pacer.tick()
        if not await pacer.acquire():
            self._pacer = None
            raise DestinationError(pacer.over or "the client is closed", hint="try again later")
        began = monotonic()
        answer = await transport.send(request)
        result = answer if isinstance(answer, Failure) else answer.status
        action = outcome(operation, result).action
        pacer.observe(Attempt(action, answer, monotonic() - began, attempts > 0, attempts == 0))
        return answer

    def _ready(self) -> tuple[Transport, Pacer]:
        """What belongs to an event loop is made when one is running."""
        if self._transport is None:
            self._transport = HttpTransport(self._target)
        if self._pacer is None:
            self._pacer = LocalPacer(self._target)
        return self._transport, self._pacer

    @property
    def batch(self) -> tuple[int, int]:
        """How many events, and how many bytes of them, one request carries at most."""
        return self._target.events_per_request, self._target.bytes_per_request


class AsyncUsers:
    """User profiles."""

    def __init__(self, client: AsyncClient) -> None:
        self._client = client

    async def upsert(self, user: Mapping[str, Any]) -> None:
        """Create or update one user; `uid` is required."""
        if not isinstance(user, Mapping):
            raise UsageError(f"a user is a dictionary, not {_kind(user)}")
        _addressed(user.get("uid"))
        await self._client.call(Operation.UPSERT, requests.user(encoded(user)))

    async def delete(self, uid: str) -> bool:
        """Delete a user for good; false where there was nobody to delete."""
        answer = await self._client.call(Operation.HARD_DELETE, _addressed(uid))
        return answer.status < 300


class AsyncEvents:
    """Behavioural events."""

    def __init__(self, client: AsyncClient) -> None:
        self._client = client

    async def send(self, events: Mapping[str, Any] | Iterable[Mapping[str, Any]]) -> int:
        """Append an event or many, in as few requests as the limits allow; returns how many.

        One without an `id` is given one, so that a repeat after a lost answer does no harm. Where
        one is refused, its request is as a whole; requests before it have arrived.
        """
        objects = [encoded(_identified(event)) for event in _listed(events)]
        for batch in batches(objects, *self._client.batch):
            await self._send(batch)
        return len(objects)

    async def _send(self, batch: list[bytes]) -> None:
        try:
            await self._client.call(Operation.EVENT, requests.events(b",".join(batch)))
        except RequestRefused as refused:
            if refused.status != 413 or len(batch) == 1:
                raise
            middle = len(batch) // 2
            await self._send(batch[:middle])
            await self._send(batch[middle:])


class Client:
    """The API for everybody else: the same calls, without asyncio.

    Takes what `AsyncClient` takes and raises what it raises. May be used from several threads, and
    where an event loop is running already, as in a notebook.
    """

    def __init__(self, api_key: str | SecretStr, base_url: str = BASE_URL, **settings: Any) -> None:
        self._client = AsyncClient(api_key, base_url, **settings)
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(
            target=self._loop.run_forever, name="connector-client", daemon=True
        )
        self._thread.start()
        self.users = Users(self)
        self.events = Events(self)

    def __repr__(self) -> str:
        return repr(self._client).replace("AsyncClient", "Client", 1)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close every connection; a second time does nothing."""
        if not self._thread.is_alive():
            return
        self.wait_for(self._client.close)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def recommend(
        self,
        *,
        user_id: str | None = None,
        session_id: str | None = None,
        item_ids: Sequence[str] | None = None,
        items: Sequence[Mapping[str, Any]] | None = None,
        model_id: str | None = None,
        model_name: str | None = None,
        limit: int | None = None,
        context: Mapping[str, Any] | None = None,
    ) -> Recommendation:
        """Rank candidates: bare `item_ids`, or `items` as `{"id": …, "attributes": {…}}`."""
        return self.wait_for(
            self._client.recommend,
            user_id=user_id,
            session_id=session_id,
            item_ids=item_ids,
            items=items,
            model_id=model_id,
            model_name=model_name,
            limit=limit,
            context=context,
        )

    def wait_for(
        self, call: Callable[_P, Awaitable[_T]], *args: _P.args, **kwargs: _P.kwargs
    ) -> _T:
        """Have the client's own loop make a call, and wait for it."""
        if not self._thread.is_alive():
            raise UsageError("the client is closed")

        async def made() -> _T:
            return await call(*args, **kwargs)

        future = asyncio.run_coroutine_threadsafe(made(), self._loop)
        try:
            return future.result()
        except KeyboardInterrupt:
            # Whoever gives up waiting does not want it tried again in the background.
            future.cancel()
            raise

    @property
    def asynchronous(self) -> AsyncClient:
        """The client behind this one."""
        return self._client


class Users:
    """User profiles."""

    def __init__(self, client: Client) -> None:
        self._client = client

    def upsert(self, user: Mapping[str, Any]) -> None:
        """Create or update one user; `uid` is required."""
        self._client.wait_for(self._client.asynchronous.users.upsert, user)

    def delete(self, uid: str) -> bool:
        """Delete a user for good; false where there was nobody to delete."""
        return self._client.wait_for(self._client.asynchronous.users.delete, uid)


class Events:
    """Behavioural events."""

    def __init__(self, client: Client) -> None:
        self._client = client

    def send(self, events: Mapping[str, Any] | Iterable[Mapping[str, Any]]) -> int:
        """Append an event or many; see `AsyncEvents.send`."""
        return self._client.wait_for(self._client.asynchronous.events.send, _listed(events))


def _listed(events: Mapping[str, Any] | Iterable[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    return [events] if isinstance(events, Mapping) else list(events)


def _identified(event: Mapping[str, Any]) -> dict[str, Any]:
    if not isinstance(event, Mapping):
        raise UsageError(f"an event is a dictionary, not {_kind(event)}")
    return {"id": uuid.uuid4().hex} | dict(event)


def _kind(value: object) -> str:
    return f"a {type(value).__name__}"


def _addressed(uid: object) -> Request:
    """The request that deletes a user: whoever it could not be made for is not sent either."""
    if not isinstance(uid, str):
        raise UsageError("`uid` is a text that is not empty")
    try:
        return requests.erase(uid)
    except UnaddressableKeyError as error:
        raise UsageError(f"such a uid could never be deleted: {error}") from None


def _refused(answer: Answer) -> RequestRefused:
    words = refusal(answer.status, answer.body)
    code = None if words.code == f"http_{answer.status}" else words.code
    named = words.field is not None and _FIELD.fullmatch(words.field)
    about = f", field {words.field!r}" if named else ""
    return RequestRefused(
        f"the API refused the request ({described(answer)}{about})",
        status=answer.status,
        code=code,
        field=words.field if named else None,
    )

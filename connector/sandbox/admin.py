"""`/_sandbox`: look at what arrived, and change faults, quota and poison while the API serves.

Open on loopback. Elsewhere it asks for the API key, and it never serves a web page of another
origin: browsers send `Origin` along, and a `Host` that is a name somebody else chose is refused.
"""

from __future__ import annotations

import hmac
import ipaddress
import json
import secrets
from collections.abc import Callable
from dataclasses import asdict
from importlib.resources import files
from typing import Any, Literal
from urllib.parse import urlsplit

from starlette.applications import Starlette
from starlette.convertors import Convertor, register_url_convertor
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import (
    HTMLResponse,
    JSONResponse,
    RedirectResponse,
    Response,
    StreamingResponse,
)
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

from connector.sandbox.api import Api
from connector.sandbox.faults import Faults, poison_rules
from connector.sandbox.quota import Bucket
from connector.sandbox.settings import Quota

PAGE = files("connector.sandbox").joinpath("page.html").read_text("utf-8")


class _AnyText(Convertor[str]):
    """The rest of a path whatever it holds: slashes, newlines."""

    regex = r"(?s:.+)"

    def convert(self, value: str) -> str:
        return value

    def to_string(self, value: str) -> str:
        return value


register_url_convertor("anytext", _AnyText())


def is_loopback(host: str) -> bool:
    """Whether a host name or address is this machine talking to itself."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


class _Guard:
    """Lets loopback in, and others with the key; keeps web pages of other origins out."""

    def __init__(self, app: ASGIApp, host: str, api_key: str) -> None:
        self._app = app
        self._host = host
        self._bearer = f"Bearer {api_key}".encode()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and (why := self._refusal(scope)):
            status, message = why
            code = "unauthorized" if status == 401 else "forbidden"
            response = JSONResponse({"code": code, "message": message}, status)
            await response(scope, receive, send)
            return
        await self._app(scope, receive, send)

    def _refusal(self, scope: Scope) -> tuple[int, str] | None:
        headers = dict(scope["headers"])
        host = headers.get(b"host", b"").decode("latin-1")
        origin = headers.get(b"origin", b"").decode("latin-1")
        if origin and urlsplit(origin).netloc != host:
            return 403, "pages of other origins may not use the sandbox"
        client = scope["client"][0] if scope["client"] else ""
        if is_loopback(client):
            name = urlsplit(f"//{host}").hostname or ""
            if is_loopback(name) or name == self._host:
                return None
            return 403, f"{name!r} is not the name of this sandbox"
        if hmac.compare_digest(headers.get(b"authorization", b""), self._bearer):
            return None
        return 401, "from another machine, this needs the API key"


def application(api: Api) -> Starlette:
    """The ASGI application of `/_sandbox`."""
    view = _View(api)
    routes = [
        Route("/_sandbox", lambda _request: RedirectResponse("/_sandbox/")),
        Route("/_sandbox/", view.page),
        Route("/_sandbox/redirected", lambda _request: JSONResponse({})),
        Route("/_sandbox/users/{uid:anytext}", view.user),
        Route("/_sandbox/events/{id:anytext}", view.event),
        Route("/_sandbox/counts", view.counts),
        Route("/_sandbox/types", view.types),
        Route("/_sandbox/requests", view.requests),
        Route("/_sandbox/export/{resource}", view.export),
        Route("/_sandbox/reset", view.reset, methods=["POST"]),
        Route("/_sandbox/faults", view.faults, methods=["GET", "PUT"]),
        Route("/_sandbox/quota", view.quota, methods=["GET", "PUT"]),
        Route("/_sandbox/poison", view.poison, methods=["GET", "PUT"]),
    ]
    guard = Middleware(_Guard, host=api.settings.host, api_key=api.settings.api_key)
    return Starlette(routes=routes, middleware=[guard])


def _stored(body: str | None, what: str) -> Response:
    if body is None:
        return JSONResponse({"code": "not_found", "message": f"there is no such {what}"}, 404)
    return Response(body, media_type="application/json")


class _View:
    """The endpoints. They run on the event loop's thread, as the store demands."""

    def __init__(self, api: Api) -> None:
        self._api = api

    async def page(self, _request: Request) -> Response:
        nonce = secrets.token_urlsafe(16)
        policy = (
            f"default-src 'none'; script-src 'nonce-{nonce}'; style-src 'nonce-{nonce}'; "
            "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
        )
        headers = {"content-security-policy": policy, "referrer-policy": "no-referrer"}
        return HTMLResponse(PAGE.replace("{{nonce}}", nonce), headers=headers)

    async def user(self, request: Request) -> Response:
        return _stored(self._api.store.user(request.path_params["uid"]), "user")

    async def event(self, request: Request) -> Response:
        return _stored(self._api.store.event(request.path_params["id"]), "event")

    async def counts(self, _request: Request) -> Response:
        return JSONResponse(
            self._api.store.counts()
            | self._api.traffic.counts()
            | {"in_flight": self._api.in_flight}
        )

    async def types(self, _request: Request) -> Response:
        return JSONResponse(self._api.store.types())

    async def requests(self, request: Request) -> Response:
        limit = request.query_params.get("limit", "100")
        if not limit.isdecimal():
            return _wrong(ValueError(f"limit is a number, not {limit!r}"))
        return JSONResponse(self._api.traffic.last(int(limit)))

    async def export(self, request: Request) -> Response:
        resource: Literal["users", "events"]
        match request.path_params["resource"]:
            case "users":
                resource = "users"
            case "events":
                resource = "events"
            case _:
                return _stored(None, "export")
        lines = self._api.store.export(resource)
        return StreamingResponse(lines, media_type="application/x-ndjson")

    async def reset(self, _request: Request) -> Response:
        self._api.store.reset()
        self._api.traffic.reset()
        return Response(status_code=204)

    async def faults(self, request: Request) -> Response:
        def replace(document: Any) -> None:
            settings = self._api.settings
            self._api.faults = Faults(
                _object(document), seed=settings.seed, hang_seconds=settings.hang_seconds
            )

        return await _put(request, replace) or JSONResponse(self._api.faults.wanted)

    async def quota(self, request: Request) -> Response:
        def replace(document: Any) -> None:
            self._api.bucket = Bucket(Quota(**_object(document)))

        return await _put(request, replace) or JSONResponse(asdict(self._api.bucket.quota))

    async def poison(self, request: Request) -> Response:
        def replace(document: Any) -> None:
            self._api.poison = poison_rules(document)

        return await _put(request, replace) or JSONResponse([asdict(r) for r in self._api.poison])


def _object(document: Any) -> dict[str, Any]:
    if not isinstance(document, dict):
        raise ValueError("the body is a JSON object")  # noqa: TRY004 - a mistake of the caller
    return document


async def _put(request: Request, replace: Callable[[Any], None]) -> Response | None:
    """Apply a PUT; None when all is well, or when the request was a GET."""
    if request.method == "PUT":
        try:
            replace(json.loads(await request.body()))
        except (ValueError, TypeError) as error:
            return _wrong(error)
    return None


def _wrong(error: Exception) -> Response:
    return JSONResponse({"code": "malformed_request", "message": str(error)}, 400)

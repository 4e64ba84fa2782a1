"""What goes over the wire: an operation as a request, and a response as an answer or a fault. No I/O."""

import re
import uuid
from typing import Any, cast
from urllib.parse import quote, urlsplit

import httpx
import msgspec

from api.core.operation import PREFIX, Operation, Terms, route_of
from api.core.problems import Problem, fault_of
from api.core.request import DRY_RUN
from api.views.change import EventView
from bundles.core.errors import Failed, HeadraceError, Invalid
from release.core.codec import UNREADABLE
from release.core.service_url import LOOPBACK_HOSTS

TIMEOUT_SECONDS = 30.0
_TOKEN = re.compile(r"[!-~]{1,500}")
_SILENCE_SECONDS = 60.0
"""A stream that says nothing for so long, not even that it is there, is lost."""
_STREAM = "text/event-stream"
_BOOLEANS = {True: "true", False: "false"}


def settings(server: str, token: str | None, timeout: float) -> dict[str, Any]:
    """What a client of httpx is made with. `timeout` is in seconds, for each step of a request; a stranger has no
    token.

    Raises `Invalid` for what is no server's URL, or one where a token would go in clear text.
    """
    try:
        parts = urlsplit(server)
        origin = f"{parts.scheme}://{parts.netloc}"
        is_origin = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        is_origin = False
    if not is_origin or "@" in parts.netloc or server.removesuffix("/") != origin:
        raise Invalid(f"{server!r} is no server: write its URL without a path, as in https://headrace.example")
    is_clear = parts.scheme == "http"
    if is_clear and parts.hostname not in LOOPBACK_HOSTS:
        raise Invalid(f"{server} is not HTTPS: a token would go there in clear text")
    headers = {"accept": "application/json"}
    if token is not None:
        if not _TOKEN.fullmatch(token):
            raise Invalid("that is no token: write it as it was given, as in hdr_…")
        headers["authorization"] = f"Bearer {token}"
    return {
        "base_url": f"{origin}{PREFIX}",
        "headers": headers,
        "timeout": timeout,
        "trust_env": not is_clear,  # no proxy that the environment names may see a token in clear text
    }


def request_of(asked: Operation[Any], terms: Terms) -> dict[str, Any]:
    """The parts of the request, with a key by which a change is known when it is sent again."""
    route = route_of(type(asked))
    given = msgspec.to_builtins(asked)
    path = route.path
    for name in route.in_path:
        path = path.replace(f"{{{name}}}", quote(str(given.pop(name)), safe=""))
    said = {name: value for name, value in given.items() if value is not None}
    request: dict[str, Any] = {"method": str(route.method), "url": path, "params": {}}
    if route.has_body:
        request["json"] = said
    else:
        request["params"] = {name: _text(value) for name, value in said.items() if value not in ("", [])}
    if route.is_change:
        request["headers"] = _headers(terms)
        if terms.is_preview:
            request["params"][DRY_RUN] = "true"
    return request


def events_request(product: str | None, after: int, last: int | None, timeout: float) -> dict[str, Any]:
    """The parts of a request for the stream of changes, which goes on after the `last` one that was told."""
    headers = {"accept": _STREAM} if last is None else {"accept": _STREAM, "last-event-id": str(last)}
    params = {"after": str(after)} if product is None else {"after": str(after), "product": product}
    patience = httpx.Timeout(timeout, read=_SILENCE_SECONDS)
    return {"method": "GET", "url": "/events", "params": params, "headers": headers, "timeout": patience}


def is_stream(response: httpx.Response) -> bool:
    """True for a stream of changes."""
    return response.is_success and response.headers.get("content-type", "").startswith(_STREAM)


def read_event(data: str) -> EventView:
    """The change that an event tells of. Raises `Failed` for one that is not understood."""
    return cast("EventView", _decoded(data, EventView))


def read_fault(response: httpx.Response) -> HeadraceError:
    """The fault that a response tells of."""
    try:
        return fault_of(msgspec.json.decode(response.content, type=Problem))
    except UNREADABLE:
        return Failed(f"the server answered {response.status_code}, and not as Headrace does: is it one?")


def read_answer(response: httpx.Response, kind: Any) -> Any:
    """The answer, of this type. Raises `Failed` for one that is not understood."""
    return _decoded(response.content, kind)


def _decoded(sent: bytes | str, kind: Any) -> Any:
    try:
        return msgspec.json.decode(sent, type=kind)
    except UNREADABLE as error:
        raise Failed(f"the server's answer is not understood: {error}. Is it of another version?") from None


def _text(value: Any) -> Any:
    return _BOOLEANS[value] if isinstance(value, bool) else value


def _headers(terms: Terms) -> dict[str, str]:
    headers = {"idempotency-key": terms.key or str(uuid.uuid4())}
    if terms.expected_revision is not None:
        headers["if-match"] = f'"{terms.expected_revision}"'
    return headers

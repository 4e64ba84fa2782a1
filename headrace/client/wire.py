"""What goes over the wire: an operation as a request, and a response as an answer or a fault. No I/O."""

import uuid
from typing import Any
from urllib.parse import quote, urlsplit

import httpx
import msgspec

from api.core.operation import PREFIX, Operation, Terms, route_of
from api.core.problems import Problem, fault_of
from api.core.request import DRY_RUN
from bundles.core.errors import Failed, HeadraceError, Invalid

TIMEOUT_SECONDS = 30.0
_LOOPBACK = ("127.0.0.1", "::1", "localhost")
_BOOLEANS = {True: "true", False: "false"}


def settings(server: str, token: str, timeout: float) -> dict[str, Any]:
    """What a client of httpx is made with. `timeout` is in seconds, for each step of a request.

    Raises `Invalid` for what is no server's URL, or one where a token would go in clear text.
    """
    parts = urlsplit(server)
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.path not in ("", "/"):
        raise Invalid(f"{server!r} is no server: write its URL without a path, as in https://headrace.example")
    if parts.scheme == "http" and parts.hostname not in _LOOPBACK:
        raise Invalid(f"{server} is not HTTPS: a token would go there in clear text")
    headers = {"authorization": f"Bearer {token}", "accept": "application/json"}
    return {"base_url": f"{server.rstrip('/')}{PREFIX}", "headers": headers, "timeout": timeout}


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


def read_fault(response: httpx.Response) -> HeadraceError:
    """The fault that a response tells of."""
    try:
        return fault_of(msgspec.json.decode(response.content, type=Problem))
    except msgspec.MsgspecError:
        return Failed(f"the server answered {response.status_code}, and not as Headrace does: is it one?")


def read_answer(response: httpx.Response, kind: Any) -> Any:
    """The answer, of this type. Raises `Failed` for one that is not understood."""
    try:
        return msgspec.json.decode(response.content, type=kind)
    except msgspec.MsgspecError as error:
        raise Failed(f"the server's answer is not understood: {error}. Is it of another version?") from None


def _text(value: Any) -> Any:
    return _BOOLEANS[value] if isinstance(value, bool) else value


def _headers(terms: Terms) -> dict[str, str]:
    headers = {"idempotency-key": terms.key or str(uuid.uuid4())}
    if terms.expected_revision is not None:
        headers["if-match"] = f'"{terms.expected_revision}"'
    return headers

"""The admin API as an ASGI application: each operation at its path, and every fault as a problem."""

import re
import secrets
from collections.abc import Iterable, Mapping
from typing import Any, Protocol

import structlog
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from api.answers import REQUEST_ID, answer_to, problem_response
from api.core.access import Caller
from api.core.operation import PREFIX, Method, Operation, Route, Terms
from api.core.problems import NoSuchMethod, TooLarge, WrongMediaType
from api.core.request import MAX_BODY_BYTES, read_operation, read_terms
from api.perform import Plane, perform
from api.views.plan import plan_of
from bundles.core.errors import HeadraceError, NotFound
from bundles.faults import fault_of
from release.change import Previewed

_log = structlog.get_logger()
_PLACEHOLDER = re.compile(r"\\\{(\w+)\\\}")
# A tenant's content bundle has a slash in its name, and a person that of an issuer, be it percent-encoded or not.
_SEGMENTS = {"product": r"(?P<product>(?:@[^/]+/)?[^/]+)", "person": r"(?P<person>.+)"}


class Gate(Protocol):
    """Says who asks, keeps out who may not, and keeps what was refused."""

    async def admit(self, request: Request, *, changes: bool) -> Caller:
        """Who asks. Raises `NotAuthenticated`, and `TooMany` where it asks too often."""
        ...

    def note_refusal(self, request: Request, caller: Caller | None, operation: str, fault: HeadraceError) -> None:
        """Keep that this was refused."""
        ...


class Api:
    """Answers each request, whatever goes wrong."""

    def __init__(self, plane: Plane, gate: Gate, routes: Iterable[Route]) -> None:
        self._plane = plane
        self._gate = gate
        by_path: dict[str, dict[str, Route]] = {}
        for route in routes:
            by_path.setdefault(route.path, {})[route.method] = route
        self._table = [(_pattern(path), methods) for path, methods in by_path.items()]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        request, request_id = Request(scope, receive), secrets.token_hex(8)
        with structlog.contextvars.bound_contextvars(request_id=request_id):
            try:
                response = await self._answer(request, request_id)
            except ClientDisconnect:
                return
        response.headers[REQUEST_ID] = request_id
        await response(scope, receive, send)

    async def _answer(self, request: Request, request_id: str) -> Response:
        asking = _Asking()
        try:
            return await self._performed(request, asking)
        except HeadraceError as fault:
            self._gate.note_refusal(request, asking.caller, asking.operation, fault)
            return problem_response(fault, request_id)
        except ClientDisconnect:
            raise
        except Exception as error:  # noqa: BLE001 - a fault of our own is answered as readably as any other
            _log.error("request broke", operation=asking.operation, fault=fault_of(error))
            return problem_response(HeadraceError("this is a fault of the control plane's own"), request_id)

    async def _performed(self, request: Request, asking: "_Asking") -> Response:
        route, path = self._find(request)
        asking.operation = route.name
        asking.caller = caller = await self._gate.admit(request, changes=route.method is not Method.GET)
        caller.require_role(route.roles)  # before anything that was sent is looked at
        body = await _read_body(request) if route.has_body else b""
        query = request.query_params.multi_items()
        headers = request.headers
        asked = read_operation(route, path, query, body)
        terms = read_terms(route, query, headers.get("if-match"), headers.get("idempotency-key"))
        return await self._perform(request, caller, route, asked, terms)

    async def _perform(
        self, request: Request, caller: Caller, route: Route, asked: Operation[Any], terms: Terms
    ) -> Response:
        try:
            answer = await perform(self._plane, caller, asked, terms)
        except Previewed as tried:
            return answer_to(request, plan_of(tried, [], self._plane.control.clock.now()), 200)
        return answer_to(request, answer, route.status)

    def _find(self, request: Request) -> tuple[Route, Mapping[str, str]]:
        path = request.url.path.removeprefix(PREFIX)
        for pattern, methods in self._table:
            if (found := pattern.fullmatch(path)) is not None:
                route = methods.get("GET" if request.method == "HEAD" else request.method)
                if route is None:
                    allowed = sorted({*methods, *(["HEAD"] if "GET" in methods else [])})
                    raise NoSuchMethod(f"{request.method} is none of this URL's: {', '.join(allowed)}", allowed)
                return route, found.groupdict()
        raise NotFound(f"there is no {path[:200]!r} in the API: see {PREFIX}/openapi.json")


class _Asking:
    """What is known of a request so far, for what is kept of those that were refused."""

    caller: Caller | None = None
    operation: str = ""


async def _read_body(request: Request) -> bytes:
    """The JSON body. Raises `TooLarge` and `WrongMediaType`."""
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > MAX_BODY_BYTES:
            raise TooLarge(f"the body has more than {MAX_BODY_BYTES} bytes")
    if body and request.headers.get("content-type", "").partition(";")[0].strip().lower() != "application/json":
        raise WrongMediaType("the body is JSON: send it with Content-Type: application/json")
    if request.headers.get("content-encoding", "identity") != "identity":
        raise WrongMediaType("a body is taken as it is, without Content-Encoding")
    return bytes(body)


def _pattern(path: str) -> re.Pattern[str]:
    return re.compile(
        _PLACEHOLDER.sub(lambda found: _SEGMENTS.get(found[1], f"(?P<{found[1]}>[^/]+)"), re.escape(path))
    )

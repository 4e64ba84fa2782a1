"""The admin API as an ASGI application: an endpoint for each URL, and every fault as a problem."""

import re
import secrets
import time
from collections.abc import Iterable, Mapping

import structlog
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from api import metrics
from api.answers import REQUEST_ID
from api.core.operation import PREFIX, Method, Route
from api.core.problems import NoSuchMethod
from api.endpoints.archive import ArchiveEndpoint
from api.endpoints.described import ALL, OPENAPI
from api.endpoints.endpoint import Endpoint, Progress
from api.endpoints.openapi import OpenApiEndpoint, openapi_json
from api.endpoints.operation import OperationEndpoint
from api.gate import AccessGate
from api.perform import Plane
from api.routes import all_routes
from bundles.core.errors import Failed, HeadraceError, NotFound
from bundles.faults import fault_of

_log = structlog.get_logger()
_PLACEHOLDER = re.compile(r"\\\{(\w+)\\\}")
# A tenant's content bundle has a slash in its name, and a person that of an issuer, be it percent-encoded or not.
_SEGMENTS = {"product": r"(?P<product>(?:@[^/]+/)?[^/]+)", "person": r"(?P<person>(?s:.+))"}

_TOLD_TO_STRANGERS = "what an answer needs does not work: try again soon. The log has why, by the request's id"
"""A fault's own words may name a database or a provider, which is nobody's business who is not known."""

Place = tuple[Method, str, Endpoint]


class Api:
    """Answers each request, whatever goes wrong."""

    def __init__(self, places: Iterable[Place], gate: AccessGate) -> None:
        by_path: dict[str, dict[str, Endpoint]] = {}
        for method, path, endpoint in places:
            by_path.setdefault(path, {})[method] = endpoint
        self._table = [(_pattern(path), endpoints) for path, endpoints in by_path.items()]
        self._gate = gate

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        request, request_id, begun = Request(scope, receive), secrets.token_hex(8), time.perf_counter()
        progress = Progress()
        with structlog.contextvars.bound_contextvars(request_id=request_id):
            try:
                response = await self._answer(request, progress, request_id)
            except ClientDisconnect:
                return
        response.headers[REQUEST_ID] = request_id
        metrics.requests.labels(progress.operation, response.status_code).inc()
        metrics.seconds.labels(progress.operation).observe(time.perf_counter() - begun)
        await response(scope, receive, send)

    async def _answer(self, request: Request, progress: Progress, request_id: str) -> Response:
        try:
            endpoint, path = self._find(request)
            progress.operation = endpoint.name
            return await endpoint.respond(request, path, progress)
        except HeadraceError as fault:
            self._gate.note_refusal(request, progress.caller, progress.operation, fault)
            return progress.tell(_told(fault, progress), request_id)
        except ClientDisconnect:
            raise
        except Exception as error:  # noqa: BLE001 - a fault of our own is answered as readably as any other
            _log.error("request broke", operation=progress.operation, fault=fault_of(error))
            return progress.tell(HeadraceError("this is a fault of the control plane's own"), request_id)

    def _find(self, request: Request) -> tuple[Endpoint, Mapping[str, str]]:
        path = request.scope["path"]  # as it was sent: a URL that is made of it would end at an encoded `#`
        for pattern, endpoints in self._table:
            if (found := pattern.fullmatch(path)) is not None:
                endpoint = endpoints.get("GET" if request.method == "HEAD" else request.method)
                if endpoint is None:
                    allowed = sorted({*endpoints, *(["HEAD"] if "GET" in endpoints else [])})
                    raise NoSuchMethod(f"{request.method} is none of this URL's: {', '.join(allowed)}", allowed)
                return endpoint, found.groupdict()
        raise NotFound(f"there is no {path[:200]!r} here: see {PREFIX}{OPENAPI.path}")


def _told(fault: HeadraceError, progress: Progress) -> HeadraceError:
    """The fault as who asks is told it; what keeps the server from answering is in its log."""
    if not isinstance(fault, Failed):
        return fault
    _log.error("request failed", operation=progress.operation, why=str(fault))
    return Failed(_TOLD_TO_STRANGERS) if progress.caller is None else fault


def _endpoint(route: Route, plane: Plane, gate: AccessGate) -> Endpoint:
    return (ArchiveEndpoint if route.takes_archive else OperationEndpoint)(route, plane, gate)


def create_app(plane: Plane, gate: AccessGate, others: Iterable[Place] = ()) -> Api:
    """The API of all operations, with these other endpoints; its OpenAPI document tells of what is there."""
    routes = all_routes()
    places: list[Place] = [(route.method, route.path, _endpoint(route, plane, gate)) for route in routes]
    others = list(others)
    described = {(each.method, each.path): each for each in ALL}
    served = [OPENAPI, *(described[method, path] for method, path, _ in others)]  # nothing is there untold
    told = OpenApiEndpoint(openapi_json(routes, sorted(served, key=ALL.index)))
    return Api([*places, (OPENAPI.method, OPENAPI.path, told), *others], gate)


def _pattern(path: str) -> re.Pattern[str]:
    return re.compile(
        _PLACEHOLDER.sub(lambda found: _SEGMENTS.get(found[1], f"(?P<{found[1]}>[^/]+)"), re.escape(PREFIX + path))
    )

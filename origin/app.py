"""The data plane and its probes as Starlette applications."""

import uuid
from http import HTTPStatus

import structlog
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from bundles.core.errors import Failed
from origin.core.faults import HttpFault, unavailable
from origin.core.headers import ALLOWED_METHODS, ERROR, NO_STORE, OPEN
from origin.routing import Routing
from origin.service import Service

_log = structlog.get_logger()

_PREFLIGHT = {
    **OPEN,
    "access-control-allow-methods": ALLOWED_METHODS,
    "access-control-allow-headers": "*",
    "access-control-max-age": "86400",
    "allow": ALLOWED_METHODS,
    "cache-control": ERROR,
}


class Endpoint:
    """Every path of the data plane, by method; an ASGI application, so that no method is refused before it."""

    def __init__(self, service: Service) -> None:
        self._service = service

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        response = await self._respond(Request(scope, receive))
        await response(scope, receive, send)

    async def _respond(self, request: Request) -> Response:
        if request.method == "OPTIONS":
            return Response(status_code=HTTPStatus.NO_CONTENT, headers=_PREFLIGHT)
        if request.method not in ("GET", "HEAD"):
            return _error(HttpFault(HTTPStatus.METHOD_NOT_ALLOWED, f"ask with {ALLOWED_METHODS}"))
        is_head = request.method == "HEAD"
        try:
            return await self._service.answer(request.scope["path"], request.headers, is_head=is_head)
        except HttpFault as fault:
            return _error(fault)
        except Failed as error:
            request_id = uuid.uuid4().hex
            _log.error("request failed", path=request.scope["path"], why=str(error), request_id=request_id)
            return _error(unavailable(f"the store does not work now; ask again (request {request_id})"))


def _error(fault: HttpFault) -> Response:
    headers = {**OPEN, "cache-control": ERROR}
    if fault.status == HTTPStatus.METHOD_NOT_ALLOWED:
        headers["allow"] = ALLOWED_METHODS
    if fault.status == HTTPStatus.NOT_ACCEPTABLE:
        headers["vary"] = "Accept-Encoding"
    if fault.status == HTTPStatus.SERVICE_UNAVAILABLE:
        headers.update({"cache-control": NO_STORE, "retry-after": "1"})
    return PlainTextResponse(fault.message + "\n", status_code=fault.status, headers=headers)


def data_plane(service: Service) -> Starlette:
    """What CDN edges ask."""
    return Starlette(routes=[Route("/{path:path}", Endpoint(service))])


def probes(routing: Routing) -> Starlette:
    """What a load balancer asks, on a port of its own: alive at all, and ready once a snapshot is in."""

    async def healthz(_: Request) -> Response:
        return _probe(HTTPStatus.OK, "alive")

    async def readyz(_: Request) -> Response:
        if routing.table is None:
            return _probe(HTTPStatus.SERVICE_UNAVAILABLE, "no verified snapshot yet")
        return _probe(HTTPStatus.OK, f"ready at revision {routing.table.revision}")

    return Starlette(routes=[Route("/healthz", healthz), Route("/readyz", readyz)])


def _probe(status: HTTPStatus, text: str) -> Response:
    return PlainTextResponse(text + "\n", status_code=status, headers={"cache-control": NO_STORE})

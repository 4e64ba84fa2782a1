"""The collection of beacons and its probes as ASGI applications."""

from collections.abc import Iterable
from http import HTTPStatus
from typing import Protocol

import anyio.to_thread
import structlog
from prometheus_client import generate_latest
from prometheus_client.exposition import CONTENT_TYPE_LATEST
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from beacons import metrics
from beacons.collect import Taken
from beacons.core.parse import MAX_BODY_BYTES
from beacons.ports import Edge
from beacons.writer import Writer
from bundles.core.errors import Invalid
from bundles.faults import fault_of
from release.core.counts import SLOT_SECONDS

PATH = "/v1/beacon"
Header = tuple[str, str]

NO_STORE: Header = ("cache-control", "no-store")
# On every answer, also on those that uvicorn gives by itself.
COMMON_HEADERS = (
    ("access-control-allow-origin", "*"),
    NO_STORE,
    ("cross-origin-resource-policy", "cross-origin"),
    ("x-content-type-options", "nosniff"),
)

_log = structlog.get_logger()
_ALLOW = {"allow": "POST, OPTIONS"}
_PREFLIGHT = {
    **_ALLOW,
    "access-control-allow-methods": "POST",
    "access-control-allow-headers": "content-type",
    "access-control-max-age": "86400",
}
_TYPES = (b"text/plain", b"application/json")
_MAX_TOLD = 400  # characters: what was wrong may hold a part of what was sent

_ACCEPTED = Response(status_code=HTTPStatus.ACCEPTED)
_BY_TAKEN = {
    Taken.OVER_LIMIT: (
        HTTPStatus.TOO_MANY_REQUESTS,
        "too many beacons in this time; none of these was counted",
        {"retry-after": str(SLOT_SECONDS)},
    ),
    Taken.NO_ROOM: (
        HTTPStatus.SERVICE_UNAVAILABLE,
        "the database does not take beacons fast enough now; none of these was counted",
        {"retry-after": "1"},
    ),
}


class Takes(Protocol):
    """Takes bodies of beacons."""

    async def take(self, body: bytes) -> Taken:
        """Take all of the body's beacons, or none of them. Raises `Invalid` where it is not of the right form."""
        ...


class Intake:
    """What pages post. An answer goes out for each request, whatever goes wrong."""

    def __init__(self, collector: Takes, edge: Edge | None) -> None:
        self._collector = collector
        self._edge = edge

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        try:
            response = _refusal(scope, self._edge) or await self._posted(receive)
        except Exception as error:  # noqa: BLE001 - a fault of our own is answered as readably as any other
            _log.error("request broke", fault=fault_of(error))
            response = _told(HTTPStatus.INTERNAL_SERVER_ERROR, "this is a fault of the collector's own")
        if response is None:
            return  # the client went away
        metrics.bodies.labels(response.status_code).inc()
        await response(scope, receive, send)

    async def _posted(self, receive: Receive) -> Response | None:
        body = bytearray()
        more = True
        while more:
            message = await receive()
            if message["type"] == "http.disconnect":
                return None
            body += message["body"]
            more = message["more_body"]
            if len(body) > MAX_BODY_BYTES:
                return _too_large()
        try:
            taken = await self._collector.take(bytes(body))
        except Invalid as error:
            return _told(HTTPStatus.BAD_REQUEST, str(error)[:_MAX_TOLD])
        return _ACCEPTED if taken is Taken.ACCEPTED else _told(*_BY_TAKEN[taken])


def probes(writer: Writer) -> Starlette:
    """What monitoring asks, on a port of its own: alive, ready while the database takes beacons, all counts."""

    async def healthz(_: Request) -> Response:
        return PlainTextResponse("alive\n")

    async def readyz(_: Request) -> Response:
        if not writer.works:
            return _told(HTTPStatus.SERVICE_UNAVAILABLE, "the database does not take beacons")
        return PlainTextResponse("ready\n")

    async def counted(_: Request) -> Response:
        body = await anyio.to_thread.run_sync(generate_latest, metrics.REGISTRY)
        return Response(body, headers={"content-type": CONTENT_TYPE_LATEST})

    return Starlette(routes=[Route("/healthz", healthz), Route("/readyz", readyz), Route("/metrics", counted)])


def _refusal(scope: Scope, edge: Edge | None) -> Response | None:
    """The answer to what is not asked for its body."""
    headers: list[tuple[bytes, bytes]] = scope["headers"]
    if edge is not None and not edge.knows(headers):
        return _told(HTTPStatus.FORBIDDEN, "this collector answers its edge alone")
    if scope["path"] != PATH:
        return _told(HTTPStatus.NOT_FOUND, f"beacons go to {PATH}")
    if scope["method"] == "OPTIONS":
        return Response(status_code=HTTPStatus.NO_CONTENT, headers=_PREFLIGHT)
    if scope["method"] != "POST":
        return _told(HTTPStatus.METHOD_NOT_ALLOWED, "beacons are sent with POST", _ALLOW)
    return _refusal_of_body(headers)


def _refusal_of_body(headers: Iterable[tuple[bytes, bytes]]) -> Response | None:
    content_type = b""
    for name, value in headers:
        if name == b"content-type":
            content_type = value.partition(b";")[0].strip().lower()
        elif name == b"content-encoding":
            return _told(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, "a body is taken as it is, without Content-Encoding")
        elif name == b"content-length" and int(value) > MAX_BODY_BYTES:
            return _too_large()
    if content_type not in _TYPES:
        return _told(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, "beacons are text/plain or application/json")
    return None


def _too_large() -> Response:
    """The connection ends with it: what is left of the body is not read."""
    return _told(
        HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
        f"the body has more than {MAX_BODY_BYTES} bytes",
        {"connection": "close"},
    )


def _told(status: HTTPStatus, text: str, headers: dict[str, str] | None = None) -> Response:
    return PlainTextResponse(text + "\n", status, headers)

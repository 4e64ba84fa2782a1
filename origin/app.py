"""The data plane and its probes as ASGI applications."""

import uuid
from http import HTTPStatus

import anyio.to_thread
import structlog
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response, StreamingResponse
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from bundles.core.errors import Failed
from origin import metrics
from origin.bodies import Bodies, CacheStatus
from origin.core.answer import Answer, BlobBody
from origin.core.faults import HttpFault, error_answer, forbidden, unavailable
from origin.core.headers import NO_STORE
from origin.core.request import RequestView, view_request
from origin.core.target import url_class
from origin.edge import EdgeSecrets
from origin.fast_lane import each_time, hold
from origin.routing import Routing
from origin.service import Service

_log = structlog.get_logger()


class DataPlane:
    """What CDN edges ask: every method and path. An answer goes out for each request, whatever goes wrong."""

    def __init__(self, service: Service, bodies: Bodies, edge: EdgeSecrets | None) -> None:
        self._service = service
        self._bodies = bodies
        self._edge = edge

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        request = view_request(scope["method"], scope["path"], scope["headers"])
        if self._edge is None or self._edge.knows(scope["headers"]):
            response = await self._response(scope, request)
        else:
            response = await self._filled(scope, request, error_answer(forbidden()))
        kind = url_class(request.path), response.status_code
        metrics.requests.labels(*kind).inc()
        each_time(scope, metrics.tally(*kind).add)
        await response(scope, receive, send)

    async def _response(self, scope: Scope, request: RequestView) -> Response:
        try:
            return await self._filled(scope, request, await self._service.answer(request))
        except Failed as error:
            request_id = uuid.uuid4().hex
            _log.error("request failed", path=request.path, why=str(error), request_id=request_id)
            fault = unavailable(f"the store does not work now; ask again (request {request_id})")
        except Exception:  # noqa: BLE001 - a fault of our own is answered as readably as any other
            request_id = uuid.uuid4().hex
            _log.exception("request broke", path=request.path, request_id=request_id)
            fault = HttpFault(
                HTTPStatus.INTERNAL_SERVER_ERROR,
                f"this is a fault of the origin (request {request_id})",
                {"cache-control": NO_STORE},
            )
        return await self._filled(scope, request, error_answer(fault))

    async def _filled(self, scope: Scope, request: RequestView, answer: Answer) -> Response:
        """The answer with its body's bytes, which HEAD leaves out."""
        status, headers, body = answer.status, answer.headers, answer.body
        if not isinstance(body, BlobBody):
            hold(scope, answer.until, answer.common)
            return Response(b"" if request.method == "HEAD" else body, status, headers)
        if request.method == "HEAD":
            hold(scope, answer.until)
            return Response(b"", status, {**headers, "cache-status": CacheStatus.HIT})
        fetched = await self._bodies.fetch(body)
        if fetched.cache_status is CacheStatus.HIT:
            hold(scope, answer.until)
        headers = {**headers, "cache-status": fetched.cache_status}
        if isinstance(fetched.content, bytes):
            return Response(fetched.content, status, headers)
        return StreamingResponse(fetched.content, status, headers)


def probes(routing: Routing) -> Starlette:
    """What monitoring asks, on a port of its own: alive at all, ready once a snapshot is in, and all counts."""

    async def healthz(_: Request) -> Response:
        return _probe(HTTPStatus.OK, "alive")

    async def readyz(_: Request) -> Response:
        if routing.table is None:
            return _probe(HTTPStatus.SERVICE_UNAVAILABLE, "no verified snapshot yet")
        stale = "; the snapshot is stale: the control plane was not heard from" if routing.is_stale else ""
        return _probe(HTTPStatus.OK, f"ready at revision {routing.table.revision}{stale}")

    async def counted(_: Request) -> Response:
        metrics.settle()
        body = await anyio.to_thread.run_sync(metrics.exposition)
        return Response(body, headers={"cache-control": NO_STORE, "content-type": metrics.CONTENT_TYPE})

    return Starlette(routes=[Route("/healthz", healthz), Route("/readyz", readyz), Route("/metrics", counted)])


def _probe(status: HTTPStatus, text: str) -> Response:
    return PlainTextResponse(text + "\n", status_code=status, headers={"cache-control": NO_STORE})

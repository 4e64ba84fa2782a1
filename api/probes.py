"""What monitoring asks, on a port of its own: alive, ready while the control database answers, and all counts."""

from http import HTTPStatus

import anyio.to_thread
from prometheus_client import generate_latest
from prometheus_client.exposition import CONTENT_TYPE_LATEST
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from api import metrics
from bundles.core.errors import Failed
from release.ports import Ledger

_NO_STORE = {"cache-control": "no-store"}


def probes(ledger: Ledger) -> Starlette:
    """The application for the probes' port."""

    async def healthz(_: Request) -> Response:
        return PlainTextResponse("alive\n", headers=_NO_STORE)

    async def readyz(_: Request) -> Response:
        try:
            async with ledger.reading() as reading:
                revision = await reading.revision()
        except Failed:
            status = HTTPStatus.SERVICE_UNAVAILABLE
            return PlainTextResponse("the control database does not answer\n", status, _NO_STORE)
        return PlainTextResponse(f"ready at revision {revision}\n", headers=_NO_STORE)

    async def counted(_: Request) -> Response:
        body = await anyio.to_thread.run_sync(generate_latest, metrics.REGISTRY)
        return Response(body, headers={**_NO_STORE, "content-type": CONTENT_TYPE_LATEST})

    return Starlette(routes=[Route("/healthz", healthz), Route("/readyz", readyz), Route("/metrics", counted)])

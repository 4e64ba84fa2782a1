"""What monitoring asks, on a port of its own: alive, ready while the control database answers, and all counts."""

import asyncio
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

READY_SECONDS = 5.0
"""So long the database may take to say that it is there; who asks whether it is waits no longer."""
_NO_STORE = {"cache-control": "no-store"}


def probes(ledger: Ledger) -> Starlette:
    """The application for the probes' port."""

    async def healthz(_: Request) -> Response:
        return PlainTextResponse("alive\n", headers=_NO_STORE)

    looks: set[asyncio.Task[int]] = set()

    async def look() -> int:
        async with ledger.reading() as reading:
            return await reading.revision()

    async def readyz(_: Request) -> Response:
        # One look for all who ask, which goes on where it is not waited for: to break it off may take as long.
        looking = next(iter(looks), None) or asyncio.ensure_future(look())
        looks.add(looking)
        looking.add_done_callback(looks.discard)
        try:
            async with asyncio.timeout(READY_SECONDS):
                revision = await asyncio.shield(looking)
        except (Failed, TimeoutError):
            status = HTTPStatus.SERVICE_UNAVAILABLE
            return PlainTextResponse("the control database does not answer\n", status, _NO_STORE)
        return PlainTextResponse(f"ready at revision {revision}\n", headers=_NO_STORE)

    async def counted(_: Request) -> Response:
        body = await anyio.to_thread.run_sync(generate_latest, metrics.REGISTRY)
        return Response(body, headers={**_NO_STORE, "content-type": CONTENT_TYPE_LATEST})

    return Starlette(routes=[Route("/healthz", healthz), Route("/readyz", readyz), Route("/metrics", counted)])

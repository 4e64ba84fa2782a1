"""The collector of beacons as a function of AWS Lambda, whose handler is `headrace.aws_lambda.handler`.

It takes what API Gateway or a function's URL hands on, and messages of SQS whose bodies are those of beacons.
"""

import asyncio
import os
from collections.abc import Mapping
from contextlib import AsyncExitStack
from functools import cache
from pathlib import Path
from typing import Any

import msgspec
from mangum import Mangum
from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from beacons.app import COMMON_HEADERS, Intake
from beacons.core.limits import Limits
from beacons.direct import DirectCollector, Queued
from bundles.core.errors import Invalid
from headrace.health_wiring import health_store
from headrace.logs import configure_logs
from headrace.wiring import is_postgresql
from release.adapters.system_clock import SystemClock

Event = Mapping[str, Any]
HEALTH_DATABASE_VARIABLE = "HEADRACE_HEALTH_DATABASE"


class _Attributes(msgspec.Struct, frozen=True, rename="pascal"):
    sent_timestamp: str  # milliseconds since the epoch


class _Record(msgspec.Struct, frozen=True, rename="camel"):
    message_id: str
    body: str
    attributes: _Attributes


def handler(event: Event, context: object) -> Mapping[str, Any]:
    """Answer one event; all that it brought is counted by then."""
    return _function()(event, context)


@cache
def _function() -> "Function":
    configure_logs()
    return Function(os.environ)


class Function:
    """What a sandbox keeps between events: its loop, and in it the connections to the database."""

    def __init__(self, environ: Mapping[str, str]) -> None:
        """Raises `Invalid` where no PostgreSQL is named: a sandbox has no disk that lasts."""
        database = environ.get(HEALTH_DATABASE_VARIABLE)
        if not is_postgresql(database, "health database"):
            raise Invalid(f"a function counts in PostgreSQL: set {HEALTH_DATABASE_VARIABLE} to postgresql://…")
        self._loop = asyncio.new_event_loop()
        asyncio.set_event_loop(self._loop)  # Mangum's too
        self._held = AsyncExitStack()  # never closed: a sandbox is not told of its end
        opening = self._held.enter_async_context(health_store(Path(), database))
        health = self._loop.run_until_complete(opening)
        self._collector = DirectCollector(health.counting, SystemClock(), Limits())
        self._http = Mangum(_WithCommonHeaders(Intake(self._collector, None)), lifespan="off")

    def __call__(self, event: Event, context: Any) -> Mapping[str, Any]:
        """The answer, in the form that the event's source asks for."""
        if "Records" in event:
            return self._loop.run_until_complete(self._queued(event["Records"]))
        return self._http(dict(event), context)

    async def _queued(self, records: object) -> Mapping[str, Any]:
        bodies = [
            Queued(record.message_id, _bytes(record.body), int(record.attributes.sent_timestamp) / 1000)
            for record in msgspec.convert(records, list[_Record])
        ]
        again = await self._collector.take_queued(bodies)
        return {"batchItemFailures": [{"itemIdentifier": name} for name in again]}


def _bytes(text: str) -> bytes:
    """As UTF-8. What JSON has and UTF-8 can't have is not as beacons are, which their parser finds."""
    return text.encode("utf-8", "surrogatepass")


class _WithCommonHeaders:
    """An app with the headers that the collector's own server puts on each answer."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message).update(dict(COMMON_HEADERS))
            await send(message)

        await self._app(scope, receive, send_with_headers)

"""The client for asyncio."""

from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing, suppress
from pathlib import Path
from typing import Any, Self, TypeVar, cast

import anyio
import httpx
import msgspec
import stamina
from httpx_sse import EventSource

from api.core.operation import NO_TERMS, Change, Operation, Terms, route_of
from api.core.page import Page, items_of
from api.operations.publishing import PublishBuild
from api.views.change import EventView
from api.views.plan import PlanView
from api.views.published import PublishedView
from headrace.client.retries import ATTEMPTS, BREAK_SECONDS, RETRIES, Passing, checked, fault_in, telling
from headrace.client.upload import UPLOAD_RETRIES, Sent, unseen, upload_of
from headrace.client.wire import (
    TIMEOUT_SECONDS,
    events_request,
    is_stream,
    read_answer,
    read_event,
    request_of,
    settings,
)

A = TypeVar("A")
T = TypeVar("T")


class AsyncClient:
    """Asks a server's admin API. It is a context manager."""

    def __init__(
        self, server: str, token: str, *, timeout: float = TIMEOUT_SECONDS, most_attempts: int = ATTEMPTS
    ) -> None:
        self._attempts: int | None = most_attempts
        self._timeout = timeout
        self._http = httpx.AsyncClient(**settings(server, token, timeout))

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def close(self) -> None:
        """Close its connections."""
        await self._http.aclose()

    async def send(self, asked: Operation[A], terms: Terms = NO_TERMS) -> A:
        """What answers the operation. Raises the fault that the server tells of, `Failed` where none answers."""
        response = await self._sent(asked, terms)
        return cast("A", read_answer(response, route_of(type(asked)).answer))

    async def plan(self, asked: Change[Any], terms: Terms = NO_TERMS) -> PlanView:
        """What the change would do. It is not made."""
        response = await self._sent(asked, msgspec.structs.replace(terms, is_preview=True))
        return cast("PlanView", read_answer(response, PlanView))

    async def publish(self, asked: PublishBuild, archive: Path, sent: Sent = unseen) -> PublishedView:
        """The build that is made of this tar, tar.gz or zip; `sent` is told how many of its bytes are on the way.

        It is sent from its beginning again where the connection breaks: the same build is made once. Raises as
        `send`, and `Invalid` for what is no archive.
        """
        upload = upload_of(asked, archive, sent, self._timeout)
        response = await self._answered(upload.again_async, UPLOAD_RETRIES)
        return cast("PublishedView", read_answer(response, PublishedView))

    def all(self, asked: Operation[Page[T]]) -> AsyncGenerator[T, None]:
        """Each item of a list, page by page."""
        return items_of(self.send, asked)

    async def events(self, product: str | None = None, after: int = 0) -> AsyncGenerator[EventView, None]:
        """Each change after a revision as soon as it is made, of the product or of all that the token is for.

        It goes on without an end, also where the connection breaks or the server starts anew: each change is told
        once. Raises the fault that the server tells of, `Conflict` where it has lost changes that were told, and
        `Failed` where it does not answer, for minutes once it had.
        """
        last, attempts = None, self._attempts
        while True:
            response = await self._opened(events_request(product, after, last, self._timeout), attempts)
            try:
                with suppress(httpx.TransportError):
                    async with aclosing(EventSource(response).aiter_sse()) as events:
                        async for event in events:
                            view = read_event(event.data)
                            last = view.revision
                            yield view
            finally:
                await response.aclose()
            attempts = None
            await anyio.sleep(BREAK_SECONDS)

    async def _sent(self, asked: Operation[Any], terms: Terms) -> httpx.Response:
        request = request_of(asked, terms)
        return await self._answered(lambda: request, RETRIES)

    async def _answered(self, request: Callable[[], dict[str, Any]], retries: dict[str, Any]) -> httpx.Response:
        try:
            async for attempt in stamina.retry_context(attempts=self._attempts, **retries):
                with attempt, telling():
                    return checked(await self._http.request(**request()))
        except Passing as passing:
            raise passing.fault from None
        raise AssertionError("an attempt returns or raises")

    async def _opened(self, request: dict[str, Any], attempts: int | None) -> httpx.Response:
        try:
            async for attempt in stamina.retry_context(attempts=attempts, **RETRIES):
                with attempt, telling():
                    response = await self._http.send(self._http.build_request(**request), stream=True)
                    if is_stream(response):
                        return response
                    await response.aread()
                    raise fault_in(response)
        except Passing as passing:
            raise passing.fault from None
        raise AssertionError("an attempt returns or raises")

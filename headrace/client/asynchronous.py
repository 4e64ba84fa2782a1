"""The client for asyncio."""

from collections.abc import AsyncIterator
from typing import Any, Self, TypeVar, cast

import httpx
import msgspec
import stamina

from api.core.operation import NO_TERMS, Change, Operation, Terms, route_of
from api.core.page import Page
from api.views.plan import PlanView
from headrace.client.retries import ATTEMPTS, RETRIES, Passing, checked, telling
from headrace.client.wire import TIMEOUT_SECONDS, read_answer, request_of, settings

A = TypeVar("A")
T = TypeVar("T")


class AsyncClient:
    """Asks a server's admin API. It is a context manager."""

    def __init__(
        self, server: str, token: str, *, timeout: float = TIMEOUT_SECONDS, most_attempts: int = ATTEMPTS
    ) -> None:
        self._attempts = most_attempts
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

    async def all(self, asked: Operation[Page[T]]) -> AsyncIterator[T]:
        """Each item of a list, page by page."""
        page: Page[T] | None = None
        while page is None or page.next is not None:
            page = await self.send(asked if page is None else msgspec.structs.replace(asked, cursor=page.next))
            for item in page.items:
                yield item

    async def _sent(self, asked: Operation[Any], terms: Terms) -> httpx.Response:
        request = request_of(asked, terms)
        try:
            async for attempt in stamina.retry_context(attempts=self._attempts, **RETRIES):
                with attempt, telling():
                    return checked(await self._http.request(**request))
        except Passing as passing:
            raise passing.fault from None
        raise AssertionError("an attempt returns or raises")

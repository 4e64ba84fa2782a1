"""The client for plain code."""

from collections.abc import Iterator
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


class Client:
    """Asks a server's admin API. It is a context manager, and safe to use from several threads."""

    def __init__(
        self, server: str, token: str, *, timeout: float = TIMEOUT_SECONDS, most_attempts: int = ATTEMPTS
    ) -> None:
        self._attempts = most_attempts
        self._http = httpx.Client(**settings(server, token, timeout))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close its connections."""
        self._http.close()

    def send(self, asked: Operation[A], terms: Terms = NO_TERMS) -> A:
        """What answers the operation. Raises the fault that the server tells of, `Failed` where none answers."""
        response = self._sent(asked, terms)
        return cast("A", read_answer(response, route_of(type(asked)).answer))

    def plan(self, asked: Change[Any], terms: Terms = NO_TERMS) -> PlanView:
        """What the change would do. It is not made."""
        response = self._sent(asked, msgspec.structs.replace(terms, is_preview=True))
        return cast("PlanView", read_answer(response, PlanView))

    def all(self, asked: Operation[Page[T]]) -> Iterator[T]:
        """Each item of a list, page by page."""
        page: Page[T] | None = None
        while page is None or page.next is not None:
            page = self.send(asked if page is None else msgspec.structs.replace(asked, cursor=page.next))
            yield from page.items

    def _sent(self, asked: Operation[Any], terms: Terms) -> httpx.Response:
        request = request_of(asked, terms)
        try:
            for attempt in stamina.retry_context(attempts=self._attempts, **RETRIES):
                with attempt, telling():
                    return checked(self._http.request(**request))
        except Passing as passing:
            raise passing.fault from None
        raise AssertionError("an attempt returns or raises")

"""The client for plain code."""

import time
from collections.abc import Callable, Generator, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any, Self, TypeVar, cast

import httpx
import msgspec
import stamina
from httpx_sse import EventSource

from api.core.operation import NO_TERMS, Change, Operation, Terms, route_of
from api.core.page import Page
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


class Client:
    """Asks a server's admin API. It is a context manager, and safe to use from several threads."""

    def __init__(
        self, server: str, token: str, *, timeout: float = TIMEOUT_SECONDS, most_attempts: int = ATTEMPTS
    ) -> None:
        self._attempts: int | None = most_attempts
        self._timeout = timeout
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

    def publish(self, asked: PublishBuild, archive: Path, sent: Sent = unseen) -> PublishedView:
        """The build that is made of this tar, tar.gz or zip; `sent` is told how many of its bytes are on the way.

        It is sent from its beginning again where the connection breaks: the same build is made once. Raises as
        `send`, and `Invalid` for what is no archive.
        """
        upload = upload_of(asked, archive, sent, self._timeout)
        response = self._answered(upload.again, UPLOAD_RETRIES)
        return cast("PublishedView", read_answer(response, PublishedView))

    def all(self, asked: Operation[Page[T]]) -> Iterator[T]:
        """Each item of a list, page by page."""
        page: Page[T] | None = None
        while page is None or page.next is not None:
            page = self.send(asked if page is None else msgspec.structs.replace(asked, cursor=page.next))
            yield from page.items

    def events(self, product: str | None = None, after: int = 0) -> Generator[EventView, None, None]:
        """Each change after a revision as soon as it is made, of the product or of all that the token is for.

        It goes on without an end, also where the connection breaks or the server starts anew: each change is told
        once. Raises the fault that the server tells of, `Conflict` where it has lost changes that were told, and
        `Failed` where it does not answer, for minutes once it had.
        """
        last, attempts = None, self._attempts
        while True:
            response = self._opened(events_request(product, after, last, self._timeout), attempts)
            try:
                with suppress(httpx.TransportError):
                    for event in EventSource(response).iter_sse():
                        view = read_event(event.data)
                        last = view.revision
                        yield view
            finally:
                response.close()
            attempts = None
            time.sleep(BREAK_SECONDS)

    def _sent(self, asked: Operation[Any], terms: Terms) -> httpx.Response:
        request = request_of(asked, terms)
        return self._answered(lambda: request, RETRIES)

    def _answered(self, request: Callable[[], dict[str, Any]], retries: dict[str, Any]) -> httpx.Response:
        try:
            for attempt in stamina.retry_context(attempts=self._attempts, **retries):
                with attempt, telling():
                    return checked(self._http.request(**request()))
        except Passing as passing:
            raise passing.fault from None
        raise AssertionError("an attempt returns or raises")

    def _opened(self, request: dict[str, Any], attempts: int | None) -> httpx.Response:
        try:
            for attempt in stamina.retry_context(attempts=attempts, **RETRIES):
                with attempt, telling():
                    response = self._http.send(self._http.build_request(**request), stream=True)
                    if is_stream(response):
                        return response
                    response.read()
                    raise fault_in(response)
        except Passing as passing:
            raise passing.fault from None
        raise AssertionError("an attempt returns or raises")

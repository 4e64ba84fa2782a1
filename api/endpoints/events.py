"""Changes as they are made, as a stream of server-sent events (HTML Standard, section 9.2)."""

import time
from collections import Counter
from collections.abc import AsyncGenerator, Callable, Iterable, Iterator, Mapping
from contextlib import AsyncExitStack, aclosing, contextmanager

import msgspec
import structlog
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.types import Receive, Scope, Send

from api.answers import COMMON_HEADERS
from api.core.access import READERS
from api.core.fields import ProductField, RevisionField
from api.core.limits import TooMany
from api.core.problems import Malformed
from api.endpoints.described import EVENTS
from api.endpoints.endpoint import Progress
from api.feed import follow
from api.gate import AccessGate
from api.perform import Plane
from api.views.change import EventView
from bundles.core.errors import HeadraceError
from bundles.core.names import parse_product

MOST_STREAMS = 8
"""Of one credential at a time, in one process."""
HEARTBEAT_SECONDS = 15.0
"""So long a stream is silent at the most: who hears nothing for much longer has lost it."""
CHECK_SECONDS = 5.0
"""So long a credential that was taken away is still told of changes at the most."""

_HEADERS = {**COMMON_HEADERS, "x-accel-buffering": "no"}  # nginx would else keep events until it has many
_COMMENT = b":\n\n"
_Views = AsyncGenerator[EventView | None, None]

_log = structlog.get_logger()


class _Asked(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    product: ProductField | None = None
    after: RevisionField = 0


class EventsEndpoint:
    """Tells of changes for as long as somebody listens, may listen, and the server runs."""

    name = EVENTS.name

    def __init__(self, plane: Plane, gate: AccessGate, is_ending: Callable[[], bool]) -> None:
        self._plane = plane
        self._gate = gate
        self._is_ending = is_ending
        self._streams = Counter[str]()

    async def respond(self, request: Request, path: Mapping[str, str], progress: Progress) -> Response:
        """The stream. What is wrong at its begin is a problem, as a revision that this database is not at."""
        del path
        known = await self._gate.admit_known(request, changes=False)
        caller = progress.caller = known.caller
        caller.require_role(READERS)
        asked = _read(request.query_params.multi_items(), request.headers.get("last-event-id"))
        caller.require_scope(asked.product, None)
        product = None if asked.product is None else parse_product(asked.product)
        if request.method == "HEAD":
            return Response(headers=_HEADERS, media_type=EVENTS.media_type)
        async with AsyncExitStack() as held:
            held.enter_context(self._counted(known.counted_as))
            views = follow(self._plane.control.ledger, product, asked.after, caller.grant)
            await held.enter_async_context(aclosing(views))
            first = await anext(views)
            return _Stream(self._told(request, first, views), held.pop_all())

    @contextmanager
    def _counted(self, credential: str) -> Iterator[None]:
        """Within it the credential has one stream more. Raises `TooMany`."""
        if self._streams[credential] >= MOST_STREAMS:
            raise TooMany(f"there are {MOST_STREAMS} streams of this credential already: end one of them")
        self._streams[credential] += 1
        try:
            yield
        finally:
            self._streams[credential] -= 1
            self._streams += Counter()  # forgets those who have none

    async def _told(self, request: Request, first: EventView | None, views: _Views) -> AsyncGenerator[bytes, None]:
        yield _COMMENT  # what is on the way learns that the answer has begun
        try:
            if first is not None:
                yield _event(first)
            checked = said = time.monotonic()
            async for view in views:
                now = time.monotonic()
                if self._is_ending():
                    return
                if now >= checked + CHECK_SECONDS:
                    await self._gate.check(request)
                    checked = now
                if view is not None or now >= said + HEARTBEAT_SECONDS:
                    yield _COMMENT if view is None else _event(view)
                    said = now
        except HeadraceError as fault:  # who comes back is told of it as a problem
            _log.info("stream ended", why=str(fault))


class _Stream(StreamingResponse):
    """Sends what is told, and lets go of what is held for it, however it ends."""

    def __init__(self, told: AsyncGenerator[bytes, None], held: AsyncExitStack) -> None:
        super().__init__(told, headers=_HEADERS, media_type=EVENTS.media_type)
        self._held = held

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async with self._held:
            await super().__call__(scope, receive, send)


def _read(query: Iterable[tuple[str, str]], last_event_id: str | None) -> _Asked:
    """What is asked for. Raises `Malformed`. Who comes back names what it had last, and that counts."""
    given: dict[str, str] = {}
    for name, value in query:
        if name in given:
            raise Malformed(f"{name!r} is there twice")
        given[name] = value
    if last_event_id is not None:
        given["after"] = last_event_id
    try:
        return msgspec.convert(given, _Asked, strict=False)
    except msgspec.ValidationError as error:
        raise Malformed(str(error)) from None


def _event(view: EventView) -> bytes:
    return b"id: %d\nevent: change\ndata: %s\n\n" % (view.revision, msgspec.json.encode(view))

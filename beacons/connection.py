"""A connection within its limits: of time, of bytes for one request, and of the number of connections.

uvicorn's protocol gives up on a connection that is idle after an answer. Here a request that does not become whole
ends it too, one that never begins, and a client that sends request upon request or takes no answers. A request has
one answer. Where there are too many connections, a new one takes the place of that which has waited longest.
"""

import asyncio
from typing import Any

from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol

from beacons import metrics
from beacons.core.limits import MAX_REQUEST_BYTES, MOST_REQUESTS_AHEAD, Limits


class _NoRequest(Exception):
    """What the parser tells uvicorn of, which answers 400 and ends the connection."""


class BoundedConnection(HttpToolsProtocol):
    """One connection. `limits` and `waiting` are shared by all of a server.

    `waiting` has those that wait for a request or the rest of one, the longest waiting first: no answer is lost
    when they end.
    """

    limits: Limits
    waiting: dict["BoundedConnection", None]

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._seen = 0
        self._has_begun = False  # a request that is not here whole
        self._has_head = False  # but its head is
        self._deadline: asyncio.TimerHandle | None = None

    def connection_made(self, transport: Any) -> None:
        """Take it, if there is room."""
        super().connection_made(transport)
        self.waiting[self] = None
        if len(self.connections) > self.limits.connections:
            longest = next(iter(self.waiting))
            metrics.ended.labels("full" if longest is self else "made-room").inc()
            longest.end()
        if not self.transport.is_closing():
            self._begin()

    def connection_lost(self, exc: Exception | None) -> None:
        """It is over, whoever ended it."""
        self.waiting.pop(self, None)
        self._end()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Bytes of the client's: a request, a part of one, or several."""
        if self.transport.is_closing():
            return
        if self._deadline is None:
            self._begin()
        self._seen += len(data)
        super().data_received(data)
        if self._seen > MAX_REQUEST_BYTES and not self.transport.is_closing():
            self._refuse(413, b"the request is too large\n", "large")

    def end(self) -> None:
        """End it at once, for the sake of another one."""
        self.waiting.pop(self, None)
        self.transport.abort()

    def timeout_keep_alive_handler(self) -> None:
        """It was idle since an answer; who has not taken that by now never will."""
        self.transport.abort()

    def on_message_begin(self) -> None:
        """A request begins."""
        self._has_begun = True
        self._has_head = False
        super().on_message_begin()

    def on_header(self, name: bytes, value: bytes) -> None:
        """A field of the head; one behind the body is none (RFC 9110, section 6.5.1)."""
        if not self._has_head:
            super().on_header(name, value)

    def on_headers_complete(self) -> None:
        """A request's head is here whole."""
        if self.parser.should_upgrade():
            raise _NoRequest  # the parser would take its body for the next request
        if len(self.pipeline) >= MOST_REQUESTS_AHEAD:
            metrics.ended.labels("ahead").inc()
            raise _NoRequest
        self._has_head = True
        super().on_headers_complete()

    def on_message_complete(self) -> None:
        """A request is here whole."""
        self._seen = 0
        self._has_begun = False
        if not self.cycle.response_complete:
            self.waiting.pop(self, None)
        super().on_message_complete()

    def on_response_complete(self) -> None:
        """An answer was written; but a connection that closes does so once the client has taken it."""
        if not self.transport.is_closing():
            self._end()
            if self.pipeline or self._has_begun:
                self._begin()
            if not self.pipeline:
                self.waiting.pop(self, None)
                self.waiting[self] = None
        super().on_response_complete()

    def _begin(self) -> None:
        self._deadline = self.loop.call_later(self.limits.request_seconds, self._too_slow)

    def _end(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

    def _too_slow(self) -> None:
        self._deadline = None
        if self.transport.is_closing() or self.transport.get_write_buffer_size():
            metrics.ended.labels("slow-reader").inc()
            self.transport.abort()
        elif self._has_begun:
            self._refuse(408, b"the request was not whole in time\n", "slow")
        else:
            metrics.ended.labels("idle").inc()
            self.transport.close()

    def _refuse(self, status: int, text: bytes, limit: str) -> None:
        """Say why, and end; or end alone, where the request was answered by its head."""
        metrics.ended.labels(limit).inc()
        if self._has_head and self.cycle.response_complete:
            self.transport.abort()
            return
        fields = [
            *self.server_state.default_headers,
            (b"content-type", b"text/plain; charset=utf-8"),
            (b"content-length", str(len(text)).encode()),
            (b"connection", b"close"),
        ]
        lines = [b"%b: %b\r\n" % field for field in fields]
        self.transport.write(b"".join([STATUS_LINE[status], *lines, b"\r\n", text]))
        self.transport.close()
        self._end()
        self._begin()


def bounded_class(limits: Limits) -> type[BoundedConnection]:
    """The protocol of the connections that share these limits."""
    return type("SharingBoundedConnection", (BoundedConnection,), {"limits": limits, "waiting": {}})

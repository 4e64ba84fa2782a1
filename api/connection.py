"""A connection with limits, so that nobody holds it for nothing.

A head has a limit of time and one of bytes, and an answer goes on while it is read. A body has the limits of what
reads it; one that nobody reads any more, since the answer is given, ends soon. What is no request is answered as
any other fault is.
"""

import asyncio
import secrets
from typing import Any

from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol

from api import metrics
from api.answers import problem_response
from api.core.limits import Busy
from api.core.problems import Malformed
from api.room import Room
from bundles.core.errors import HeadraceError

MAX_HEAD_BYTES = 32 * 1024
HEAD_SECONDS = 10.0
UNREAD_SECONDS = 60.0
"""How long a body goes on once its answer is given: time for who still sends an archive to hear of a refusal."""
LEAST_READ_BYTES = 64 * 1024
"""So much of an answer that waits to be sent is read by the client in each `UNREAD_SECONDS`."""
LINGER_SECONDS = 2.0
"""So long what is still sent is read and thrown away, for the client to hear why nothing of it was taken."""
_TOO_LARGE = f"the request's head has more than {MAX_HEAD_BYTES} bytes"
_NO_HTTP = "what was sent is no request of HTTP/1.1, or not encoded as it must be"


class _TooLarge(Exception):
    """What the parser tells uvicorn of, which then answers 400 and ends the connection."""


class BoundedConnection(HttpToolsProtocol):
    """Ends where a request does not become whole in time, its head is too large, or its answer is not read.

    `room` is shared by all of a server.
    """

    room: Room

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._awaits_head = True
        self._seen = 0
        self._is_counted = False
        self._is_over = False  # nothing that comes is taken any more
        self._why = _NO_HTTP
        self._deadline: asyncio.TimerHandle | None = None
        self._unread: asyncio.TimerHandle | None = None

    def connection_made(self, transport: Any) -> None:
        """A client is there. One for which there is no room is told so before it asks."""
        super().connection_made(transport)
        try:
            self.room.enter(self._address)
        except Busy as fault:
            metrics.refused_connections.inc()
            self._is_over = True
            self._tell(fault)
            transport.close()
            return
        self._is_counted = True
        self._begin(HEAD_SECONDS)

    def connection_lost(self, exc: Exception | None) -> None:
        """It is gone."""
        if self._is_counted:
            self.room.leave(self._address)
        self._end()
        self._end_unread()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Bytes of the client's: a part of a head, or of a body."""
        if self._is_over:
            return
        if self._awaits_head:
            self._seen += len(data)
            if self._deadline is None:
                self._begin(HEAD_SECONDS)
        super().data_received(data)
        if self._awaits_head and self._seen > MAX_HEAD_BYTES:
            self._refuse(_TOO_LARGE)

    def send_400_response(self, msg: str) -> None:  # noqa: ARG002 - the parser has one for all
        """What came is no request, or no body: uvicorn calls this."""
        self._refuse(self._why)

    def on_headers_complete(self) -> None:
        """A head is whole, however it came."""
        if len(self.url) + sum(len(name) + len(value) for name, value in self.headers) > MAX_HEAD_BYTES:
            self._why = _TOO_LARGE
            raise _TooLarge
        super().on_headers_complete()  # raises where the URL is none: then this is no head
        self._awaits_head = False
        self._end()

    def on_message_complete(self) -> None:
        """A request is whole: what comes next is a head."""
        self._awaits_head, self._seen = True, 0
        super().on_message_complete()

    def on_response_complete(self) -> None:
        """An answer is given. Where its request still goes on, uvicorn waits for as long as that likes."""
        super().on_response_complete()
        if not self._awaits_head and self.cycle.response_complete and self._deadline is None:
            self._begin(UNREAD_SECONDS)

    def pause_writing(self) -> None:
        """More of an answer waits than is to be kept in memory."""
        super().pause_writing()
        self._watch_unread()

    def resume_writing(self) -> None:
        """Most of it was read."""
        self._end_unread()
        super().resume_writing()

    @property
    def _address(self) -> str:
        return "" if self.client is None else self.client[0]

    def _refuse(self, why: str) -> None:
        """End, and say why: what came is no head, or no body of the request that is being answered."""
        if self._is_over or self.transport.is_closing():
            return
        self._is_over = True
        self._end()  # else the answers that are under way would have as long as a head
        if self._awaits_head:
            if self.cycle is not None and not self.cycle.response_complete:
                self.cycle.keep_alive = False  # the requests before have their answers, and then nothing follows
                return
        else:
            self.cycle.disconnected = True
            self.cycle.message_event.set()
            if self.cycle.response_started or self.pipeline:
                self.transport.close()  # an answer in this place would be taken for another one's
                return
        self._tell(Malformed(why))
        if self.transport.can_write_eof():
            self.transport.write_eof()
            self._begin(LINGER_SECONDS)
        else:
            self.transport.close()

    def _tell(self, fault: HeadraceError) -> None:
        """Write the fault as an answer to no request."""
        response = problem_response(fault, secrets.token_hex(8))
        response.headers["connection"] = "close"
        metrics.requests.labels("", response.status_code).inc()
        fields = [*self.server_state.default_headers, *response.raw_headers]
        lines = [b"%b: %b\r\n" % field for field in fields]
        self.transport.write(b"".join([STATUS_LINE[response.status_code], *lines, b"\r\n", bytes(response.body)]))

    def _begin(self, seconds: float) -> None:
        self._deadline = self.loop.call_later(seconds, self.transport.abort)

    def _end(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

    def _watch_unread(self) -> None:
        waiting = self.transport.get_write_buffer_size()
        self._unread = self.loop.call_later(UNREAD_SECONDS, self._check_unread, waiting)

    def _check_unread(self, waited: int) -> None:
        if waited - self.transport.get_write_buffer_size() < LEAST_READ_BYTES:
            self.transport.abort()
        else:
            self._watch_unread()

    def _end_unread(self) -> None:
        if self._unread is not None:
            self._unread.cancel()
            self._unread = None


def bounded_class(room: Room) -> type[BoundedConnection]:
    """The class of a server's connections, which have this room."""
    return type("RoomyConnection", (BoundedConnection,), {"room": room})

"""A connection that takes one request at a time, each within its limits, and ends where one is not.

uvicorn's protocol makes requests of whatever comes, as soon as it comes. Here a head is gathered until it is
whole, looked at (`origin.core.framing`), and only then handed on, once the one before is answered. Nothing else is
ever parsed, so that there is one answer for one request, and bounded memory for each connection.
"""

import fcntl
import math
import struct
import termios
from enum import Enum
from typing import Any

import httptools
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol

from origin import metrics
from origin.core.faults import error_answer
from origin.core.framing import HEAD_END, Reason, Refusal, refusal_of_head, refusal_of_part, too_slow, unreadable
from origin.core.limits import LINGER_SECONDS, MAX_HEAD_BYTES, Limits
from origin.room import Room


class Phase(Enum):
    """What a connection waits for."""

    REST = "the first byte of a request"
    HEAD = "the rest of a head, or the client to take what it was sent before"
    ANSWER = "the application"
    OVER = "the client to read why it was refused"


REST, _HEAD, ANSWER, _OVER = Phase


class GuardedConnection(HttpToolsProtocol):
    """One connection. `limits` and `room` are shared by all of a server.

    A client that has sent all it will (a half-closed connection) is still answered.
    """

    limits: Limits
    room: Room

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self.phase = REST
        # True once a request was taken up.
        self.has_asked = False
        # Since the last answer, or since the connection was made; in HEAD after an answer, since the first byte.
        self.waiting_since = 0.0
        # When the room's sweep is to look here next. It is brought forward where something begins that must end.
        self.due = math.inf
        self._pending = bytearray()
        self._seen = 0
        self._is_half_closed = False
        self._unsent = 0

    @property
    def is_waiting(self) -> bool:
        """True where no answer is lost when it ends."""
        return self.phase in (REST, _HEAD) and not self.transport.get_write_buffer_size()

    def connection_made(self, transport: Any) -> None:
        """Take it, if there is room."""
        super().connection_made(transport)
        self.waiting_since = self.loop.time()
        self._look_in(self.limits.head_seconds)
        self.room.enter(self, self.connections)

    def data_received(self, data: bytes) -> None:
        """Bytes of the client's: a request, a part of one, or several."""
        if self.phase is _OVER:
            return
        self._pending += data
        if self.phase is REST:
            self._begin_head()
        if self.phase is _HEAD and not self.flow.write_paused:
            self._take_up()
        elif len(self._pending) > MAX_HEAD_BYTES:
            self.flow.pause_reading()

    def eof_received(self) -> bool:  # type: ignore[override] # as asyncio.Protocol has it
        """The client will send no more. True keeps the connection for what is under way."""
        self._is_half_closed = True
        is_under_way = self.phase is ANSWER or (self.phase is _HEAD and self.flow.write_paused)
        return self.scheme == "http" and is_under_way

    def pause_writing(self) -> None:
        """More was written than the client takes at once."""
        super().pause_writing()
        self._unsent = 0
        self._look_in(self.limits.stalled_seconds)

    def resume_writing(self) -> None:
        """The client has taken most of it."""
        super().resume_writing()
        self._unsent = 0
        if self.phase is _HEAD and not self.transport.is_closing():
            self.waiting_since = self.loop.time()
            self._take_up()

    def on_response_complete(self) -> None:
        """An answer was written whole."""
        self.server_state.total_requests += 1
        if self.transport.is_closing():
            return
        self.phase = REST
        self.waiting_since = self.loop.time()
        if self._pending:
            self._begin_head()
            if not self.flow.write_paused:
                self._take_up()
        elif self._is_half_closed:
            self.close()
        else:
            self.flow.resume_reading()

    def check(self, now: float) -> None:
        """End what has taken too long, in seconds of the loop's clock; or set when to look again."""
        if self.transport.get_write_buffer_size():
            self._check_progress(now)
            return
        self._unsent = 0
        if self.phase is _OVER or self.transport.is_closing():
            self.transport.abort()
        elif self.phase is ANSWER:  # the application has deadlines of its own
            self.due = now + self.limits.stalled_seconds
        else:
            self._check_wait(now)

    def close(self) -> None:
        """End it, after what was written."""
        self.transport.close()
        self._look_in(LINGER_SECONDS)

    def _begin_head(self) -> None:
        self.phase = _HEAD
        self._seen = 0
        if self.has_asked:
            self.waiting_since = self.loop.time()
            self._look_in(self.limits.head_seconds)

    def _take_up(self) -> None:
        """Hand the next request on, if it is here whole."""
        pending = self._pending
        while pending.startswith(b"\r\n"):  # empty lines before a request are passed over (RFC 9112, section 2.2)
            del pending[:2]
        end = pending.find(HEAD_END, max(0, self._seen - len(HEAD_END) + 1))
        if end < 0:
            self._wait_for_more()
            return
        head = bytes(pending[: end + len(HEAD_END)])
        del pending[: len(head)]
        if len(pending) <= MAX_HEAD_BYTES:
            self.flow.resume_reading()
        refusal = refusal_of_head(head) or self._hand_on(head)
        if refusal is not None:
            self._refuse(refusal, head)

    def _hand_on(self, head: bytes) -> Refusal | None:
        self.phase = ANSWER
        self.has_asked = True
        try:
            self.parser.feed_data(head)
        except httptools.HttpParserUpgrade:
            return None  # it is answered all the same: nothing is upgraded to (RFC 9110, section 7.8)
        except httptools.HttpParserError:
            return unreadable()
        return None

    def _wait_for_more(self) -> None:
        refusal = refusal_of_part(self._pending, self._seen)
        self._seen = len(self._pending)
        if refusal is not None:
            self._refuse(refusal, self._pending)
        elif self._is_half_closed:
            self.close()
        else:
            self.phase = _HEAD
            self.flow.resume_reading()

    def _refuse(self, refusal: Refusal, head: bytes | bytearray) -> None:
        """Say why, and end. What the client still sends is read for a while: to close upon it loses the answer."""
        metrics.refusals.labels(refusal.reason).inc()
        answer = error_answer(refusal.fault)
        fields = {**dict(self.server_state.default_headers), **_encoded(answer.headers)}
        lines = [b"%b: %b\r\n" % field for field in fields.items()]
        self.transport.write(b"".join([STATUS_LINE[answer.status], *lines, b"\r\n"]))
        if isinstance(answer.body, bytes) and not head.startswith(b"HEAD "):
            self.transport.write(answer.body)
        self.phase = _OVER
        self._pending.clear()
        if self._is_half_closed or not self.transport.can_write_eof():
            self.close()
            return
        self.flow.resume_reading()
        self.transport.write_eof()
        self._look_in(LINGER_SECONDS)

    def _check_wait(self, now: float) -> None:
        is_idle = self.phase is REST and self.has_asked
        due = self.waiting_since + (self.limits.idle_seconds if is_idle else self.limits.head_seconds)
        if now < due:
            self.due = due
        elif not self._pending:
            self.close()
        else:
            self._refuse(too_slow(self.limits.head_seconds), self._pending)

    def _check_progress(self, now: float) -> None:
        """A reader is too slow by its progress, not by a total: of what is unsent, or not acknowledged."""
        unsent = self.transport.get_write_buffer_size() + _unacknowledged(self.transport)
        if unsent == self._unsent:
            metrics.refusals.labels(Reason.SLOW_READER).inc()
            self.transport.abort()
        self._unsent = unsent
        self.due = now + self.limits.stalled_seconds

    def _look_in(self, seconds: float) -> None:
        self.due = min(self.due, self.loop.time() + seconds)


def guarded_class(limits: Limits, room: Room) -> type[GuardedConnection]:
    """The protocol of the connections that share these."""
    return type("SharingGuardedConnection", (GuardedConnection,), {"limits": limits, "room": room})


def _encoded(headers: dict[str, str]) -> dict[bytes, bytes]:
    return {name.encode(): value.encode() for name, value in headers.items()}


def _unacknowledged(transport: Any) -> int:
    """The bytes that the kernel has taken and the client's has not acknowledged."""
    number = transport.get_extra_info("socket").fileno()
    (count,) = struct.unpack("i", fcntl.ioctl(number, termios.TIOCOUTQ, bytes(4)))
    return int(count)

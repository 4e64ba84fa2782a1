"""The fast lane: what Starlette has answered is sent again, without asking it, while it still holds.

A plain request (`origin.core.head`) on a connection at rest is looked up in the memo. All else, and what is not
known, takes the slow lane, uvicorn's own; there the bytes that it writes are kept for the next time, if the
application says through the ASGI extension `headrace.memo` how long they hold.
"""

import math
import re
import time
from collections.abc import Callable
from typing import Any, cast

from starlette.types import Scope
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle

from origin.core.common import Common
from origin.core.head import RequestKey, read_head
from origin.memo import Memo, SentAnswer

_EXTENSION = "headrace.memo"
_DATED = re.compile(rb"(HTTP/1\.1 [^\r]*\r\n)date: [^\r]*\r\n")
_JOINED_BYTES = 16 * 1024  # up to here, one copy is cheaper than one more buffer


class _Ticket:
    """What the application says of an answer under way."""

    def __init__(self) -> None:
        self.until: float = 0
        self.common: Common | None = None
        self.each_time: Callable[[], None] = lambda: None


def hold(scope: Scope, until: float, common: Common | None = None) -> None:
    """Say that the answer in this scope depends on the request's view and the routing table alone, until then.

    In seconds since the epoch; 0 is not at all. With `common`, it is also that of all requests which have this
    in common, whenever they do.
    """
    ticket = scope.get("extensions", {}).get(_EXTENSION)
    if ticket is not None:
        ticket.until = until
        ticket.common = common


def each_time(scope: Scope, call: Callable[[], None]) -> None:
    """Have this called whenever the answer in this scope is sent again."""
    ticket = scope.get("extensions", {}).get(_EXTENSION)
    if ticket is not None:
        ticket.each_time = call


class _Recorder:
    """A transport that keeps what is written through it, as far as that may be remembered at all."""

    def __init__(self, transport: Any, most: int) -> None:
        self._transport = transport
        self._left = most
        self.written: list[bytes] = []

    def __getattr__(self, name: str) -> Any:
        return getattr(self._transport, name)

    def write(self, data: bytes) -> None:
        """Hand the data on."""
        self._left -= len(data)
        if self._left >= 0:
            self.written.append(data)
        else:
            self.written.clear()
        self._transport.write(data)


class Connection(HttpToolsProtocol):
    """One connection. `memo` is shared by all connections of an origin; `common` knows what answers share.

    Two things that uvicorn leaves to chance are settled: a client that has sent all it will (a half-closed
    connection) is still answered, and what is no request is refused after the answers to those before it.
    """

    memo: Memo
    common: Callable[[bytes], Common | None]

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._within_request = False
        self._is_half_closed = False
        self._refusal: str | None = None
        # When the fast lane answered last: to set the timer anew each time would cost it a tenth of its time.
        self._answered_at = 0.0

    @property
    def has_asked(self) -> bool:
        """True once a request was taken up on this connection."""
        return self._answered_at > 0 or self.cycle is not None

    def on_message_begin(self) -> None:
        """The parser's first byte of a request."""
        self._within_request = True
        super().on_message_begin()

    def on_message_complete(self) -> None:
        """The parser's last byte of a request."""
        super().on_message_complete()
        self._within_request = False

    def data_received(self, data: bytes) -> None:
        """Bytes of the client's: one whole request most often."""
        if self._within_request or not self._is_idle() or self.flow.write_paused:
            super().data_received(data)
            return
        key = read_head(data)
        if key is None:
            super().data_received(data)
            return
        answer, own = self.memo.get(key, time.time), b""
        if answer is None:
            common = self.common(key[1])
            if common is not None:
                answer, own = self.memo.get(_common_key(key, common), time.time), common.own
        if answer is not None:
            self._send_again(answer, own)
            return
        super().data_received(data)
        self._record(key, self.cycle)

    def eof_received(self) -> bool:  # type: ignore[override] # as asyncio.Protocol has it
        """The client will send no more. True keeps the connection for what is under way."""
        self._is_half_closed = True
        return self.scheme == "http" and not self._is_idle()

    def on_response_complete(self) -> None:
        """An answer was sent whole."""
        super().on_response_complete()
        if not self._is_idle():
            return
        if self._refusal is not None:
            super().send_400_response(self._refusal)
        elif self._is_half_closed:
            self.transport.close()

    def send_400_response(self, msg: str) -> None:
        """What came is no request."""
        if self._is_idle():
            super().send_400_response(msg)
        else:
            self._refusal = msg

    def _is_idle(self) -> bool:
        """True where no answer is under way."""
        cycle = self.cycle
        return cycle is None or cycle.response_complete

    def _send_again(self, answer: SentAnswer, own: bytes) -> None:
        head, rest = answer.head(self.server_state.default_headers), answer.rest
        if len(rest) <= _JOINED_BYTES:
            self.transport.write(head + own + rest)
        else:
            self.transport.writelines((head + own, rest))
        self.server_state.total_requests += 1
        answer.each_time()
        self._answered_at = self.loop.time()
        if self.timeout_keep_alive_task is None:
            self._await_next(self.timeout_keep_alive)

    def timeout_keep_alive_handler(self) -> None:
        """The time for the next request is over, unless one came since the timer was set."""
        self.timeout_keep_alive_task = None
        left = self._answered_at + self.timeout_keep_alive - self.loop.time()
        if left > 0:
            self._await_next(left)
        else:
            super().timeout_keep_alive_handler()

    def _await_next(self, seconds: float) -> None:
        self.timeout_keep_alive_task = self.loop.call_later(seconds, self.timeout_keep_alive_handler)

    def _record(self, key: RequestKey, cycle: RequestResponseCycle) -> None:
        """Keep the answer under way in this cycle, when it is complete and if it may be kept."""
        ticket, generation = _Ticket(), self.memo.generation
        recorder = _Recorder(self.transport, self.memo.largest)
        complete = cycle.on_response

        def on_response() -> None:
            answer = _sent(recorder.written, ticket) if cycle.keep_alive else None
            if answer is not None:
                self.memo.keep(_common_key(key, ticket.common) if ticket.common else key, answer, generation)
            complete()

        cast("dict[str, Any]", cycle.scope)["extensions"] = {_EXTENSION: ticket}
        cycle.transport = cast("Any", recorder)
        cycle.on_response = on_response


def _sent(written: list[bytes], ticket: _Ticket) -> SentAnswer | None:
    if not ticket.until or not written:
        return None
    dated = _DATED.match(written[0])
    if dated is None:
        return None
    fields, body = written[0][dated.end() :], b"".join(written[1:])
    if ticket.common is None:
        return SentAnswer(dated[1], fields, body, ticket.until, ticket.each_time)
    if fields.count(ticket.common.own) != 1:
        return None
    before, _, after = fields.partition(ticket.common.own)
    return SentAnswer(dated[1], before, after + body, math.inf, ticket.each_time)


def _common_key(key: RequestKey, common: Common) -> RequestKey:
    return key[0], common.target, *key[2:]


def connection_class(memo: Memo, common: Callable[[bytes], Common | None]) -> type[Connection]:
    """The protocol of the connections that share this memo."""
    return type("SharingConnection", (Connection,), {"memo": memo, "common": staticmethod(common)})

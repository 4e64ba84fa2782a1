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
from uvicorn.protocols.http.httptools_impl import RequestResponseCycle

from origin.core.common import Common
from origin.core.head import RequestKey, read_head
from origin.core.limits import Limits
from origin.guard import ANSWER, REST, GuardedConnection
from origin.memo import Memo, SentAnswer
from origin.room import Room

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


class Connection(GuardedConnection):
    """One connection. `memo` is shared by all connections of an origin; `common` knows what answers share."""

    memo: Memo
    common: Callable[[bytes], Common | None]

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._default_headers: list[tuple[bytes, bytes]] | None = None
        self._dated = b""

    def data_received(self, data: bytes) -> None:
        """Bytes of the client's: one whole request most often."""
        if self.phase is not REST or self.flow.write_paused:
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
        if self.phase is ANSWER:
            self._record(key, self.cycle)

    def _send_again(self, answer: SentAnswer, own: bytes) -> None:
        if self._default_headers is not self.server_state.default_headers:
            self._date()
        rest = answer.rest
        if len(rest) <= _JOINED_BYTES:
            self.transport.write(b"".join((answer.status_line, self._dated, answer.fields, own, rest)))
        else:
            head = b"".join((answer.status_line, self._dated, answer.fields, own))
            self.transport.writelines((head, rest))
        self.server_state.total_requests += 1
        answer.each_time()
        self.has_asked = True
        self.waiting_since = self.loop.time()

    def _date(self) -> None:
        """Write out the server's own headers of now: the date. They are another list each second."""
        self._default_headers = self.server_state.default_headers
        self._dated = b"".join(b"%b: %b\r\n" % header for header in self._default_headers)

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


def connection_class(
    memo: Memo, common: Callable[[bytes], Common | None], limits: Limits, room: Room
) -> type[Connection]:
    """The protocol of the connections that share these."""
    shared = {"memo": memo, "common": staticmethod(common), "limits": limits, "room": room}
    return type("SharingConnection", (Connection,), shared)

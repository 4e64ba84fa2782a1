"""A connection with limits, so that nobody holds it for nothing.

A head has a limit of time and one of bytes, and an answer goes on while it is read. A body has the limits of what
reads it; one that nobody reads any more, since the answer is given, ends soon.
"""

import asyncio
from typing import Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

MAX_HEAD_BYTES = 32 * 1024
HEAD_SECONDS = 10.0
UNREAD_SECONDS = 60.0
"""How long a body goes on once its answer is given: time for who still sends an archive to hear of a refusal."""
LEAST_READ_BYTES = 64 * 1024
"""So much of an answer that waits to be sent is read by the client in each `UNREAD_SECONDS`."""


class _TooLarge(Exception):
    """What the parser tells uvicorn of, which answers 400 and ends the connection."""


class BoundedConnection(HttpToolsProtocol):
    """Ends where a request does not become whole in time, its head is too large, or its answer is not read."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._awaits_head = True
        self._seen = 0
        self._deadline: asyncio.TimerHandle | None = None
        self._unread: asyncio.TimerHandle | None = None

    def connection_made(self, transport: Any) -> None:
        """A client is there."""
        super().connection_made(transport)
        self._begin(HEAD_SECONDS)

    def connection_lost(self, exc: Exception | None) -> None:
        """It is gone."""
        self._end()
        self._end_unread()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Bytes of the client's: a part of a head, or of a body."""
        if self._awaits_head:
            self._seen += len(data)
            if self._deadline is None:
                self._begin(HEAD_SECONDS)
        super().data_received(data)
        if self._awaits_head and self._seen > MAX_HEAD_BYTES:
            self.transport.close()

    def on_headers_complete(self) -> None:
        """A head is whole, however it came."""
        if len(self.url) + sum(len(name) + len(value) for name, value in self.headers) > MAX_HEAD_BYTES:
            raise _TooLarge
        self._awaits_head = False
        self._end()
        super().on_headers_complete()

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

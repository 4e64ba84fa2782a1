"""A connection whose heads have limits: of time, and of bytes. Bodies have those of what they are for."""

import asyncio
from typing import Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

MAX_HEAD_BYTES = 32 * 1024
HEAD_SECONDS = 10.0


class BoundedConnection(HttpToolsProtocol):
    """Ends where a request's head does not become whole in time, or is too large."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._awaits_head = True
        self._seen = 0
        self._deadline: asyncio.TimerHandle | None = None

    def connection_made(self, transport: Any) -> None:
        """A client is there."""
        super().connection_made(transport)
        self._begin()

    def connection_lost(self, exc: Exception | None) -> None:
        """It is gone."""
        self._end()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Bytes of the client's: a part of a head, or of a body."""
        if self._awaits_head:
            self._seen += len(data)
            if self._deadline is None:
                self._begin()
        super().data_received(data)
        if self._awaits_head and self._seen > MAX_HEAD_BYTES:
            self.transport.close()

    def on_headers_complete(self) -> None:
        """A head is whole."""
        self._awaits_head = False
        self._end()
        super().on_headers_complete()

    def on_message_complete(self) -> None:
        """A request is whole: what comes next is a head."""
        self._awaits_head, self._seen = True, 0
        super().on_message_complete()

    def _begin(self) -> None:
        self._deadline = self.loop.call_later(HEAD_SECONDS, self.transport.close)

    def _end(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

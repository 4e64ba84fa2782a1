"""A way to a server, over loopback, that can hang."""

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager

_PART = 65_536


class Way:
    """Forwards each connection to a port of this machine, until it is told to hang.

    It takes connections then too, and ends none: as a network does that loses every packet.
    """

    def __init__(self, port: int) -> None:
        self._far_port = port
        self._is_open = threading.Event()
        self._is_open.set()
        self._words: tuple[bytes, bytes] | None = None
        self._is_sent = False
        self._loop = asyncio.new_event_loop()
        self._writers: list[asyncio.StreamWriter] = []
        self.port = 0

    def hang(self) -> None:
        """Forward nothing more."""
        self._is_open.clear()

    def hang_at(self, word: bytes, *, after: bytes, is_sent: bool) -> None:
        """Hang as soon as a client has sent this word after that one; the server still gets it or, as yet, not."""
        self._is_sent = is_sent
        self._words = after, word

    def resume(self) -> None:
        """Forward again, what has come meanwhile first, and hang at nothing."""
        self._words = None
        self._is_open.set()

    def run(self, is_there: threading.Event) -> None:
        """Forward until `stop`."""
        server = self._loop.run_until_complete(asyncio.start_server(self._connect, "127.0.0.1", 0))
        self.port = server.sockets[0].getsockname()[1]
        is_there.set()
        self._loop.run_forever()
        server.close()
        self._loop.run_until_complete(self._end())
        self._loop.close()

    def stop(self) -> None:
        """End it, with all its connections."""
        self._loop.call_soon_threadsafe(self._loop.stop)

    async def _end(self) -> None:
        self.resume()
        for writer in self._writers:
            writer.transport.abort()
        ending = asyncio.all_tasks() - {asyncio.current_task()}
        await asyncio.gather(*ending, return_exceptions=True)

    async def _connect(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._writers.append(writer)
        await self._passing()
        try:
            far_reader, far_writer = await asyncio.open_connection("127.0.0.1", self._far_port)
        except ConnectionError:
            writer.close()
            return
        self._writers.append(far_writer)
        await asyncio.gather(self._forth(reader, far_writer), self._back(far_reader, writer))

    async def _forth(self, reader: asyncio.StreamReader, far: asyncio.StreamWriter) -> None:
        sent = b""
        try:
            while part := await reader.read(_PART):
                sent = sent + part if self._words else b""  # what was sent before it was told does not count
                is_there = self._is_said(sent)
                if is_there:
                    self._words = None
                    self.hang()
                if not (is_there and self._is_sent):
                    await self._passing()
                far.write(part)
        except ConnectionError:
            pass
        far.close()

    def _is_said(self, sent: bytes) -> bool:
        if self._words is None:
            return False
        first, word = self._words
        return word in sent.rpartition(first)[2] if first in sent else False

    async def _back(self, far: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while part := await far.read(_PART):
                await self._passing()
                writer.write(part)
        except ConnectionError:
            pass
        writer.close()

    async def _passing(self) -> None:
        while not self._is_open.is_set():
            await asyncio.sleep(0.02)


@contextmanager
def way_to(port: int) -> Iterator[Way]:
    """A way to this port, which is open at first."""
    way, is_there = Way(port), threading.Event()
    thread = threading.Thread(target=way.run, args=(is_there,))
    thread.start()
    is_there.wait()
    try:
        yield way
    finally:
        way.stop()
        thread.join()

"""Many requests at a time, each on a connection of its own, with no client library's limits between."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from urllib.parse import urlsplit

import msgspec

PATIENCE_SECONDS = 60


class Reply(msgspec.Struct, frozen=True):
    """A response's status and body."""

    status: int
    body: bytes


async def ask(url: str) -> Reply:
    """One request, without a coding. Raises `OSError` or `EOFError` where no whole response comes."""
    parts = urlsplit(url)
    reader, writer = await asyncio.open_connection(parts.hostname, parts.port)
    try:
        writer.write(_request(parts.path, parts.netloc))
        async with asyncio.timeout(PATIENCE_SECONDS):
            return await _reply(reader)
    finally:
        writer.close()


async def ask_and_leave(url: str) -> None:
    """One request whose client is gone before the answer."""
    parts = urlsplit(url)
    _, writer = await asyncio.open_connection(parts.hostname, parts.port)
    writer.write(_request(parts.path, parts.netloc))
    await writer.drain()
    await asyncio.sleep(0.2)
    writer.close()


async def ask_many(url: str, count: int) -> list[Reply]:
    """So many requests for one URL at a time."""
    return await asyncio.gather(*(ask(url) for _ in range(count)))


class Load:
    """Clients that ask for these URLs in turn, each on a new connection, until told to stop."""

    def __init__(self, urls: Sequence[str]) -> None:
        self._urls = urls
        self._stopped = False
        self.answered = 0
        self.failures: list[str] = []

    @asynccontextmanager
    async def running(self, clients: int) -> AsyncIterator[None]:
        """So many clients ask within it."""
        async with asyncio.TaskGroup() as group:
            for _ in range(clients):
                group.create_task(self._client())
            try:
                yield
            finally:
                self._stopped = True

    async def more(self, count: int) -> None:
        """Return once there were so many answers more."""
        wanted = self.answered + count
        async with asyncio.timeout(PATIENCE_SECONDS):
            while self.answered < wanted:
                await asyncio.sleep(0.01)

    async def _client(self) -> None:
        while not self._stopped:
            for url in self._urls:
                try:
                    reply = await ask(url)
                except (OSError, EOFError) as error:
                    self.failures.append(f"{url}: {error!r}")
                else:
                    self.answered += 1
                    if reply.status not in (200, 302):
                        self.failures.append(f"{url}: {reply.status}")


def _request(path: str, host: str) -> bytes:
    return f"GET {path} HTTP/1.1\r\nhost: {host}\r\nconnection: close\r\n\r\n".encode()


async def _reply(reader: asyncio.StreamReader) -> Reply:
    head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").lower()
    length = int(head.partition("content-length: ")[2].partition("\r\n")[0])
    return Reply(int(head.split(maxsplit=2)[1]), await reader.readexactly(length))

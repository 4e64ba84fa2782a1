"""Many requests at a time, each on a connection of its own, with no client library's limits between."""

import asyncio
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


def _request(path: str, host: str) -> bytes:
    return f"GET {path} HTTP/1.1\r\nhost: {host}\r\nconnection: close\r\n\r\n".encode()


async def _reply(reader: asyncio.StreamReader) -> Reply:
    head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").lower()
    length = int(head.partition("content-length: ")[2].partition("\r\n")[0])
    return Reply(int(head.split(maxsplit=2)[1]), await reader.readexactly(length))

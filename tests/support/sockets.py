"""Bytes as they are, over a socket, and the answers that came back for them."""

import asyncio
import re
from collections.abc import Awaitable, Callable, Sequence
from urllib.parse import urlsplit

import msgspec

PATIENCE_SECONDS = 60
_STATUS_LINE = re.compile(rb"HTTP/1\.1 (\d{3}) [^\r]*\r\n")


class Sent(msgspec.Struct, frozen=True):
    """One answer as it came."""

    status: int
    fields: dict[str, str]
    body: bytes


async def exchange(url: str, data: bytes, *, half_close: bool = True) -> bytes:
    """All that comes back for these bytes until the other side closes; which it may do before all is sent."""
    parts = urlsplit(url)
    reader, writer = await asyncio.open_connection(parts.hostname, parts.port)
    received = bytearray()
    try:
        writer.write(data)
        if half_close:
            writer.write_eof()
        async with asyncio.timeout(PATIENCE_SECONDS):
            while chunk := await reader.read(65_536):
                received += chunk
    except ConnectionError:
        pass
    finally:
        writer.transport.abort()  # what was not taken is not waited for
    return bytes(received)


def answers(received: bytes, *, to_head: bool = False) -> list[Sent]:
    """The answers, one behind the other with nothing between or after them; the first one is `to_head` or not."""
    found: list[Sent] = []
    while received:
        line = _STATUS_LINE.match(received)
        assert line is not None, received[:200]
        head, end, rest = received[line.end() :].partition(b"\r\n\r\n")
        assert end, received[:200]
        pairs = [field.split(": ", 1) for field in head.decode("latin-1").split("\r\n")]
        fields = {name.lower(): value for name, value in pairs}
        status = int(line[1])
        assert len(fields) == len(pairs), head
        assert status >= 200, head
        has_body = status not in (204, 304) and not (to_head and not found)
        length = int(fields["content-length"]) if has_body else 0
        assert len(rest) >= length, received[:200]
        found.append(Sent(status, fields, rest[:length]))
        received = rest[length:]
    return found


async def each(requests: Sequence[bytes], clients: int, ask: Callable[[bytes], Awaitable[None]]) -> None:
    """Have each of these asked, so many at a time."""
    waiting = iter(requests)

    async def client() -> None:
        for request in waiting:
            await ask(request)

    async with asyncio.TaskGroup() as group:
        for _ in range(clients):
            group.create_task(client())

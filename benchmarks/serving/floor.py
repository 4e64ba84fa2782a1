"""The floor under every server on uvloop: whatever comes is taken for a request, unread, and one answer sent.

It is as long as Headrace's redirect. What is above its time is the server's own.
"""

import asyncio
import sys
from typing import cast

import uvloop

_ANSWER = (
    b"HTTP/1.1 302 Found\r\ndate: Thu, 01 Jan 2026 00:00:00 GMT\r\nlocation: /\r\ncontent-length: 0\r\n"
    b"x-filling: %b\r\n\r\n"
) % (b"." * 350)


class _Deaf(asyncio.Protocol):
    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:  # noqa: ARG002 - it is not looked at
        self._transport.write(_ANSWER)


async def _serve(port: int) -> None:
    server = await asyncio.get_running_loop().create_server(_Deaf, "127.0.0.1", port)
    await server.serve_forever()


if __name__ == "__main__":
    uvloop.run(_serve(int(sys.argv[1])))

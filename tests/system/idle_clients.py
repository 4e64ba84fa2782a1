"""Clients in a process of their own, each of which asks once and then keeps its connection open.

    python -m tests.system.idle_clients http://127.0.0.1:8080/path 10000

It prints how many are held once all were answered, holds them until its stdin ends, and prints how many still are.
"""

import asyncio
import resource
import socket
import sys
from urllib.parse import urlsplit

_AT_A_TIME = 200
_PER_ADDRESS = 2_000


async def _main(url: str, count: int) -> None:
    parts = urlsplit(url)
    request = f"GET {parts.path} HTTP/1.1\r\nHost: {parts.netloc}\r\n\r\n".encode()
    slots = asyncio.Semaphore(_AT_A_TIME)
    loop = asyncio.get_running_loop()
    opened: list[socket.socket] = []

    async def hold(number: int) -> None:
        connection = socket.socket()
        connection.setblocking(False)
        async with slots:
            connection.bind((f"127.0.0.{2 + number // _PER_ADDRESS}", 0))
            await loop.sock_connect(connection, (parts.hostname, parts.port))
            await loop.sock_sendall(connection, request)
            while not (await loop.sock_recv(connection, 65_536)).endswith(b"\n"):
                pass
            opened.append(connection)

    async with asyncio.TaskGroup() as group:
        for number in range(count):
            group.create_task(hold(number))
    sys.stdout.write(f"{len(opened)}\n")
    sys.stdout.flush()
    await asyncio.to_thread(sys.stdin.read)
    sys.stdout.write(f"{sum(map(_is_open, opened))}\n")


def _is_open(connection: socket.socket) -> bool:
    try:
        return connection.recv(1) != b""
    except BlockingIOError:
        return True
    except OSError:
        return False


if __name__ == "__main__":
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    asyncio.run(_main(sys.argv[1], int(sys.argv[2])))

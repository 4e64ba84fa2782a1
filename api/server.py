"""Run the API: uvicorn on its port and on that for probes, until a signal."""

import asyncio
import os
import socket
import ssl
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

import structlog
import uvicorn
from starlette.types import ASGIApp

from api.connection import bounded_class
from api.core.proxies import parse_proxies
from api.room import Room
from serving.listening import address
from serving.quiet import QuietServer, stopping

_log = structlog.get_logger()

IDLE_SECONDS = 75


async def serve(
    api: ASGIApp,
    probes: ASGIApp,
    listeners: tuple[socket.socket, socket.socket],
    tls: ssl.SSLContext | None,
    most_connections: int,
    share: int,
    proxies: Sequence[str],
    beside: Callable[[], Awaitable[Any]],
    ending: asyncio.Event,
) -> None:
    """Answer the API on the first listener and probes on the second, until SIGINT or SIGTERM.

    What is `beside` runs as long, and is cancelled then. `ending` is set before answers that have begun are waited
    for: those that have no end by themselves end then. With `tls` the API speaks HTTPS; the probes
    never do. The API believes these proxies whom they speak for. An address has at most `share` of the
    connections, unless it is such a proxy's.
    """
    known = parse_proxies(proxies)
    servers = [
        _Server(api, Room(most_connections, share, known), ending, proxies=proxies),
        _Server(probes, Room(most_connections, share), ending),
    ]
    config: uvicorn.Config = servers[0].config
    config.load()
    config.ssl = tls  # made already, so that a wrong file is told before anything listens
    with stopping(servers) as stop:
        running = asyncio.ensure_future(beside())
        running.add_done_callback(lambda _: stop())
        _log.info("api listening", address=address(listeners[0]), probes=address(listeners[1]), pid=os.getpid())
        async with asyncio.TaskGroup() as group:
            for server, listener in zip(servers, listeners, strict=True):
                group.create_task(server.serve(sockets=[listener]))
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
    _log.info("api stopped")


class _Server(QuietServer):
    def __init__(self, app: ASGIApp, room: Room, ending: asyncio.Event, **options: Any) -> None:
        super().__init__(app, bounded_class(room), timeout_keep_alive=IDLE_SECONDS, **options)
        self._ending = ending

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        self._ending.set()
        await super().shutdown(sockets)

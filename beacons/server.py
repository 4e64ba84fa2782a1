"""Run the collector: uvicorn on the port for beacons and on that for probes, and the writer, until a signal."""

import asyncio
import os
import socket

import structlog
from starlette.types import ASGIApp

from beacons.app import COMMON_HEADERS, NO_STORE, Header, Intake, probes
from beacons.collect import Collector
from beacons.connection import bounded_class
from beacons.core.limits import Limits
from beacons.ports import Clock, Counting, Edge
from beacons.writer import Writer
from serving.quiet import QuietServer, stopping

_log = structlog.get_logger()

_MOST_PROBES = 256


async def serve(
    counting: Counting,
    clock: Clock,
    listeners: tuple[socket.socket, socket.socket],
    limits: Limits,
    edge: Edge | None,
) -> None:
    """Take beacons on the first listener and probes on the second, until SIGINT or SIGTERM.

    What was accepted is written then. Raises `Failed` where it can't be. With `edge`, only that is answered; the
    probes answer anyone.
    """
    writer = Writer(counting, clock, limits.waiting)
    intake = Intake(Collector(writer, clock, limits), edge)
    servers = [
        _server(intake, limits, COMMON_HEADERS),
        _server(probes(writer), Limits(connections=_MOST_PROBES), (NO_STORE,)),
    ]
    following = None if edge is None else asyncio.create_task(edge.follow(lambda: None))
    with stopping(servers) as stop:
        writing = asyncio.create_task(writer.run())
        writing.add_done_callback(lambda _: stop())
        _log.info("collector listening", **_places(listeners), pid=os.getpid())
        async with asyncio.TaskGroup() as group:
            for server, listener in zip(servers, listeners, strict=True):
                group.create_task(server.serve(sockets=[listener]))
        writer.stop()
        await writing
    if following is not None:
        following.cancel()
    _log.info("collector stopped")


def _server(app: ASGIApp, limits: Limits, headers: tuple[Header, ...]) -> QuietServer:
    return QuietServer(app, bounded_class(limits), headers=list(headers), timeout_keep_alive=limits.idle_seconds)


def _places(listeners: tuple[socket.socket, socket.socket]) -> dict[str, object]:
    (host, port, *_), (_, probe_port, *_) = (listener.getsockname() for listener in listeners)
    return {"host": host, "port": port, "probe_port": probe_port}

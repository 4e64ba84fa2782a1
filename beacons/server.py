"""Run the collector: uvicorn on the port for beacons and on that for probes, and the writer, until a signal."""

import asyncio
import contextlib
import os
import signal
import socket
from collections.abc import Callable, Iterator

import structlog
import uvicorn
from starlette.types import ASGIApp

from beacons.app import COMMON_HEADERS, NO_STORE, Header, Intake, probes
from beacons.collect import Collector
from beacons.connection import bounded_class
from beacons.core.limits import Limits
from beacons.ports import Clock, Counting, Edge
from beacons.writer import Writer

_log = structlog.get_logger()

_DRAIN_SECONDS = 10
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
        _Server(intake, limits, COMMON_HEADERS),
        _Server(probes(writer), Limits(connections=_MOST_PROBES), (NO_STORE,)),
    ]
    following = None if edge is None else asyncio.create_task(edge.follow(lambda: None))
    with _stopping(servers) as stop:
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


class _Server(uvicorn.Server):
    """A server that leaves signals to its caller: two of them run side by side here."""

    def __init__(self, app: ASGIApp, limits: Limits, headers: tuple[Header, ...]) -> None:
        config = uvicorn.Config(
            app,
            http=bounded_class(limits),
            ws="none",
            lifespan="off",
            log_config=None,
            log_level="error",
            access_log=False,
            server_header=False,
            proxy_headers=False,
            headers=list(headers),
            timeout_keep_alive=limits.idle_seconds,
            timeout_graceful_shutdown=_DRAIN_SECONDS,
        )
        super().__init__(config)

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


@contextlib.contextmanager
def _stopping(servers: list[_Server]) -> Iterator[Callable[[], None]]:
    """Within it, SIGINT, SIGTERM and what it yields let the servers finish what they have begun."""
    loop = asyncio.get_running_loop()

    def stop() -> None:
        for server in servers:
            server.should_exit = True

    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop)
    try:
        yield stop
    finally:
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.remove_signal_handler(number)


def _places(listeners: tuple[socket.socket, socket.socket]) -> dict[str, object]:
    (host, port, *_), (_, probe_port, *_) = (listener.getsockname() for listener in listeners)
    return {"host": host, "port": port, "probe_port": probe_port}

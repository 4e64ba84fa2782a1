"""Run the origin: uvicorn on the data plane's port and on the probes', until a signal asks it to stop."""

import asyncio
import contextlib
import gc
import os
import signal
import socket
import ssl
from collections.abc import Callable, Iterator

import structlog
import uvicorn
from starlette.types import ASGIApp

from bundles.core.trust import TrustedKeys
from bundles.ports import BuildReader
from origin import metrics
from origin.app import DataPlane, probes
from origin.bodies import Bodies
from origin.core.limits import Limits
from origin.edge import EdgeSecrets
from origin.fast_lane import Connection, connection_class
from origin.guard import GuardedConnection, guarded_class
from origin.library import Library
from origin.memo import Memo
from origin.near_store import NearStore
from origin.ports import Clock, Copies, Feed, KeptSnapshot, Shards
from origin.room import Room, most_connections
from origin.routing import Routing
from origin.service import Service
from origin.workers import Seat
from serving.listening import address

_log = structlog.get_logger()

MEMO_SHARE = 4  # a fourth of the cache is for whole answers, the rest for bodies
_TICKS_BETWEEN_SWEEPS = 10
_MOST_PROBES = 256
_DRAIN_SECONDS = 10
_SETTLE_SECONDS = 1
_LINGER_STEP_SECONDS = 0.05
_LINGER_STEPS = 40


async def serve(
    feed: Feed,
    shards: Shards,
    kept: KeptSnapshot,
    store: BuildReader,
    copies: Copies,
    trusted: TrustedKeys,
    clock: Clock,
    listeners: tuple[socket.socket, socket.socket],
    seat: Seat | None,
    limits: Limits,
    cache_bytes: int,
    send_deltas: bool,
    fast_lane: bool,
    tls: ssl.SSLContext | None,
    edge: EdgeSecrets | None,
) -> None:
    """Serve the data plane on the first listener and the probes on the second, until SIGINT or SIGTERM.

    A worker has a `seat`: it tells its supervisor that it listens, and stops where that is gone.
    With `tls` the data plane speaks HTTPS, with `edge` it answers only who knows a secret; the probes never do.
    """
    memo = Memo(cache_bytes // MEMO_SHARE if fast_lane else 0)
    routing = Routing(feed, shards, kept, trusted, clock, memo.forget)
    await routing.start()
    builds = NearStore(store, copies, trusted)
    # What is there now stays, with the first routing table: no collection of garbage goes through it again.
    gc.freeze()
    service = Service(routing, Library(builds, trusted, send_deltas=send_deltas), clock)
    data_plane = DataPlane(service, Bodies(builds, cache_bytes - memo.budget), edge)
    room = Room("data-plane", most_connections(limits.connections))
    servers = [
        _Server(data_plane, connection_class(memo, service.common, limits, room), tls, memo.forget),
        _Server(probes(routing), guarded_class(limits, Room("probes", _MOST_PROBES)), None, lambda: None),
    ]
    with _stopping(servers, seat):
        following = asyncio.gather(routing.follow(), *([] if edge is None else [edge.follow(memo.forget)]))
        _log.info("origin listening", address=address(listeners[0]), probes=address(listeners[1]), pid=os.getpid())
        async with asyncio.TaskGroup() as group:
            for server, listener in zip(servers, listeners, strict=True):
                group.create_task(server.serve(sockets=[listener]))
            if seat is not None:
                await asyncio.gather(*(server.listening.wait() for server in servers))
                seat.tell_listening()
        following.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await following
    metrics.settle()
    _log.info("origin stopped")


class _Server(uvicorn.Server):
    """A server that leaves signals to its caller: two of them run side by side here."""

    def __init__(
        self,
        app: ASGIApp,
        protocol: type[GuardedConnection],
        tls: ssl.SSLContext | None,
        forget: Callable[[], None],
    ) -> None:
        config = uvicorn.Config(
            app,
            http=protocol,
            ws="none",
            lifespan="off",
            log_config=None,
            access_log=False,
            server_header=False,
            proxy_headers=False,
            timeout_graceful_shutdown=_DRAIN_SECONDS,
            callback_notify=_settle,
            timeout_notify=_SETTLE_SECONDS,
        )
        config.load()
        config.ssl = tls  # made already, so that a wrong file is told before anything listens
        super().__init__(config)
        self._protocol = protocol
        self._forget = forget
        self.listening = asyncio.Event()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Begin to accept. uvicorn's own sets no limit to how long a TLS handshake may take."""

        def connection() -> asyncio.Protocol:
            return self._protocol(self.config, self.server_state, {})

        tls = self.config.ssl
        self.servers = [
            await asyncio.get_running_loop().create_server(
                connection,
                sock=listener,
                ssl=tls,
                ssl_handshake_timeout=self._protocol.limits.head_seconds if tls else None,
            )
            for listener in sockets or ()
        ]
        self.started = True
        self.listening.set()

    async def on_tick(self, counter: int) -> bool:
        """What uvicorn does ten times a second; and once a second, a look at the connections."""
        if counter % _TICKS_BETWEEN_SWEEPS == 0:
            self._protocol.room.sweep(self.server_state.connections, asyncio.get_running_loop().time())
        return await super().on_tick(counter)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Accept no more, answer also who has connected and not asked yet, and finish what was begun."""
        for server in self.servers:
            server.close()
        for listener in sockets or ():
            listener.close()
        self.server_state.default_headers = [*self.server_state.default_headers, (b"connection", b"close")]
        self._forget()  # what was sent on connections that stay open
        for _ in range(_LINGER_STEPS):
            await asyncio.sleep(_LINGER_STEP_SECONDS)
            if not any(_has_not_asked(connection) for connection in self.server_state.connections):
                break
        await super().shutdown()

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


async def _settle() -> None:
    """Another worker may be asked for the metrics of all."""
    metrics.settle()


def _has_not_asked(connection: object) -> bool:
    return isinstance(connection, Connection) and not connection.has_asked


@contextlib.contextmanager
def _stopping(servers: list[_Server], seat: Seat | None) -> Iterator[None]:
    """Within it, SIGINT, SIGTERM and the supervisor's end let the servers finish what they have begun."""
    loop = asyncio.get_running_loop()

    def stop() -> None:
        for server in servers:
            server.should_exit = True

    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop)
    if seat is not None:
        seat.when_left_alone(stop)
    try:
        yield
    finally:
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.remove_signal_handler(number)

"""How many connections a server holds, and which of them go where there are too many or one takes too long."""

import asyncio
import heapq
import resource
from collections.abc import Iterator
from typing import Any, Protocol

import structlog

from origin import metrics
from origin.core.framing import Reason

_log = structlog.get_logger()

_OTHER_FILES = 512  # of no client: the store's connections, copies, the snapshot, the probes
_SHARE_THAT_GOES = 64  # one look at all connections makes room for several new ones
_PAUSE_SECONDS = 1.0


class Occupant(Protocol):
    """A connection as its room sees it. Times are seconds of the loop's clock."""

    due: float
    waiting_since: float
    transport: asyncio.Transport

    @property
    def is_waiting(self) -> bool:
        """True where no answer is lost when it ends: it waits for a request, or for the rest of one."""

    def check(self, now: float) -> None:
        """End what has taken too long, or say when it is due again."""


class Room:
    """Holds so many connections. A newcomer takes the place of those that have waited longest for a request."""

    def __init__(self, port: str, limit: int) -> None:
        self._gauge = metrics.connections.labels(port)
        self._limit = limit
        self._full_until = 0.0

    def enter(self, newcomer: Any, connections: set[Any]) -> None:
        """Let a connection in, which is among the connections already; or end it where each of them is at work."""
        if len(connections) <= self._limit:
            return
        now = newcomer.waiting_since
        if now >= self._full_until:
            for longest in self._longest_waiting(newcomer, connections):
                _end(longest, connections, Reason.MADE_ROOM)
        if len(connections) > self._limit:
            if now >= self._full_until:
                self._full_until = now + _PAUSE_SECONDS
                _log.warning("connections refused", most=self._limit, why="all of them are at work")
            _end(newcomer, connections, Reason.FULL)

    def sweep(self, connections: set[Any], now: float) -> None:
        """Look at each connection that is due."""
        self._gauge.set(len(connections))
        for connection in [one for one in connections if one.due <= now]:
            connection.check(now)

    def _longest_waiting(self, newcomer: Occupant, connections: set[Any]) -> list[Any]:
        waiting: Iterator[Occupant] = (one for one in connections if one is not newcomer and one.is_waiting)
        return heapq.nsmallest(1 + self._limit // _SHARE_THAT_GOES, waiting, key=lambda one: one.waiting_since)


def most_connections(wanted: int) -> int:
    """As many as wanted, or as the operating system's limit on open files lets this process have."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    if hard == resource.RLIM_INFINITY or wanted + _OTHER_FILES <= hard:
        return wanted
    _log.warning("fewer connections than wanted", most=max(1, hard - _OTHER_FILES), wanted=wanted, open_files=hard)
    return max(1, hard - _OTHER_FILES)


def _end(connection: Occupant, connections: set[Any], reason: Reason) -> None:
    """It is taken out at once, so that the next newcomer sees the room."""
    metrics.refusals.labels(reason).inc()
    connections.discard(connection)
    connection.transport.close()

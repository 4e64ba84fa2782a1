"""What it costs to collect beacons, beside what one would write first: `python -m benchmarks.beacons [--json]`.

The collector and its peer (`benchmarks.beacon_peer`) are real processes, each on one core in its turn; wrk on
another core posts bodies of one beacon and of twenty. Counted is what is in the database in the end, and the
processor time that it took the process until then: events by second of a core.
"""

import argparse
import json
import re
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import time
from contextlib import ExitStack, closing
from pathlib import Path

import httpx
import msgspec
from rich.console import Console
from rich.table import Table

from benchmarks.serving.client import CLIENT_CORE, pinned
from benchmarks.serving.peers import Peer, Running, free_port, running
from benchmarks.serving.world import HEADRACE

_CONNECTIONS = 32
_SIZES = (1, 20)
_SCRIPT = Path(__file__).with_name("send_beacons.lua")
_PATIENCE_SECONDS = 60
_REST_SECONDS = 1.5  # longer than the collector waits before it writes
_NO_LIMITS = ("--limit", "1000000000", "--tenant-limit", "1000000000", "--waiting", "1000000000")


class Side(msgspec.Struct, frozen=True):
    """A server, and where it puts what it is sent: each event is a row of the table."""

    server: Peer
    file: Path
    table: str

    def events(self) -> int:
        """How many there are by now."""
        with closing(sqlite3.connect(self.file)) as connection:
            [(count,)] = connection.execute(f"SELECT count(*) FROM {self.table}")  # a name of this module's
            return int(count)


class Figure(msgspec.Struct, frozen=True):
    """Of bodies with so many beacons: events by second of the server's core; medians, also of their ratios."""

    beacons: int
    headrace: float
    peer: float
    ratio: float


def main() -> None:
    """Measure, and print a table or JSON."""
    parser = argparse.ArgumentParser(prog="benchmarks.beacons", description=__doc__)
    parser.add_argument("--json", action="store_true", help="print JSON instead of a table")
    parser.add_argument("--rounds", type=int, default=5, help="how often each is sent to; the median counts")
    parser.add_argument("--seconds", type=int, default=3, help="how long each time")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch, ExitStack() as stack:
        sides = [_headrace(Path(scratch)), _peer(Path(scratch))]
        started = [(side, stack.enter_context(running(side.server))) for side in sides]
        for _, server in started:
            _await(server)
        figures = [_figure(size, started, options.rounds, options.seconds) for size in _SIZES]
    if options.json:
        print(json.dumps(msgspec.to_builtins(figures), indent=2))
    else:
        _show(figures)


def _figure(size: int, started: list[tuple[Side, Running]], rounds: int, seconds: int) -> Figure:
    turns = [[_turn(side, server, size, seconds) for side, server in started] for _ in range(rounds)]
    return Figure(
        beacons=size,
        headrace=statistics.median(ours for ours, _ in turns),
        peer=statistics.median(theirs for _, theirs in turns),
        ratio=statistics.median(ours / theirs for ours, theirs in turns),
    )


def _turn(side: Side, server: Running, size: int, seconds: int) -> float:
    """Events by second of the server's core, until the last of them is in the database."""
    cpu, before = server.cpu_seconds(), side.events()
    wrk = ("wrk", "-t1", f"-c{_CONNECTIONS}", f"-d{seconds}s", "-s", str(_SCRIPT), server.url, "--", str(size))
    told = subprocess.run(pinned(CLIENT_CORE, *wrk), check=True, capture_output=True, text=True).stdout
    if "Non-2xx" in told or "Socket errors" in told:
        raise SystemExit(f"{side.server.name} failed under load:\n{told}")
    answered = re.search(r"(\d+) requests in", told)
    if answered is None:
        raise SystemExit(f"wrk said nothing that is understood:\n{told}")
    deadline = time.monotonic() + _PATIENCE_SECONDS
    while side.events() - before < int(answered[1]) * size:
        if time.monotonic() > deadline:
            raise SystemExit(f"{side.server.name} has lost events")
        time.sleep(0.1)
    time.sleep(_REST_SECONDS)  # for those that were under way when wrk ended
    return (side.events() - before) / (server.cpu_seconds() - cpu)


def _headrace(scratch: Path) -> Side:
    port, data = free_port(), scratch / "data"
    command = (
        str(HEADRACE),
        "collect",
        "--data",
        str(data),
        "--port",
        str(port),
        "--probe-port",
        "0",
        *_NO_LIMITS,
    )
    return Side(Peer("headrace", port, command, {}), data / "health.db", "installations")


def _peer(scratch: Path) -> Side:
    port, file = free_port(), scratch / "peer.db"
    command = (sys.executable, "-m", "benchmarks.beacon_peer", str(port), str(file))
    return Side(Peer("Starlette and SQLAlchemy", port, command, {}), file, "events")


def _await(server: Running) -> None:
    """Until it takes beacons, and has its table."""
    beacon = {"build": "sdk@1.2.3", "tenant": "first", "installation": "A" * 22, "outcome": "loaded"}
    deadline = time.monotonic() + _PATIENCE_SECONDS
    while time.monotonic() < deadline:
        try:
            headers = {"content-type": "text/plain"}
            answer = httpx.post(f"{server.url}/v1/beacon", json={"beacons": [beacon]}, headers=headers)
        except httpx.TransportError:
            time.sleep(0.05)
        else:
            answer.raise_for_status()
            time.sleep(_REST_SECONDS)
            return
    raise SystemExit(f"{server.url} did not start")


def _show(figures: list[Figure]) -> None:
    table = Table(
        "beacons a body", "headrace, events by core second", "Starlette and SQLAlchemy", "ratio", box=None
    )
    for one in figures:
        table.add_row(str(one.beacons), f"{one.headrace:,.0f}", f"{one.peer:,.0f}", f"{one.ratio:.1f}")
    Console(width=120).print(table)


if __name__ == "__main__":
    main()

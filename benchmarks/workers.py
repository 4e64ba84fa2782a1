"""What a second worker is worth: `python -m benchmarks.workers [--json]`.

One file is asked for of an origin with one worker and of an origin with two, in turns. The fast lane is off: with
it the client (wrk) needs a core to keep one worker at work, which leaves none for the second of two cores. Without
it the client needs a few percent of one.
"""

import argparse
import json
import statistics
import tempfile
from contextlib import ExitStack
from pathlib import Path

import msgspec
from rich.console import Console
from rich.table import Table

from benchmarks.serving.client import load
from benchmarks.serving.peers import headrace, running
from benchmarks.serving.world import make_world

_CONNECTIONS = 32
_WORKERS = (1, 2)


class Figure(msgspec.Struct, frozen=True):
    """Requests by second, and as a part of what one worker answers: medians of all rounds."""

    workers: int
    rate: float
    of_one: float


def main() -> None:
    """Measure, and print a table or JSON."""
    parser = argparse.ArgumentParser(prog="benchmarks.workers", description=__doc__)
    parser.add_argument("--json", action="store_true", help="print JSON instead of a table")
    parser.add_argument("--rounds", type=int, default=7, help="how often each is asked; the median counts")
    parser.add_argument("--seconds", type=int, default=2, help="how long each time")
    options = parser.parse_args()
    figures = _measure(options.rounds, options.seconds)
    if options.json:
        print(json.dumps(msgspec.to_builtins(figures), indent=2))
        return
    table = Table("workers", "requests/s", "of one worker", box=None)
    for one in figures:
        table.add_row(str(one.workers), f"{one.rate:,.0f}", f"{one.of_one:.2f}")
    Console(width=120).print(table)


def _measure(rounds: int, seconds: int) -> list[Figure]:
    with tempfile.TemporaryDirectory() as scratch, ExitStack() as stack:
        world = make_world(Path(scratch))
        peers = [headrace(f"{count}", world, "--no-fast-lane", "--workers", str(count)) for count in _WORKERS]
        urls = [stack.enter_context(running(peer, core=None)).url for peer in peers]
        turns = [
            [
                load(
                    url + peer.asks["small"].path, peer.asks["small"].headers, _CONNECTIONS, seconds, core=None
                ).rate
                for peer, url in zip(peers, urls, strict=True)
            ]
            for _ in range(rounds)
        ]
    return [
        Figure(
            workers=count,
            rate=statistics.median(turn[place] for turn in turns),
            of_one=statistics.median(turn[place] / turn[0] for turn in turns),
        )
        for place, count in enumerate(_WORKERS)
    ]


if __name__ == "__main__":
    main()

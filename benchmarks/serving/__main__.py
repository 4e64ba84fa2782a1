"""Ask each server the same things in turn, several times over: `python -m benchmarks.serving --help`."""

import argparse
import statistics
import tempfile
from collections.abc import Iterable
from contextlib import ExitStack
from pathlib import Path

import httpx

from benchmarks.serving.client import Load, load
from benchmarks.serving.peers import Ask, Peer, peers, running
from benchmarks.serving.report import Figure, report
from benchmarks.serving.world import make_world

SCENARIOS = ("br", "small", "304", "302", "dcz")


def main() -> None:
    """Measure, and print."""
    parser = argparse.ArgumentParser(prog="benchmarks.serving", description=__doc__)
    parser.add_argument("--json", action="store_true", help="print JSON instead of a table")
    parser.add_argument("--picture", type=Path, help="draw the figures into this SVG file")
    parser.add_argument("--rounds", type=int, default=5, help="how often each is asked; the median counts")
    parser.add_argument("--seconds", type=int, default=2, help="how long each time")
    parser.add_argument("--connections", type=int, nargs="+", default=[32, 1_000])
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        world = make_world(Path(scratch))
        everyone = peers(world, Path(scratch))
        figures = [
            figure
            for connections in options.connections
            for scenario in SCENARIOS
            for figure in _compare(everyone, scenario, connections, options.rounds, options.seconds)
        ]
    report(figures, as_json=options.json, picture=options.picture)


def _compare(everyone: Iterable[Peer], scenario: str, connections: int, rounds: int, seconds: int) -> list[Figure]:
    """One scenario, all that know it running side by side and asked in turn: what is slow then is so for all."""
    seen: dict[str, list[Load]] = {}
    with ExitStack() as stack:
        able = [(peer, stack.enter_context(running(peer)).url) for peer in everyone if _known(peer, scenario)]
        asks = {peer.name: _ask(peer, url, scenario) for peer, url in able}
        for _ in range(rounds):
            for peer, url in able:
                ask = asks[peer.name]
                seen.setdefault(peer.name, []).append(load(url + ask.path, ask.headers, connections, seconds))
    nginx = seen["nginx"]
    return [
        Figure(
            scenario=scenario,
            connections=connections,
            server=name,
            rate=statistics.median(one.rate for one in loads),
            p99=statistics.median(one.p99 for one in loads),
            of_nginx=statistics.median(one.rate / peer.rate for one, peer in zip(loads, nginx, strict=True)),
            p99_of_nginx=statistics.median(one.p99 / peer.p99 for one, peer in zip(loads, nginx, strict=True)),
        )
        for name, loads in seen.items()
    ]


def _known(peer: Peer, scenario: str) -> bool:
    return ("br" if scenario == "304" else scenario) in peer.asks


def _ask(peer: Peer, url: str, scenario: str) -> Ask:
    """The scenario's request; of `304`, with the entity tag that this server gives."""
    if scenario != "304":
        return peer.asks[scenario]
    ask = peer.asks["br"]
    answer = httpx.get(url + ask.path, headers=dict(ask.headers))
    return Ask(ask.path, {**ask.headers, "If-None-Match": answer.headers["etag"]})


if __name__ == "__main__":
    main()

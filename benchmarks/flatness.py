"""What it costs to have more of everything: `python -m benchmarks.flatness [--json]`.

Redirects are asked for by random ones of a thousand tenants and of a million, of an origin without pins and of one
with a hundred thousand; and files of random ones of ten builds, and of ten thousand, which nginx is asked for too:
more files than the processor's caches hold cost everybody something. Few and many take turns. The server has one
core and the client (wrk) another. On a machine with other work it is requests by second of the
server's core that can be compared: a ratio of 1 is flat.
"""

import argparse
import json
import statistics
import subprocess
import tempfile
import time
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from http.client import HTTPConnection
from pathlib import Path

import anyio
import msgspec
from rich.console import Console
from rich.table import Table

from benchmarks.many_pins import put_pins
from benchmarks.serving.client import load
from benchmarks.serving.peers import Ask, Peer, Running, free_port, nginx, running
from benchmarks.serving.world import HEADRACE
from bundles.core.compress import Encoding, encode
from bundles.core.names import Product
from bundles.core.version import Range
from headrace import wiring
from release.core.names import Tenant
from release.core.routing import Pin

_CONNECTIONS = 32
_SDK = Product("sdk")
_PINS = 100_000
_TENANT_PATH = f"/t/tenant-%d/{_SDK}/sdk.js"
_BUILD_PATH = "/@tenant-%d/content@1.0.0/content.js"
_SCRIPT = Path(__file__).with_name("ask_many.lua")
_RANGES = ("1.0.0", "^1", "~1.0", ">=1 <2")


class Case(msgspec.Struct, frozen=True):
    """So many of something, asked of a server that has them all: the paths of a pattern with the numbers below."""

    count: int
    server: Peer
    path: str
    asked: int


class Contents(msgspec.Struct, frozen=True):
    """So many tenants' scripts in a folder, and the list to publish them by."""

    count: int
    folder: Path
    listing: Path


class Figure(msgspec.Struct, frozen=True):
    """Few and many: requests by second of the server's core, and by second; medians of them and of their ratios.

    `core_share` is how much of its core the server used, of those two where it was less.
    """

    what: str
    few: int
    many: int
    few_by_core_second: float
    many_by_core_second: float
    ratio_by_core_second: float
    few_by_second: float
    many_by_second: float
    ratio_by_second: float
    core_share: float


class Seen(msgspec.Struct, frozen=True):
    """One turn's rates, and how much of its core the server used."""

    by_core_second: float
    by_second: float
    core_share: float


def main() -> None:
    """Measure, and print a table or JSON."""
    parser = argparse.ArgumentParser(prog="benchmarks.flatness", description=__doc__)
    parser.add_argument("--json", action="store_true", help="print JSON instead of a table")
    parser.add_argument("--rounds", type=int, default=7, help="how often each is asked; the median counts")
    parser.add_argument("--seconds", type=int, default=2, help="how long each time")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        pairs = _pairs(Path(scratch))
        figures = [_compare(what, *pair, options.rounds, options.seconds) for what, pair in pairs.items()]
        if options.json:
            print(json.dumps(msgspec.to_builtins(figures), indent=2))
        else:
            _show(figures)


def _pairs(scratch: Path) -> Mapping[str, tuple[Case, Case]]:
    """What is compared: few of it, and many."""
    few, many = _contents(scratch, 10), _contents(scratch, 10_000)
    plain, pinned = _released(scratch / "plain"), _pinned(_released(scratch / "pinned"))
    return {
        "tenants": (_tenants(1_000, plain, 1_000), _tenants(1_000_000, plain, 1_000_000)),
        "pins": (_tenants(0, plain, _PINS), _tenants(_PINS, pinned, _PINS)),
        "builds": (_builds(few), _builds(many)),
        "nginx, builds": (_files(few), _files(many)),
    }


def _compare(what: str, few: Case, many: Case, rounds: int, seconds: int) -> Figure:
    with ExitStack() as stack:
        servers = [(case, stack.enter_context(running(case.server))) for case in (few, many)]
        for case, server in servers:
            _ask_each(case, server)
        turns = [[_turn(case, server, seconds) for case, server in servers] for _ in range(rounds)]

    def median(of: Callable[[Seen, Seen], float]) -> float:
        return statistics.median(of(*turn) for turn in turns)

    return Figure(
        what=what,
        few=few.count,
        many=many.count,
        few_by_core_second=median(lambda few, _: few.by_core_second),
        many_by_core_second=median(lambda _, many: many.by_core_second),
        ratio_by_core_second=median(lambda few, many: many.by_core_second / few.by_core_second),
        few_by_second=median(lambda few, _: few.by_second),
        many_by_second=median(lambda _, many: many.by_second),
        ratio_by_second=median(lambda few, many: many.by_second / few.by_second),
        core_share=median(lambda few, many: min(few.core_share, many.core_share)),
    )


def _turn(case: Case, server: Running, seconds: int) -> Seen:
    cpu, began = server.cpu_seconds(), time.monotonic()
    seen = load(server.url, {}, _CONNECTIONS, seconds, [_SCRIPT, case.path, str(case.asked)])
    cpu, passed = server.cpu_seconds() - cpu, time.monotonic() - began
    return Seen(seen.rate * passed / cpu, seen.rate, cpu / passed)


def _ask_each(case: Case, server: Running) -> None:
    """Ask for each build once, so that it is known; tenants come as they are."""
    if case.path is not _BUILD_PATH:
        return
    connection = HTTPConnection(server.url.removeprefix("http://"))
    for number in range(case.asked):
        for _ in range(2):  # the first answer says that the body was not in memory, and the second is kept
            connection.request("GET", case.path % number, headers={"Accept-Encoding": "br, gzip"})
            answer = connection.getresponse()
            answer.read()
            if answer.status != 200:
                raise SystemExit(f"{case.path % number} answers {answer.status}")
    connection.close()


def _tenants(count: int, data: Path, asked: int) -> Case:
    return Case(count, _origin(data, _TENANT_PATH % 0), _TENANT_PATH, asked)


def _builds(contents: Contents) -> Case:
    """Each of the contents as a build."""
    data = contents.folder / "data"
    _headrace(data, "publish-batch", contents.listing)
    return Case(contents.count, _origin(data, _BUILD_PATH % 0), _BUILD_PATH, contents.count)


def _files(contents: Contents) -> Case:
    """Each of the contents as files for nginx, by the same paths."""
    root = contents.folder / "www"
    for number in range(contents.count):
        file = _made(root / (_BUILD_PATH % number).removeprefix("/"))
        body = (contents.folder / str(number) / file.name).read_bytes()
        file.write_bytes(body)
        file.with_name(f"{file.name}.br").write_bytes(encode(body, Encoding.BR))
    server = nginx(root, contents.folder, {"first": Ask(_BUILD_PATH % 0)})
    return Case(contents.count, server, _BUILD_PATH, contents.count)


def _origin(data: Path, path: str) -> Peer:
    port = free_port()
    command = (str(HEADRACE), "serve", "--data", str(data), "--port", str(port), "--probe-port", "0")
    return Peer("headrace", port, command, {"first": Ask(path)})


def _released(data: Path) -> Path:
    """A product with a stable build, and a candidate that half of the tenants get."""
    for version in ("1.0.0", "1.1.0"):
        dist = data / "dist" / version
        dist.mkdir(parents=True)
        (dist / "sdk.js").write_text(f"globalThis.sdk = '{version}';\n")
        _headrace(data, "publish", dist, "--product", _SDK, "--version", version)
    _headrace(data, "rollout", "start", _SDK, "1.0.0", "--stages", "100")
    _headrace(data, "rollout", "promote", _SDK)
    _headrace(data, "rollout", "start", _SDK, "1.1.0", "--stages", "50,100")
    return data


def _pinned(data: Path) -> Path:
    """Give each tenant a pin, exact ones and ranges."""
    pins = (Pin(Range(_RANGES[number % len(_RANGES)]), "sam", "tested with it") for number in range(_PINS))
    put_pins(data, _SDK, ((Tenant(f"tenant-{number}"), pin) for number, pin in enumerate(pins)))

    async def write_snapshot() -> None:
        async with wiring.control(data) as control:
            await control.sync(thorough=True)

    anyio.run(write_snapshot)
    return data


def _contents(scratch: Path, count: int) -> Contents:
    """So many small scripts, each of its own bytes."""
    folder = scratch / f"contents-{count}"
    listing = _made(folder / "all.jsonl")
    with listing.open("w") as lines:
        for number in range(count):
            script = f"globalThis.content = 'the content of tenant {number}';\n" * 20
            _made(folder / str(number) / "content.js").write_text(script)
            line = {"product": f"@tenant-{number}/content", "version": "1.0.0", "files": str(number)}
            lines.write(json.dumps(line) + "\n")
    return Contents(count, folder, listing)


def _made(file: Path) -> Path:
    file.parent.mkdir(parents=True, exist_ok=True)
    return file


def _headrace(data: Path, *arguments: object) -> None:
    subprocess.run([HEADRACE, *map(str, arguments), "--data", data], check=True, capture_output=True)


def _show(figures: list[Figure]) -> None:
    table = Table(
        "of", "few", "many", "by core second", "", "ratio", "by second", "", "ratio", "core used", box=None
    )
    for one in figures:
        table.add_row(
            one.what,
            f"{one.few:,}",
            f"{one.many:,}",
            f"{one.few_by_core_second:,.0f}",
            f"{one.many_by_core_second:,.0f}",
            f"{one.ratio_by_core_second:.2f}",
            f"{one.few_by_second:,.0f}",
            f"{one.many_by_second:,.0f}",
            f"{one.ratio_by_second:.2f}",
            f"{one.core_share:.0%}",
        )
    Console(width=120).print(table)


if __name__ == "__main__":
    main()

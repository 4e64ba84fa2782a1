"""What a changed pin costs among many, and a large table to load: `python -m benchmarks.snapshots [--json]`.

A table of one SDK with a million tenants, of whom 100,000 have pins. A pin is changed, and the whole snapshot is
written and loaded anew, in turn; the medians of both sides are compared, and the bytes that are written and read.
Then a process of its own loads the table as an origin does at a cold start, and resolves each of the tenants.
"""

import argparse
import asyncio
import json
import logging
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import structlog

from benchmarks.many_pins import put_pins
from bundles.core.names import Product
from bundles.core.version import Range, Version
from headrace import origin_wiring, wiring
from origin.adapters.followed_file import FollowedFile
from origin.routing import Routing
from release.adapters.system_clock import SystemClock
from release.change import Author, Begin, Control, Subject
from release.core.audit import Change
from release.core.names import PRODUCTION, STABLE, Tenant
from release.core.resolve import resolve_tenant
from release.core.routing import ChannelState, Pin, PinKey
from release.core.snapshot import MAX_SEALED_BYTES

_TENANTS = 1_000_000
_PINS = 100_000
_ROUNDS = 7
_SDK = Product("sdk")
_VERSIONS = tuple(Version(f"1.{minor}.0") for minor in range(50))
_RANGES = (*_VERSIONS, *(f"~1.{minor}" for minor in range(50)))


def _pin(number: int) -> Pin:
    return Pin(Range(_RANGES[number % len(_RANGES)]), "sam", f"tested in ticket {number}")


def _origin(data: Path) -> Routing:
    feed = FollowedFile(wiring.snapshot_file(data), MAX_SEALED_BYTES)
    trusted, kept = wiring.trusted_keys(data), origin_wiring.kept_snapshot(data)
    return Routing(feed, wiring.snapshots(data), kept, trusted, SystemClock(), lambda: None)


def _sizes(data: Path) -> dict[int, int]:
    """The bytes of each of the snapshot's files, by inode: what is written anew has another."""
    return {file.stat().st_ino: file.stat().st_size for file in (data / "snapshots").rglob("*.json")}


async def _change(data: Path, control: Control, origin: Routing, number: int) -> dict[str, float]:
    async def act(begin: Begin) -> None:
        async with begin() as transaction:
            await transaction.save_pin(_SDK, PinKey(Tenant(f"t{number}"), PRODUCTION), _pin(number + 1))

    before = _sizes(data)
    began = time.perf_counter()
    await control.once(Subject("pin", _SDK, f"t{number}"), Author("benchmark"), act, lambda _: None)
    changed = time.perf_counter()
    await origin.refresh()
    ended = time.perf_counter()
    written = sum(size for inode, size in _sizes(data).items() if inode not in before)
    return {"controller_s": changed - began, "origin_s": ended - changed, "bytes": written}


async def _whole(data: Path, control: Control) -> dict[str, float]:
    for name in ("snapshots", "origin"):
        shutil.rmtree(data / name, ignore_errors=True)
    began = time.perf_counter()
    await control.sync()
    changed = time.perf_counter()
    await _origin(data).start()
    ended = time.perf_counter()
    return {"controller_s": changed - began, "origin_s": ended - changed, "bytes": sum(_sizes(data).values())}


async def _measure(data: Path) -> tuple[list[dict[str, float]], list[dict[str, float]]]:
    wiring.keys(data).signing_key()
    async with wiring.control(data) as control:
        async with control.ledger.transaction() as transaction:
            await transaction.save_channel(_SDK, STABLE, ChannelState(_VERSIONS))
            await transaction.record(Change(1, "benchmark", "fill", _SDK, STABLE, ""))
        put_pins(data, _SDK, ((Tenant(f"t{number}"), _pin(number)) for number in range(_PINS)))
        whole, one = [await _whole(data, control)], []
        origin = _origin(data)
        await origin.start()
        for number in range(_ROUNDS):
            one.append(await _change(data, control, origin, number))
            whole.append(await _whole(data, control))
        return one, whole[1:]


def _medians(rounds: list[dict[str, float]]) -> dict[str, float]:
    return {name: round(statistics.median(each[name] for each in rounds), 4) for name in rounds[0]}


def _peak_kib() -> int:
    return int(Path("/proc/self/status").read_text().partition("VmHWM:")[2].split(maxsplit=1)[0])


def _load(data: Path) -> dict[str, float]:
    """In a process of its own: what a cold origin's table takes."""
    idle = _peak_kib()
    routing = _origin(data)
    began = time.perf_counter()
    asyncio.run(routing.start())
    loaded = time.perf_counter()
    peak = _peak_kib()
    assert routing.table is not None
    routes = routing.table.products[_SDK]
    for number in range(_TENANTS):
        resolve_tenant(routes, Tenant(f"t{number}"), PRODUCTION, STABLE, known={}, now=1)
    resolved = time.perf_counter()
    return {
        "load_s": round(loaded - began, 2),
        "memory_mib": round((peak - idle) / 1024, 1),
        "resolutions_per_s": round(_TENANTS / (resolved - loaded)),
    }


def measure() -> dict[str, Any]:
    """The figures of all."""
    with tempfile.TemporaryDirectory() as folder:
        data = Path(folder)
        one, whole = (_medians(rounds) for rounds in asyncio.run(_measure(data)))
        shutil.rmtree(data / "origin")
        command = [sys.executable, "-m", "benchmarks.snapshots", "--load", str(data)]
        loaded = json.loads(
            subprocess.run(command, check=True, capture_output=True, text=True).stdout.splitlines()[-1]
        )
    ratios = {name: round(one[name] / whole[name], 4) for name in one}
    return {
        "tenants": _TENANTS,
        "pins": _PINS,
        "rounds": _ROUNDS,
        "one_pin": one,
        "whole": whole,
        "ratios": ratios,
        "cold": loaded,
    }


def main() -> None:
    """Print the figures, or JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--load", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.ERROR))
    if options.load:
        print(json.dumps(_load(options.load)))
        return
    result = measure()
    if options.json:
        print(json.dumps(result, indent=2))
        return
    print(f"{'':12}{'controller':>12}{'origin':>12}{'bytes':>14}")
    for side in ("one_pin", "whole", "ratios"):
        row = result[side]
        print(f"{side:12}{row['controller_s']:>12.4f}{row['origin_s']:>12.4f}{row['bytes']:>14,}")
    cold = result["cold"]
    print(
        f"a cold origin loads {_PINS:,} pins in {cold['load_s']} s and {cold['memory_mib']} MiB, then resolves"
        f" {cold['resolutions_per_s']:,} of {_TENANTS:,} tenants a second"
    )


if __name__ == "__main__":
    main()

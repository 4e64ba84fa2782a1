"""From the first bad beacon to the last bad answer: `python -m benchmarks.time_to_safety [--json]`.

An origin, a collector and a controller are real processes; pages of 1,000 tenants (`load.py`) ask the origin and
report on what it gave them. A candidate is rolled out to a share of tenants, where it fails ten times as often as
the stable build's 0.1%, or always. Its gate, as it is by default, takes it back. Rounds begin spread evenly over a
slot's ten seconds, since to wait for its end is a part of it. What an edge caches is served by it for longer.
"""

import argparse
import json
import statistics
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import anyio
import msgspec
from rich.console import Console
from rich.table import Table

from benchmarks.time_to_safety.load import Round
from benchmarks.time_to_safety.world import World, running_world, taken_back
from headrace.demo.fetch import default_cache, fetch_builds, find_npm, read_lock
from headrace.demo.parts import run_verb
from release.core.counts import SLOT_SECONDS
from release.core.health import SETTLE_SECONDS
from release.core.lag import LAG_SLOTS

_ENDS = ("until_abort", "until_last_answer")
_PARTS = ("slots", "lag", "settle", "look", "change", "snapshot", "origin")
_COUNTS = ("bad_loads", "broken_pages", "refused_beacons", "loads_a_second")
_USUAL = 0.001
_SETTLING_SECONDS = 2.0  # after a change, for every answer that was under way
_WARM_SECONDS = 15.0  # until pages that stay report as fast as others load


class Outcome(msgspec.Struct, frozen=True):
    """One round. Seconds from the first bad beacon, and their parts, each from the end of the one before it.

    `slots` is until the end of the last slot whose failures were needed, `lag` and `settle` how long the gate
    waits then, `look` until it has concluded, `change` until that is committed, `snapshot` until origins see it.
    """

    until_abort: float
    until_last_answer: float
    slots: float
    lag: float
    settle: float
    look: float
    change: float
    snapshot: float
    origin: float
    bad_loads: int
    broken_pages: int
    refused_beacons: int
    loads_a_second: float


class Figure(msgspec.Struct, frozen=True):
    """All rounds of a candidate that fails so many times as often as the stable build, at a share of tenants."""

    times: float
    percent: str
    outcomes: Sequence[Outcome]
    not_taken_back: int


def main() -> None:
    """Measure, and print a table or JSON."""
    parser = argparse.ArgumentParser(prog="benchmarks.time_to_safety", description=__doc__)
    parser.add_argument("--json", action="store_true", help="print JSON instead of a table")
    parser.add_argument("--rounds", type=int, default=3, help="how often each candidate is rolled out")
    parser.add_argument(
        "--rate", type=int, default=10_000, help="page loads a second, as far as the machine bears"
    )
    parser.add_argument("--tenants", type=int, default=1_000)
    parser.add_argument("--percent", nargs="+", default=["1", "5", "25"], help="shares of tenants, in percent")
    parser.add_argument(
        "--times", nargs="+", type=float, default=[10, 1_000], help="times the stable build's errors"
    )
    parser.add_argument("--patience", type=float, default=180, help="seconds until a round is given up")
    options = parser.parse_args()
    figures = anyio.run(_measure, options)
    if options.json:
        print(json.dumps(msgspec.to_builtins(figures), indent=2))
    else:
        _show(figures)


async def _measure(options: argparse.Namespace) -> list[Figure]:
    sdk = fetch_builds(default_cache(), read_lock(), find_npm())
    figures = []
    with tempfile.TemporaryDirectory() as data:
        async with running_world(Path(data), sdk, options.tenants, options.rate) as world:
            await anyio.sleep(_WARM_SECONDS)
            for times in options.times:
                for percent in options.percent:
                    found = [
                        await _round(world, percent, times, number / options.rounds, options.patience, number)
                        for number in range(options.rounds)
                    ]
                    outcomes = [outcome for outcome in found if outcome is not None]
                    figures.append(Figure(times, percent, outcomes, len(found) - len(outcomes)))
    return figures


async def _round(
    world: World, percent: str, times: float, phase: float, patience: float, number: int
) -> Outcome | None:
    """Roll a candidate out, and wait until it is taken back; None where it is not."""
    candidate = world.candidates[number % len(world.candidates)]
    await _until_phase(phase)
    world.load.begin(Round(candidate, min(1.0, times * _USUAL), _USUAL))
    await run_verb(world.data, "rollout", "start", world.product, candidate, "--stages", f"{percent},100")
    change = await taken_back(world.data, patience)
    world.load.check()
    if change is None:
        await run_verb(world.data, "rollout", "abort", world.product)
        return None
    await anyio.sleep(_SETTLING_SECONDS)
    seen = world.load.seen
    world.load.check()
    if seen.first_bad_beacon is None or seen.last_bad_answer is None:
        raise SystemExit(f"the round was none: {seen}")
    lag = LAG_SLOTS * SLOT_SECONDS
    settled = (change.seen - SETTLE_SECONDS) // SLOT_SECONDS * SLOT_SECONDS
    return Outcome(
        until_abort=change.committed - seen.first_bad_beacon,
        until_last_answer=seen.last_bad_answer - seen.first_bad_beacon,
        slots=settled - seen.first_bad_beacon - lag,
        lag=lag,
        settle=SETTLE_SECONDS,
        look=change.seen - settled - SETTLE_SECONDS,
        change=change.committed - change.seen,
        snapshot=change.snapshot - change.committed,
        origin=seen.last_bad_answer - change.snapshot,
        bad_loads=seen.bad,
        broken_pages=seen.broken,
        refused_beacons=seen.refused,
        loads_a_second=seen.loads / seen.seconds,
    )


async def _until_phase(part: float) -> None:
    """Until this part of a slot is over."""
    await anyio.sleep((part * SLOT_SECONDS - time.time()) % SLOT_SECONDS)


def _show(figures: Sequence[Figure]) -> None:
    table = Table("errors", "tenants", *_ENDS, *_PARTS, *_COUNTS, "rounds", box=None)
    for one in figures:
        table.add_row(f"x{one.times:g}", f"{one.percent}%", *_cells(one.outcomes), _rounds(one))
    Console(width=200).print(table)


def _cells(outcomes: Sequence[Outcome]) -> list[str]:
    """Medians, of the two ends with the least and the most."""
    if not outcomes:
        return [""] * (len(_ENDS) + len(_PARTS) + len(_COUNTS))
    found = {name: [getattr(each, name) for each in outcomes] for name in (*_ENDS, *_PARTS, *_COUNTS)}
    middle = {name: statistics.median(values) for name, values in found.items()}
    ends = [f"{middle[name]:.1f} s ({min(found[name]):.1f} to {max(found[name]):.1f})" for name in _ENDS]
    return [*ends, *(f"{middle[name]:.2f}" for name in _PARTS), *(f"{middle[name]:,.0f}" for name in _COUNTS)]


def _rounds(one: Figure) -> str:
    return f"{len(one.outcomes)} taken back, {one.not_taken_back} not"


if __name__ == "__main__":
    main()

"""The demo from its first publish to its last answer."""

import math
import signal
import time
from contextlib import AsyncExitStack
from pathlib import Path

import anyio
import msgspec
from rich.console import Console

from bundles.core.errors import Failed
from headrace import wiring
from headrace.demo.board import Board
from headrace.demo.breakage import TakenBack, break_and_watch
from headrace.demo.fetch import SdkBuilds
from headrace.demo.parts import run_verb, running
from headrace.demo.reports import Reports
from headrace.demo.traffic import Traffic
from headrace.demo.walk import Undone, Walk

TENANTS = 1_000
LEAST_BAKE_SECONDS = 2
PINNED, CANARY = "tenant-0007", "tenant-0042"
_GATE = Path(__file__).with_name("gate.toml")
_SERVE = ("serve", "--port", "0", "--probe-port", "0")
_COLLECT = ("collect", "--port", "0", "--probe-port", "0")
_CONTROL = ("controller", "--interval", "0.2")


class Story(msgspec.Struct, frozen=True):
    """What the demo showed; `stages` has how many tenants had the second build at each stage's end."""

    product: str
    npm_away: str | None
    tenants: int
    requests: int
    failed: int
    stages: dict[str, int]
    rollback: Undone
    taken_back: TakenBack


async def tell(data: Path, sdk: SdkBuilds, console: Console) -> Story:
    """Run the demo in an empty data folder; on a terminal, leave the origin up until Ctrl-C.

    Raises `Failed` where anything that the demo promises did not happen.
    """
    integrity = await _publish_all(data, sdk, console)
    await run_verb(data, "rollout", "start", sdk.product, sdk.builds[0].version, "--stages", "100")
    await run_verb(data, "rollout", "promote", sdk.product)
    async with AsyncExitStack() as stack:
        await stack.enter_async_context(running(data, data / "controller.log", "controller running", *_CONTROL))
        origin = await stack.enter_async_context(running(data, data / "origin.log", "origin listening", *_SERVE))
        control = await stack.enter_async_context(wiring.control(data))
        collector = await stack.enter_async_context(
            running(data, data / "collector.log", "collector listening", *_COLLECT)
        )
        url = f"http://{origin['address']}"
        console.print(f"\nthe origin is at {url}, the controller runs, and {TENANTS} tenants ask all the time")
        reports = Reports(f"http://{collector['host']}:{collector['port']}", sdk.product)
        traffic = Traffic(url, sdk.product, sdk.entry, TENANTS, integrity, reports)
        board = Board(console, traffic)
        async with reports.flowing(), traffic.flowing(), board.shown():
            walk = Walk(data, sdk.product, control, traffic, board)
            story = await _walk(walk, traffic, reports, board, sdk)
        _summarise(console, story)
        if console.is_terminal:
            console.print(f"\nlook around: {url}/t/{PINNED}/{sdk.product}.json    (Ctrl-C ends the demo)")
            with anyio.open_signal_receiver(signal.SIGINT, signal.SIGTERM) as signals:
                await anext(signals)
    return story


async def _publish_all(data: Path, sdk: SdkBuilds, console: Console) -> dict[str, str]:
    """Publish every build. Each version's integrity of the entry file."""
    source = "npm" if sdk.away is None else f"the repository's own copy, since {sdk.away}"
    console.print(f"{len(sdk.builds)} consecutive builds of {sdk.product}, from {source}")
    integrity = {}
    for build in sdk.builds:
        options = "--product", sdk.product, "--version", build.version
        console.print(f"$ headrace publish {build.folder.name} {' '.join(options)}")
        published = await run_verb(data, "publish", str(build.folder), *options)
        entry = next(artifact for artifact in published["artifacts"] if artifact["path"] == sdk.entry)
        sizes = ", ".join(f"{variant['encoding']} {variant['size']}" for variant in entry["variants"])
        console.print(f"  {len(published['artifacts'])} files; {sdk.entry}: {sizes} bytes")
        integrity[build.version] = entry["integrity"]
    return integrity


async def _walk(walk: Walk, traffic: Traffic, reports: Reports, board: Board, sdk: SdkBuilds) -> Story:
    first, second, third, fourth = (build.version for build in sdk.builds[:4])
    bake = await _time_for_all_to_ask(traffic)
    await walk.verb("pin", "set", PINNED, sdk.product, first, "--reason", "tested with checkout")
    await walk.why(PINNED)
    await walk.verb("rollout", "start", sdk.product, second, "--canary", CANARY, "--bake", bake)
    await walk.why(CANARY, "--environment", "staging")
    stages = await walk.watch(second)
    await walk.verb("rollout", "start", sdk.product, third, "--stages", "staging,25,100", "--bake", bake)
    await walk.watch(third)
    rollback = await walk.roll_back(third, second)
    await walk.verb("apply", str(_GATE))
    taken_back = await break_and_watch(walk, traffic, reports, board, fourth)
    await walk.why(PINNED)
    if traffic.answers[PINNED] != first:
        raise Failed(f"the pinned tenant got {traffic.answers[PINNED]}, not {first}")
    if reports.faults:
        raise Failed(f"{len(reports.faults)} bodies of beacons were not taken, the first: {reports.faults[0]}")
    if traffic.faults:
        raise Failed(f"{len(traffic.faults)} of {traffic.asked} requests failed, the first: {traffic.faults[0]}")
    return Story(
        product=sdk.product,
        npm_away=sdk.away,
        tenants=len(traffic.tenants),
        requests=traffic.asked,
        failed=len(traffic.faults),
        stages=stages,
        rollback=rollback,
        taken_back=taken_back,
    )


async def _time_for_all_to_ask(traffic: Traffic) -> str:
    """A bake time in which every tenant asks, also on a slow machine: twice of what they take now."""
    started = time.monotonic()
    await traffic.sweep()
    return f"{max(LEAST_BAKE_SECONDS, math.ceil(2 * (time.monotonic() - started)))}s"


def _summarise(console: Console, story: Story) -> None:
    walked = ", ".join(f"{stage}: {count}" for stage, count in story.stages.items())
    console.print(f"\ntenants on the second build at each stage's end: {walked} (of {story.tenants}, one pinned)")
    console.print(
        f"rollback: every answer was the old build again {story.rollback.ms_from_flip} ms after the flip,"
        f" {story.rollback.ms_from_command} ms after the command was given"
    )
    back = story.taken_back
    console.print(
        f"the broken build: the last answer was {back.ms_to_last_answer / 1000:.1f} s after its first bad beacon,"
        f" {back.failed_pages} of {back.loads} pages failed until then, and nobody had to act"
    )
    console.print(f"{story.requests} requests, {story.failed} failed")

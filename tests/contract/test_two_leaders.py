"""Controllers that all think that they lead: what is due is done once."""

import shutil
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path

import anyio
import msgspec
import pytest

from bundles.core.names import Product
from bundles.core.version import Version
from headrace import wiring
from release.advance import Advanced, advance
from release.change import Author, Control
from release.core.commands import Promote, Schedule, Start
from release.core.names import STABLE
from release.core.plan import parse_plan
from release.rollouts import command_channel
from release.trail import read_history

pytestmark = pytest.mark.anyio

SDK, ONE, TWO = Product("sdk"), Version("1.0.0"), Version("1.1.0")
SAM = Author("sam", "")
BEGIN, BAKE = 1_700_000_000, 60
PERCENTAGES = range(10, 110, 10)


class Clock:
    """One clock for all."""

    def __init__(self) -> None:
        self.time = BEGIN

    def now(self) -> int:
        return self.time


@pytest.fixture
async def leaders(released_data: Path, database: str) -> AsyncIterator[tuple[Clock, list[Control]]]:
    """Four controllers, each with connections of its own, with a rollout that is scheduled for a minute later."""
    clock = Clock()
    shutil.rmtree(released_data / "snapshots")  # they are of another database
    async with AsyncExitStack() as stack:
        controls = [await stack.enter_async_context(wiring.control(released_data, database)) for _ in range(4)]
        controls = [msgspec.structs.replace(control, clock=clock) for control in controls]
        await command_channel(controls[0], SDK, STABLE, Start(ONE, parse_plan("100", [], None), "salt"), SAM)
        await command_channel(controls[0], SDK, STABLE, Promote(), SAM)
        plan = parse_plan(",".join(map(str, PERCENTAGES)), [], f"{BAKE}s")
        scheduled = Schedule(Start(TWO, plan, "salt"), BEGIN + BAKE)
        await command_channel(controls[0], SDK, STABLE, scheduled, SAM)
        yield clock, controls


async def test_of_several_that_lead_at_once_one_takes_each_step(leaders: tuple[Clock, list[Control]]) -> None:
    clock, controls = leaders
    taken: list[list[Advanced]] = []

    async def act(control: Control) -> None:
        taken[-1] += await advance(control)

    for _ in range(len(PERCENTAGES) + 1):
        clock.time += BAKE
        taken.append([])
        async with anyio.create_task_group() as group:
            for control in controls:
                group.start_soon(act, control)
    steps = [[(each.step, each.at.revision) for each in tick] for tick in taken]
    assert steps == [[("begun", 4)], *([("promoted", 5 + number)] for number in range(len(PERCENTAGES)))]
    entries = await read_history(controls[0].ledger, SDK, STABLE, 100)
    assert [entry.at for entry in entries[3:]] == [BEGIN + BAKE * number for number in range(1, len(steps) + 1)]
    assert (await controls[0].ledger.table()).products[SDK].channels[STABLE].stable == TWO

"""What smoke tests need of a ledger, on each kind of database: outcomes in order, and one who runs a test."""

from collections.abc import AsyncIterator
from pathlib import Path

import anyio
import pytest

from bundles.core.errors import Refused
from headrace import service_wiring, wiring
from release.change import Author, Control
from release.core.commands import Start
from release.core.names import STABLE
from release.core.plan import parse_plan
from release.core.smoke import parse_smoke_tests
from release.rollouts import command_channel
from release.smoke import SmokeRun, due_runs, list_outcomes, run_smoke_test, runs_of
from tests.support.smoke import ONE, SDK, publish_files

pytestmark = pytest.mark.anyio


@pytest.fixture
async def controls(tmp_path: Path, database: str) -> AsyncIterator[tuple[Control, Control]]:
    """Two control planes on one database."""
    data = tmp_path / "data"
    await publish_files(data, {"sdk.js": "1;"})
    async with wiring.control(data, database) as one, wiring.control(data, database) as two:
        yield one, two


async def begin(control: Control, command: str) -> None:
    plan = parse_plan("staging,100", [], None, parse_smoke_tests([], [command], [], 60))
    await command_channel(control, SDK, STABLE, Start(ONE, plan, "salt"), Author("sam"))


async def test_outcomes_are_kept_in_order_with_whatever_a_program_prints(
    controls: tuple[Control, Control],
) -> None:
    one, two = controls
    await begin(one, "sh -c 'printf \"\\\\000\\\\377 \\\\033[1mé\\\\n\"; date +%N'")
    [run] = await runs_of(one, SDK, STABLE)
    kept = [await run_smoke_test(each, service_wiring.smoke_runners(each), run, "sam") for each in (one, two, one)]
    assert await list_outcomes(two, SDK, STABLE, ONE) == kept
    assert kept[0].output.startswith("\ufffd\ufffd é\n")
    assert len({outcome.output for outcome in kept}) == 3


async def test_of_two_controllers_one_runs_a_test(controls: tuple[Control, Control], tmp_path: Path) -> None:
    began = tmp_path / "began"
    await begin(controls[0], f"sh -c 'echo x >> {began}; sleep 0.5'")
    [run] = await due_runs(controls[0])
    assert await due_runs(controls[1]) == [run]
    kept: list[str] = []
    async with anyio.create_task_group() as group:
        for name, control in zip(("one", "two"), controls, strict=True):
            group.start_soon(_run_or_not, control, run, name, kept)
    assert len(kept) == 1
    assert await anyio.Path(began).read_text() == "x\n"
    [outcome] = await list_outcomes(controls[0], SDK, STABLE, ONE)
    assert outcome.actor == kept[0]


async def _run_or_not(control: Control, run: SmokeRun, name: str, kept: list[str]) -> None:
    try:
        await run_smoke_test(control, service_wiring.smoke_runners(control), run, name)
    except Refused:
        return
    kept.append(name)

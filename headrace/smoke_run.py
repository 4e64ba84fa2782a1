"""What `headrace smoke run` does."""

from collections.abc import Sequence
from pathlib import Path

import anyio

from api.views.smoke import OutcomeView, view_outcome
from bundles.core.errors import HeadraceError
from bundles.core.names import parse_product
from headrace import service_wiring
from headrace.asking import with_control
from headrace.options import actor_or_login
from release.change import Control
from release.core.names import parse_channel
from release.smoke import SmokeRun, run_smoke_test, runs_of


def run_tests(
    data: Path,
    database: str | None,
    product: str,
    channel: str,
    names: Sequence[str],
    actor: str | None,
    key: str | None,
) -> list[OutcomeView]:
    """What came of a live rollout's smoke tests, of these or of all, which is kept."""
    parsed = parse_product(product), parse_channel(channel)
    who = actor_or_login(actor)

    async def run_all(control: Control) -> list[OutcomeView]:
        runs = await runs_of(control, *parsed, names)
        return await _run_together(control, runs, who, key)

    return with_control(data, database, run_all)


async def _run_together(control: Control, runs: list[SmokeRun], actor: str, key: str | None) -> list[OutcomeView]:
    """What came of each, in the plan's order. The first that could not be run or kept raises, after the others."""
    limiter = anyio.CapacityLimiter(service_wiring.SMOKE_TESTS_AT_ONCE)
    runners = service_wiring.smoke_runners(control)
    outcomes: dict[str, OutcomeView] = {}
    faults: list[HeadraceError] = []

    async def run_one(run: SmokeRun) -> None:
        async with limiter:
            try:
                outcome = await run_smoke_test(control, runners, run, actor, key)
                outcomes[run.test.name] = view_outcome(outcome)
            except HeadraceError as fault:
                faults.append(fault)

    async with anyio.create_task_group() as group:
        for each in runs:
            group.start_soon(run_one, each)
    if faults:
        raise faults[0]
    return [outcomes[each.test.name] for each in runs]

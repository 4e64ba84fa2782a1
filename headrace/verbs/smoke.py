"""`headrace smoke …`."""

from typing import Annotated

import anyio
import typer
from rich.console import Console

from api.operations.smoke import ListOutcomes
from api.views.smoke import OutcomeView, view_outcome
from bundles.core.errors import HeadraceError
from bundles.core.names import parse_product
from headrace import service_wiring
from headrace.asking import Asking, send_all, with_control
from headrace.options import (
    DEFAULT_DATA,
    Actor,
    AsJson,
    ChannelName,
    Data,
    Database,
    IdempotencyKey,
    ProductName,
    actor_or_login,
    example,
)
from headrace.smoke_text import draw_outcomes
from headrace.terminal import show
from release.change import Control
from release.core.names import STABLE, parse_channel
from release.smoke import SmokeRun, run_smoke_test, runs_of

app = typer.Typer(
    help="Tests that a candidate must pass before it leaves staging.", no_args_is_help=True, add_completion=False
)


@app.command(epilog=example("headrace smoke run posthog-js"))
def run(
    product: ProductName,
    test: Annotated[
        list[str] | None,
        typer.Option("--test", help="One of the plan's tests, by name; may be repeated. Else all."),
    ] = None,
    channel: ChannelName = STABLE,
    actor: Actor = None,
    idempotency_key: IdempotencyKey = None,
    data: Data = DEFAULT_DATA,
    database: Database = None,
    as_json: AsJson = False,
) -> None:
    """Run the smoke tests of a channel's live rollout, and keep what comes of them (exit code 1: one failed)."""
    parsed = parse_product(product), parse_channel(channel)
    names, who = test or (), actor_or_login(actor)

    async def run_all(control: Control) -> list[OutcomeView]:
        runs = await runs_of(control, *parsed, names)
        return await _run_together(control, runs, who, idempotency_key)

    views = with_control(data, database, run_all)
    show(views, as_json, lambda console: draw_outcomes(console, views))
    if not all(view.passed for view in views):
        raise typer.Exit(1)


@app.command("show", epilog=example("headrace smoke show posthog-js 1.4.2 --json"))
def show_(
    product: ProductName,
    version: Annotated[
        str | None, typer.Argument(metavar="[VERSION]", help="A candidate. Else the live rollout's.")
    ] = None,
    channel: ChannelName = STABLE,
    data: Data = DEFAULT_DATA,
    database: Database = None,
    as_json: AsJson = False,
) -> None:
    """Show every outcome of a candidate's smoke tests, oldest first, with the tests' output."""
    asked = ListOutcomes(product=product, channel=channel, candidate=version)
    views = send_all(asked, Asking(data, database))
    show(views, as_json, lambda console: _draw(console, views))


def _draw(console: Console, views: list[OutcomeView]) -> None:
    if not views:
        console.print("no smoke test has run")
    draw_outcomes(console, views)


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

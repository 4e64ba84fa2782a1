"""`headrace smoke …`."""

from typing import TYPE_CHECKING, Annotated

import typer

from headrace.asking import Asking, send_all
from headrace.options import (
    DEFAULT_CHANNEL,
    DEFAULT_DATA,
    Actor,
    AsJson,
    ChannelName,
    Data,
    Database,
    IdempotencyKey,
    ProductName,
    example,
)
from headrace.terminal import show

if TYPE_CHECKING:
    from rich.console import Console

    from api.views.smoke import OutcomeView

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
    channel: ChannelName = DEFAULT_CHANNEL,
    actor: Actor = None,
    idempotency_key: IdempotencyKey = None,
    data: Data = DEFAULT_DATA,
    database: Database = None,
    as_json: AsJson = False,
) -> None:
    """Run the smoke tests of a channel's live rollout, and keep what comes of them (exit code 1: one failed)."""
    from headrace.smoke_run import run_tests
    from headrace.smoke_text import draw_outcomes

    views = run_tests(data, database, product, channel, test or (), actor, idempotency_key)
    show(views, as_json, lambda console: draw_outcomes(console, views))
    if not all(view.passed for view in views):
        raise typer.Exit(1)


@app.command("show", epilog=example("headrace smoke show posthog-js 1.4.2 --json"))
def show_(
    product: ProductName,
    version: Annotated[
        str | None, typer.Argument(metavar="[VERSION]", help="A candidate. Else the live rollout's.")
    ] = None,
    channel: ChannelName = DEFAULT_CHANNEL,
    data: Data = DEFAULT_DATA,
    database: Database = None,
    as_json: AsJson = False,
) -> None:
    """Show every outcome of a candidate's smoke tests, oldest first, with the tests' output."""
    from api.operations.smoke import ListOutcomes

    asked = ListOutcomes(product=product, channel=channel, candidate=version)
    views = send_all(asked, Asking(data, database))
    show(views, as_json, lambda console: _draw(console, views))


def _draw(console: "Console", views: "list[OutcomeView]") -> None:
    from headrace.smoke_text import draw_outcomes

    if not views:
        console.print("no smoke test has run")
    draw_outcomes(console, views)

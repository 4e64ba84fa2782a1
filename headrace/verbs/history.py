"""`headrace history`."""

from typing import Annotated

import anyio
import msgspec
import typer
from rich.console import Console

from api.views.change import ChangeView, view_change
from bundles.core.names import parse_product
from headrace import wiring
from headrace.change_text import cells_of
from headrace.options import DEFAULT_DATA, AsJson, Data, Database, ProductName, example
from headrace.tables import print_table
from headrace.terminal import show
from release.core.audit import Entry
from release.core.names import parse_channel
from release.trail import read_history

app = typer.Typer(add_completion=False)


class HistoryView(ChangeView, frozen=True, kw_only=True):
    """A change with what it found and left, by place; null where that was not kept."""

    before: object
    after: object


@app.command(epilog=example("headrace history posthog-js stable --limit 5"))
def history(
    product: ProductName,
    channel: Annotated[
        str | None, typer.Argument(metavar="[CHANNEL]", help="Only what changed this channel.")
    ] = None,
    limit: Annotated[int, typer.Option("--limit", min=1, max=10_000, help="So many of the newest changes.")] = 20,
    data: Data = DEFAULT_DATA,
    database: Database = None,
    as_json: AsJson = False,
) -> None:
    """List a product's changes, the newest last: who made them, when and why."""
    name, wanted = parse_product(product), None if channel is None else parse_channel(channel)

    async def run() -> list[Entry]:
        async with wiring.ledger(data, database) as ledger:
            return await read_history(ledger, name, wanted, limit)

    views = [_view(entry) for entry in anyio.run(run)]
    show(views, as_json, lambda console: _draw(console, views))


def _view(entry: Entry) -> HistoryView:
    change = msgspec.structs.asdict(view_change(entry))
    return HistoryView(**change, before=entry.before, after=entry.after)


def _draw(console: Console, views: list[HistoryView]) -> None:
    if views:
        rows = [cells_of(view, f"{view.verb} {view.subject}") for view in views]
        print_table(console, ("revision", "at", "who", "what", "why"), rows)
    else:
        console.print("no changes")

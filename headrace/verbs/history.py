"""`headrace history`."""

from contextlib import aclosing
from typing import TYPE_CHECKING, Annotated

import typer

from headrace.asking import Asking, sending
from headrace.options import DEFAULT_DATA, AsJson, Data, Database, ProductName, example
from headrace.terminal import show

if TYPE_CHECKING:
    from rich.console import Console

    from api.views.change import HistoryView

app = typer.Typer(add_completion=False)


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
    import anyio

    views = anyio.run(_newest, product, channel, limit, Asking(data, database))[::-1]
    show(views, as_json, lambda console: _draw(console, views))


async def _newest(product: str, channel: str | None, limit: int, asking: Asking) -> "list[HistoryView]":
    from api.core.fields import MOST_ITEMS
    from api.core.page import items_of
    from api.operations.changes import ListChanges

    found: list[HistoryView] = []
    asked = ListChanges(product=product, channel=channel, limit=min(limit, MOST_ITEMS))
    async with sending(ListChanges, asking) as ask, aclosing(items_of(ask, asked)) as views:
        async for view in views:
            found.append(view)
            if len(found) == limit:
                break
    return found


def _draw(console: "Console", views: "list[HistoryView]") -> None:
    from headrace.change_text import cells_of
    from headrace.tables import print_table

    rows = [cells_of(view, f"{view.verb} {view.subject}") for view in views]
    print_table(console, ("revision", "at", "who", "what", "why"), rows, none="no changes")

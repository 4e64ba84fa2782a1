"""`headrace block …`."""

from typing import TYPE_CHECKING

import typer

from headrace.asking import Asking, send, send_all
from headrace.options import (
    DEFAULT_DATA,
    Actor,
    AsJson,
    Data,
    Database,
    ExpectRevision,
    IdempotencyKey,
    ProductName,
    Reason,
    VersionText,
    example,
)
from headrace.terminal import show

if TYPE_CHECKING:
    from rich.console import Console

    from api.views.block import BlockedView, BlockView

app = typer.Typer(help="Keep a build from everyone, pinned or not.", no_args_is_help=True, add_completion=False)


@app.command("set", epilog=example('headrace block set posthog-js 1.4.2 --reason "leaks tokens"'))
def set_(
    product: ProductName,
    version: VersionText,
    reason: Reason = "",
    actor: Actor = None,
    expect_revision: ExpectRevision = None,
    idempotency_key: IdempotencyKey = None,
    data: Data = DEFAULT_DATA,
    database: Database = None,
    as_json: AsJson = False,
) -> None:
    """Block a build: at once, nobody gets it, and its exact URLs answer 410."""
    from api.operations.blocks import SetBlock

    view = send(
        SetBlock(product=product, version=version, reason=reason),
        Asking(data, database, actor, expect_revision, idempotency_key),
    )
    show(view, as_json, lambda console: _draw_blocked(console, view))


@app.command("list", epilog=example("headrace block list posthog-js"))
def list_(
    product: ProductName, data: Data = DEFAULT_DATA, database: Database = None, as_json: AsJson = False
) -> None:
    """List a product's blocked builds."""
    from api.operations.blocks import ListBlocks

    views = send_all(ListBlocks(product=product), Asking(data, database))
    show(views, as_json, lambda console: _draw(console, views))


@app.command("clear", epilog=example("headrace block clear posthog-js 1.4.2"))
def clear(
    product: ProductName,
    version: VersionText,
    reason: Reason = "",
    actor: Actor = None,
    expect_revision: ExpectRevision = None,
    idempotency_key: IdempotencyKey = None,
    data: Data = DEFAULT_DATA,
    database: Database = None,
    as_json: AsJson = False,
) -> None:
    """Take a block away."""
    from api.operations.blocks import ClearBlock

    view = send(
        ClearBlock(product=product, version=version, reason=reason),
        Asking(data, database, actor, expect_revision, idempotency_key),
    )
    show(view, as_json, lambda console: console.print(f"{product}@{version} is not blocked any more"))


def _draw_blocked(console: "Console", view: "BlockedView") -> None:
    state = "is blocked" if view.in_force else "is not blocked any more"
    console.print(f"{view.product}@{view.version} {state}{', by this request before' if view.repeated else ''}")
    for move in view.affected:
        console.print(f"{move.tenant} ({move.environment}) gets {move.after or 'nothing'} instead")


def _draw(console: "Console", views: "list[BlockView]") -> None:
    for view in views:
        console.print(f"{view.version}  by {view.author}  {view.reason}")
    if not views:
        console.print("no blocks")

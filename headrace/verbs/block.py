"""`headrace block …`."""

import msgspec
import typer
from rich.console import Console

from bundles.core.names import parse_product
from bundles.core.version import parse_version
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
    actor_or_login,
    example,
)
from headrace.terminal import show
from headrace.verbs.changes import with_control
from release.blocks import Affected, clear_block, list_blocks, set_block
from release.change import Author, Control
from release.core.moves import Move

app = typer.Typer(help="Keep a build from everyone, pinned or not.", no_args_is_help=True, add_completion=False)


class BlockView(msgspec.Struct, frozen=True):
    """A blocked build as its users see it."""

    product: str
    version: str
    author: str
    reason: str


class Blocked(BlockView, frozen=True):
    """A build that was just blocked, and the tenants that had it: those that pins and canaries name.

    Of a request that is `repeated`, those whom the block keeps from it now; it may not be `in_force` any more.
    """

    affected: list[Move]
    repeated: bool
    in_force: bool


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
    name, build = parse_product(product), parse_version(version)
    author = Author(actor_or_login(actor), reason, expect_revision, key=idempotency_key)

    async def change(control: Control) -> Affected:
        return await set_block(control, name, build, author)

    made = with_control(data, database, change)
    view = Blocked(name, build, author.actor, reason, made.moves, made.repeated, made.in_force)
    show(view, as_json, lambda console: _draw_blocked(console, view))


@app.command("list", epilog=example("headrace block list posthog-js"))
def list_(
    product: ProductName, data: Data = DEFAULT_DATA, database: Database = None, as_json: AsJson = False
) -> None:
    """List a product's blocked builds."""
    name = parse_product(product)

    async def look(control: Control) -> list[BlockView]:
        blocks = await list_blocks(control, name)
        return [BlockView(name, version, block.author, block.reason) for version, block in blocks.items()]

    views = with_control(data, database, look)
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
    name, build = parse_product(product), parse_version(version)
    author = Author(actor_or_login(actor), reason, expect_revision, key=idempotency_key)

    async def change(control: Control) -> None:
        await clear_block(control, name, build, author)

    with_control(data, database, change)
    view = BlockView(name, build, author.actor, reason)
    show(view, as_json, lambda console: console.print(f"{product}@{version} is not blocked any more"))


def _draw_blocked(console: Console, view: Blocked) -> None:
    state = "is blocked" if view.in_force else "is not blocked any more"
    console.print(f"{view.product}@{view.version} {state}{', by this request before' if view.repeated else ''}")
    for move in view.affected:
        console.print(f"{move.tenant} ({move.environment}) gets {move.after or 'nothing'} instead")


def _draw(console: Console, views: list[BlockView]) -> None:
    for view in views:
        console.print(f"{view.version}  by {view.author}  {view.reason}")
    if not views:
        console.print("no blocks")

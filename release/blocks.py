"""Blocks: a build that nobody may get, pinned or not."""

from collections.abc import Mapping

import anyio.to_thread
import msgspec

from bundles.core.errors import NotFound
from bundles.core.names import Product
from bundles.core.version import Version
from release.change import Author, Begin, Control, Subject
from release.core.askers import known_to
from release.core.moves import Move, moves
from release.core.names import STABLE
from release.core.routing import Block, RoutingTable


class Affected(msgspec.Struct, frozen=True):
    """Those who had a build when it was blocked, of the tenants that the routes name, with what each gets instead.

    Where the request is `repeated`, it is whom the block keeps from the build now; nobody if it is not `in_force`
    any more.
    """

    moves: list[Move]
    repeated: bool = False
    in_force: bool = True


async def set_block(control: Control, product: Product, version: Version, author: Author) -> Affected:
    """Block a published build, at once and everywhere. Raises `Invalid` for an unknown build."""
    subject = Subject("block-set", product, version)
    block = Block(author=author.actor, reason=author.reason)

    async def act(begin: Begin) -> Affected:
        await control.require_build(product, version)
        async with begin() as transaction:
            before = await transaction.table()
            await transaction.save_block(product, version, block)
            after = await transaction.table()
        return Affected(await _moves(before, after, product, control.clock.now()))

    made = await control.once(subject, author, act, lambda _: None)
    return await _affected_now(control, product, version) if made is None else made


async def clear_block(control: Control, product: Product, version: Version, author: Author) -> None:
    """Take a block away. Raises `Invalid` where there is none."""
    subject = Subject("block-clear", product, version)

    async def act(begin: Begin) -> None:
        async with begin() as transaction:
            if version not in await transaction.blocks(product):
                raise NotFound(f"{product}@{version} is not blocked")
            await transaction.save_block(product, version, None)

    await control.once(subject, author, act, lambda _: None)


async def _affected_now(control: Control, product: Product, version: Version) -> Affected:
    table = await control.ledger.table()
    routes = table.routes(product)
    others = {blocked: block for blocked, block in routes.blocks.items() if blocked != version}
    products = {**table.products, product: msgspec.structs.replace(routes, blocks=others)}
    unblocked = msgspec.structs.replace(table, products=products)
    moved = await _moves(unblocked, table, product, control.clock.now())
    return Affected(moved, repeated=True, in_force=version in routes.blocks)


async def _moves(before: RoutingTable, after: RoutingTable, product: Product, now: int) -> list[Move]:
    def compare() -> list[Move]:
        return moves(before, after, product, STABLE, known_to(before, product).after(None, ()), now)

    return await anyio.to_thread.run_sync(compare)  # of a million tenants it takes seconds


async def list_blocks(
    control: Control, product: Product, *, after: str = "", limit: int | None = None
) -> Mapping[Version, Block]:
    """The product's blocked builds, or so many that come after one. Raises `Invalid` for an unknown product."""
    async with control.ledger.reading() as reading:
        blocks = await reading.blocks(product, after=after, limit=limit)
    if not blocks and not after and not await control.builds.versions(product):
        raise await control.unknown_product(product)
    return blocks

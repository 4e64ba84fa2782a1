"""Blocks: a build that nobody may get, pinned or not."""

from collections.abc import Mapping

from bundles.core.errors import Invalid
from bundles.core.names import Product
from bundles.core.version import Version
from release.change import Author, Begin, Control, Subject
from release.core.moves import Move, known_askers, moves
from release.core.names import STABLE
from release.core.routing import Block


async def set_block(control: Control, product: Product, version: Version, author: Author) -> list[Move]:
    """Block a published build, at once and everywhere. Raises `Invalid` for an unknown build.

    Returns the tenants that had it, of those that the routes name, each with what it gets instead; none where the
    request was made before, since then nobody is moved.
    """
    subject = Subject("block-set", product, version)
    block = Block(author=author.actor, reason=author.reason)

    async def act(begin: Begin) -> list[Move]:
        await control.require_build(product, version)
        async with begin() as transaction:
            before = await transaction.table()
            await transaction.save_block(product, version, block)
            after = await transaction.table()
        askers = known_askers(before, product, ())
        return moves(before, after, product, STABLE, askers, control.clock.now())

    return await control.once(subject, author, act, lambda _: [])


async def clear_block(control: Control, product: Product, version: Version, author: Author) -> None:
    """Take a block away. Raises `Invalid` where there is none."""
    subject = Subject("block-clear", product, version)

    async def act(begin: Begin) -> None:
        async with begin() as transaction:
            if version not in await transaction.blocks(product):
                raise Invalid(f"{product}@{version} is not blocked")
            await transaction.save_block(product, version, None)

    await control.once(subject, author, act, lambda _: None)


async def list_blocks(control: Control, product: Product) -> Mapping[Version, Block]:
    """The product's blocked builds. Raises `Invalid` for an unknown product."""
    async with control.ledger.transaction() as transaction:
        blocks = await transaction.blocks(product)
    if not blocks and not await control.builds.versions(product):
        raise await control.unknown_product(product)
    return blocks

"""Blocks as their users see them."""

from typing import TYPE_CHECKING

import msgspec

from bundles.core.names import Product
from bundles.core.version import Version
from release.core.moves import Move
from release.core.routing import Block

if TYPE_CHECKING:
    from release.blocks import Affected


class BlockView(msgspec.Struct, frozen=True):
    """A blocked build: who blocked it, and why."""

    product: str
    version: str
    author: str
    reason: str


class BlockedView(BlockView, frozen=True):
    """A build that was just blocked, and the tenants that had it: those that pins and canaries name.

    Of a request that is `repeated`, those whom the block keeps from it now; it may not be `in_force` any more.
    """

    affected: list[Move]
    repeated: bool
    in_force: bool


def view_block(product: Product, version: Version, block: Block) -> BlockView:
    """The block for its users."""
    return BlockView(product, version, block.author, block.reason)


def view_blocked(product: Product, version: Version, block: Block, made: "Affected") -> BlockedView:
    """The block and whom it moves."""
    return BlockedView(product, version, block.author, block.reason, made.moves, made.repeated, made.in_force)

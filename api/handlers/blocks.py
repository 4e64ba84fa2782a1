"""Blocks."""

from api.core.page import Page, first_page, open_cursor
from api.operations.blocks import ClearBlock, ListBlocks, SetBlock
from api.perform import Call, handles
from api.views.block import BlockedView, BlockView, view_block, view_blocked
from bundles.core.names import parse_product
from bundles.core.version import parse_version
from release.blocks import clear_block, list_blocks, set_block
from release.core.routing import Block


@handles(SetBlock)
async def set_(call: Call, asked: SetBlock) -> BlockedView:
    """The block, and the tenants that had the build."""
    product, version, author = parse_product(asked.product), parse_version(asked.version), call.author(asked)
    made = await set_block(call.control, product, version, author)
    return view_blocked(product, version, Block(author.actor, author.reason), made)


@handles(ClearBlock)
async def clear(call: Call, asked: ClearBlock) -> BlockView:
    """Who has taken it away, and why."""
    product, version, author = parse_product(asked.product), parse_version(asked.version), call.author(asked)
    await clear_block(call.control, product, version, author)
    return view_block(product, version, Block(author.actor, author.reason))


@handles(ListBlocks)
async def list_(call: Call, asked: ListBlocks) -> Page[BlockView]:
    """A page of the product's blocked builds."""
    product, after = parse_product(asked.product), open_cursor(asked.cursor, parse_version) or ""
    blocks = await list_blocks(call.control, product, after=after, limit=asked.limit + 1)
    page = first_page(list(blocks.items()), lambda item: item[0], asked.limit)
    return page.each(lambda item: view_block(product, *item))

"""Blocks: a build that nobody may get, pinned or not."""

from api.core.access import READERS, RELEASERS, UNDOERS
from api.core.fields import CursorField, LimitField, ProductField, VersionField
from api.core.operation import Change, Method, Operation, route
from api.core.page import Page
from api.views.block import BlockedView, BlockView

_BLOCKS = "/products/{product}/blocks"
_BLOCK = f"{_BLOCKS}/{{version}}"


@route(Method.PUT, _BLOCK, UNDOERS)
class SetBlock(Change[BlockedView], frozen=True, kw_only=True):
    """Block a build: at once, nobody gets it, and its exact URLs answer 410."""

    product: ProductField
    version: VersionField


@route(Method.DELETE, _BLOCK, RELEASERS)
class ClearBlock(Change[BlockView], frozen=True, kw_only=True):
    """Take a block away; the answer says who did so, and why."""

    product: ProductField
    version: VersionField


@route(Method.GET, _BLOCKS, READERS)
class ListBlocks(Operation[Page[BlockView]], frozen=True, kw_only=True):
    """A product's blocked builds."""

    product: ProductField
    cursor: CursorField = ""
    limit: LimitField = 100

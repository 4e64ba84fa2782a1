"""Those who ask, and what they were refused."""

import msgspec

from api.core.page import Page, open_cursor, seal_cursor
from api.core.refusal import Refusal
from api.operations.callers import ListRefusals, WhoAmI
from api.perform import Call, handles
from api.views.caller import CallerView, view_caller
from api.views.refusal import RefusalView, view_refusals
from bundles.core.errors import Invalid
from release.core.codec import decode_document, encode_document


@handles(WhoAmI)
async def who_am_i(call: Call, _: WhoAmI) -> CallerView:
    """The caller."""
    return view_caller(call.caller)


@handles(ListRefusals)
async def list_refusals(call: Call, asked: ListRefusals) -> Page[RefusalView]:
    """The refusals after the cursor's, read page by page: they are too many to read them all."""
    found = await call.plane.access.refusals.newest(asked.limit + 1, _opened(asked.cursor))
    shown = found[: asked.limit]
    more = len(found) > len(shown)
    cursor = seal_cursor(encode_document(shown[-1].refusal).decode()) if more else None
    return Page(tuple(view_refusals(each) for each in shown), cursor)


def _opened(cursor: str) -> Refusal | None:
    text = open_cursor(cursor)
    try:
        return decode_document(text, Refusal) if text else None
    except msgspec.MsgspecError:
        raise Invalid("that cursor is of no page: take it from `next` of the page before") from None

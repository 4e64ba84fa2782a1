"""Those who ask, and what they were refused."""

from api.core.page import Page, first_page, open_cursor
from api.core.refusal import Refusal
from api.operations.callers import ListRefusals, WhoAmI
from api.perform import Call, handles
from api.views.caller import CallerView, view_caller
from api.views.refusal import RefusalView, view_refusals
from release.core.codec import decode_document, encode_document

_LAST_MINUTE = 2**53


@handles(WhoAmI)
async def who_am_i(call: Call, _: WhoAmI) -> CallerView:
    """The caller."""
    return view_caller(call.caller)


@handles(ListRefusals)
async def list_refusals(call: Call, asked: ListRefusals) -> Page[RefusalView]:
    """The refusals after the cursor's, read page by page: they are too many to read them all."""
    call.caller.require_all_products("the list of refusals")
    before = open_cursor(asked.cursor, _refusal)
    found = await call.plane.access.refusals.newest(asked.limit + 1, before)
    return first_page(found, lambda each: encode_document(each.refusal).decode(), asked.limit).each(view_refusals)


def _refusal(key: str) -> Refusal:
    """The refusal in a cursor. Raises `ValueError` for what no database takes."""
    refusal = decode_document(key, Refusal)
    texts = (refusal.caller, refusal.address, refusal.operation, refusal.why)
    if not 0 <= refusal.minute < _LAST_MINUTE or not "".join(texts).isprintable():
        raise ValueError(key)
    return refusal

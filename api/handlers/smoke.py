"""Smoke tests."""

from api.core.page import Page, page_of
from api.operations.smoke import ListOutcomes
from api.perform import Call, handles
from api.views.smoke import OutcomeView, view_outcome
from bundles.core.names import parse_product
from bundles.core.version import parse_version
from release.core.names import parse_channel
from release.smoke import list_outcomes


@handles(ListOutcomes)
async def list_(call: Call, asked: ListOutcomes) -> Page[OutcomeView]:
    """A page of what came of a candidate's tests."""
    product, channel = parse_product(asked.product), parse_channel(asked.channel)
    candidate = None if asked.candidate is None else parse_version(asked.candidate)
    outcomes = await list_outcomes(call.control, product, channel, candidate)
    # Outcomes are only added, at the end: their place is their key.
    page = page_of(list(enumerate(outcomes)), lambda item: f"{item[0]:09}", asked.cursor, asked.limit)
    return page.each(lambda item: view_outcome(item[1]))

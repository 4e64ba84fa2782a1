"""Smoke tests: what came of those that candidates must pass before they leave staging."""

from typing import Annotated

from msgspec import Meta

from api.core.access import READERS
from api.core.fields import ChannelField, CursorField, ProductField, VersionField
from api.core.operation import Method, Operation, route
from api.core.page import Page
from api.views.smoke import OutcomeView

_Limit = Annotated[int, Meta(ge=1, le=100, description="The most items of a page; each has a test's output")]


@route(Method.GET, "/products/{product}/channels/{channel}/rollout/smoke", READERS)
class ListOutcomes(Operation[Page[OutcomeView]], frozen=True, kw_only=True):
    """Every outcome of a candidate's smoke tests, oldest first, with the tests' output.

    Without a candidate, those of the live rollout's.
    """

    product: ProductField
    channel: ChannelField
    candidate: VersionField | None = None
    cursor: CursorField = ""
    limit: _Limit = 100

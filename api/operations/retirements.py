"""Retirements: make builds that nobody needs stop existing."""

from typing import Annotated

from msgspec import Meta

from api.core.access import ADMINS, PATTERN
from api.core.fields import DurationField, VersionField
from api.core.operation import Change, Method, route
from api.views.retirement import RetirementView
from bundles.core.limits import DEFAULT_KEEP, MAX_KEEP

_Products = Annotated[
    str, Meta(pattern=f"^{PATTERN}$", description="A product, or a pattern of them", examples=["@acme/*"])
]

_Keep = Annotated[int, Meta(ge=1, le=MAX_KEEP, description="So many newest stay, and so many to roll back to")]


@route(Method.POST, "/retirements", ADMINS)
class RetireBuilds(Change[RetirementView], frozen=True, kw_only=True):
    """Retire old builds that nobody needs, and remove blobs that no build needs; without `apply`, only say which.

    With `versions`, these builds of the one product, whatever their age. It reads every build that stays, and so
    takes the longer the more there are. A server ends it after 20 seconds: `is_done` is false then, and the next
    request goes on; where not even the reading was done, it is refused and has changed nothing. It makes a
    change for each product, and expects no revision.
    """

    products: _Products = "*"
    versions: Annotated[tuple[VersionField, ...], Meta(max_length=1_000)] = ()
    keep: _Keep = DEFAULT_KEEP
    older_than: DurationField = "90d"
    apply: bool = False

"""A retirement as its users see it."""

from typing import TYPE_CHECKING

import msgspec

from api.times import format_time
from bundles.core.retention import Verdict

if TYPE_CHECKING:
    from release.retire import Retirement


class VerdictView(msgspec.Struct, frozen=True):
    """A build's verdict; `published_at` is RFC 3339 in UTC."""

    product: str
    version: str
    published_at: str
    verdict: Verdict
    reason: str


class RetirementView(msgspec.Struct, frozen=True):
    """What was done, or with `applied` false what would be: each build's verdict, and the blobs that go.

    `retired_already` are builds that were named, as product@version, or retired by the same request, and had gone
    before. Where the time that a request may take was over, `is_done` is false, and so many builds are `left`
    to retire: ask again for the rest.
    """

    applied: bool
    builds: tuple[VerdictView, ...]
    retired_already: tuple[str, ...]
    removed_blobs: int
    removed_bytes: int
    left: int
    is_done: bool


def view_retirement(retirement: "Retirement", *, applied: bool) -> RetirementView:
    """The retirement for its users."""
    builds = tuple(
        VerdictView(
            product=decided.product,
            version=decision.version,
            published_at=format_time(decision.published_at),
            verdict=decision.verdict,
            reason=decision.reason,
        )
        for decided in retirement.products
        for decision in decided.decisions
    )
    already = tuple(f"{each.product}@{version}" for each in retirement.products for version in each.already)
    garbage = retirement.garbage
    return RetirementView(
        applied, builds, already, garbage.blobs, garbage.size, retirement.left, is_done=garbage.is_whole
    )

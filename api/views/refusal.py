"""Refusals as an admin sees them."""

import msgspec

from api.core.refusal import Refusals
from api.times import format_time


class RefusalView(msgspec.Struct, frozen=True, kw_only=True):
    """What was refused alike within the minute that begins `at`, RFC 3339 in UTC, and how often.

    `caller` is "" where nobody was known, `operation` where the request named none. The address `others` stands
    for those of which there were too many to tell them apart.
    """

    at: str
    caller: str
    address: str
    operation: str
    why: str
    count: int


def view_refusals(refusals: Refusals) -> RefusalView:
    """The refusals for an admin."""
    refusal = refusals.refusal
    return RefusalView(
        at=format_time(refusal.minute * 60),
        caller=refusal.caller,
        address=refusal.address,
        operation=refusal.operation,
        why=refusal.why,
        count=refusals.count,
    )

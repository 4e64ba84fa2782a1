"""A change as its users see it."""

import msgspec

from api.times import format_time
from release.core.audit import Entry


class ChangeView(msgspec.Struct, frozen=True, kw_only=True):
    """A change: who made it, when and why; `at` is RFC 3339 in UTC."""

    revision: int
    at: str
    actor: str
    verb: str
    product: str
    subject: str
    reason: str


def view_change(entry: Entry) -> ChangeView:
    """The change for its users."""
    return ChangeView(
        revision=entry.revision,
        at=format_time(entry.at),
        actor=entry.actor,
        verb=entry.verb,
        product=entry.product,
        subject=entry.subject,
        reason=entry.reason,
    )

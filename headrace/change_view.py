"""A change as its users see it: in JSON, and as the cells of a line of text."""

import msgspec

from api.times import format_time
from headrace.terminal import plain
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


def cells_of(view: ChangeView, what: str) -> list[str]:
    """Revision, time, who, what and why."""
    return [str(view.revision), view.at, *(plain(text) for text in (view.actor, what, view.reason))]

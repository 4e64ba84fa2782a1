"""What of a backup gives rights, and what the audit trail has of those that were withheld."""

from api.core.access import Grant
from api.people import PEOPLE
from api.publishers import PUBLISHERS
from api.tokens import TOKENS
from release.adapters.system_clock import SystemClock
from release.backup import Right
from release.change import Author
from release.core.audit import Change
from release.policies import EVERY_PRODUCT

RIGHTS = (
    Right(TOKENS, lambda _, now: now),  # which may have been given an earlier end, and nothing else
    Right(PEOPLE, Grant.least),
    Right(PUBLISHERS, lambda before, now: before if before == now else None),  # who is believed can't be compared
)


def withheld_by(author: Author) -> Change:
    """The row of the rights that this author's restore has withheld."""
    return Change(
        at=SystemClock().now(),
        actor=author.actor,
        verb="restore",
        product=EVERY_PRODUCT,
        subject="rights",
        reason=author.reason,
    )

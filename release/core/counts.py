"""What the SDK's installations have come to: how many there were, and how many of them failed in which way."""

from typing import NewType

import msgspec

from bundles.core.errors import Invalid

SLOT_SECONDS = 10
"""How finely recent counts are kept: what became of a change is seen after so many seconds."""

Slot = NewType("Slot", int)
"""A stretch of `SLOT_SECONDS`, counted from the Unix epoch."""


class Counts(msgspec.Struct, frozen=True):
    """Units, and those that failed: each has one outcome. A unit is one page's installation of the SDK."""

    units: int = 0
    errored: int = 0
    render_dropped: int = 0
    integrity_failed: int = 0

    def __post_init__(self) -> None:
        failed = (self.errored, self.render_dropped, self.integrity_failed)
        if min(failed) < 0 or sum(failed) > self.units:
            raise Invalid(f"of {self.units} units {failed} can't have failed")

    def plus(self, more: "Counts") -> "Counts":
        """Both together."""
        return Counts(
            self.units + more.units,
            self.errored + more.errored,
            self.render_dropped + more.render_dropped,
            self.integrity_failed + more.integrity_failed,
        )


def slot_of(seconds: float) -> Slot:
    """The slot that a time is in, in seconds since the epoch."""
    return Slot(int(seconds // SLOT_SECONDS))

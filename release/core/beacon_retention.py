"""How long what SDKs have reported is kept."""

import msgspec

from bundles.core.errors import Invalid
from release.core.plan import parse_duration
from release.core.written import Text

SLOTS_KEPT_SECONDS = 2 * 3600
"""How long counts are kept by the slot: longer than any gate is late in its look at them."""


class BeaconRetention(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """How long counts by the minute and by the hour are kept, and groups of errors since they were last seen."""

    minutes: Text = "3d"
    hours: Text = "90d"
    errors: Text = "30d"

    def __post_init__(self) -> None:
        if self.minutes_seconds < SLOTS_KEPT_SECONDS:
            raise Invalid(f"counts by the minute are kept for 2h at least, not for {self.minutes}")
        if self.hours_seconds < self.minutes_seconds:
            raise Invalid(
                f"counts by the hour are kept for {self.hours}: not shorter than by the minute, {self.minutes}"
            )
        _ = self.errors_seconds

    @property
    def minutes_seconds(self) -> int:
        """How long counts by the minute are kept."""
        return parse_duration(self.minutes)

    @property
    def hours_seconds(self) -> int:
        """How long counts by the hour are kept."""
        return parse_duration(self.hours)

    @property
    def errors_seconds(self) -> int:
        """How long groups of errors are kept."""
        return parse_duration(self.errors)

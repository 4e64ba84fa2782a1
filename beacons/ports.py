"""What the collection of beacons needs from outside: a place for counts, and a clock."""

from collections.abc import Sequence
from typing import Protocol

from beacons.core.beacon import Beacon
from release.core.counts import Slot


class Counting(Protocol):
    """Where beacons are counted, durably. Failing surroundings raise `Failed`."""

    async def add(self, beacons: Sequence[Beacon], slot: Slot) -> int:
        """Count these beacons in a slot, all or none of them; how many were new.

        Of an installation the first beacon counts, whoever received it, within the last quarter of an hour.
        """
        ...


class Clock(Protocol):
    """What time it is."""

    def now(self) -> int:
        """Whole seconds since the Unix epoch."""
        ...

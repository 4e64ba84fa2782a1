"""Takes a body of beacons: parsed, within the limits, not seen before, and put where the writer takes it from."""

from enum import StrEnum

from beacons import metrics
from beacons.admission import Admission
from beacons.core.limits import Limits
from beacons.core.parse import parse_beacons
from beacons.ports import Clock
from beacons.recent import Recent
from beacons.writer import Writer
from release.core.counts import slot_of


class Taken(StrEnum):
    """What became of a body: of all its beacons."""

    ACCEPTED = "accepted"
    OVER_LIMIT = "over-limit"
    NO_ROOM = "no-room"


class Collector:
    """One process's collection of beacons."""

    def __init__(self, writer: Writer, clock: Clock, limits: Limits) -> None:
        self._writer = writer
        self._clock = clock
        self._admission = Admission(limits)
        self._recent = Recent()

    async def take(self, body: bytes) -> Taken:
        """Take all of the body's beacons, or none of them. Raises `Invalid` where it is not of the right form."""
        beacons = parse_beacons(body)
        metrics.received.inc(len(beacons))
        if self._writer.room < len(beacons):
            metrics.dropped.labels("room").inc(len(beacons))
            return Taken.NO_ROOM
        slot = slot_of(self._clock.now())
        excess = self._admission.admit(beacons, slot)
        if excess is not None:
            metrics.dropped.labels(excess).inc(len(beacons))
            return Taken.OVER_LIMIT
        unseen = self._recent.unseen(beacons, slot)
        metrics.repeated.inc(len(beacons) - len(unseen))
        self._writer.put(self._admission.bounded(unseen))
        return Taken.ACCEPTED

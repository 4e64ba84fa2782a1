"""Takes beacons where nothing can wait: what is taken is counted in the database before it is answered."""

from collections.abc import Iterable, Sequence
from typing import NamedTuple

import structlog

from beacons.admission import Admission
from beacons.collect import Taken
from beacons.core.beacon import Beacon
from beacons.core.limits import REMEMBERED_SECONDS, Limits
from beacons.core.parse import parse_beacons
from beacons.ports import Clock, Counting
from bundles.core.errors import Failed, Invalid
from release.core.counts import Slot, slot_of

_log = structlog.get_logger()


class Queued(NamedTuple):
    """A body of beacons from a queue, which gives it again unless it is done with. The time is of the epoch."""

    name: str
    body: bytes
    sent_at: float


class DirectCollector:
    """One process's collection. That an installation was heard from before is the database's to know: what is told
    here may not have been counted.
    """

    def __init__(self, counting: Counting, clock: Clock, limits: Limits) -> None:
        self._counting = counting
        self._clock = clock
        self._admission = Admission(limits)

    async def take(self, body: bytes) -> Taken:
        """Count all of the body's beacons, or none of them. Raises `Invalid` where it is not of the right form."""
        beacons = parse_beacons(body)
        slot = self._slot()
        if self._admission.admit(beacons, slot) is not None:
            return Taken.OVER_LIMIT
        return Taken.ACCEPTED if await self._count(beacons, slot) else Taken.NO_ROOM

    async def take_queued(self, bodies: Iterable[Queued]) -> Sequence[str]:
        """Count the beacons of all these bodies in one transaction; the names of those to be given again.

        That is all of them or none. What can never be counted is dropped: what is not of the right form or over a
        limit, and what is so old that an earlier delivery of it, if it was counted, may be forgotten.
        """
        slot = self._slot()
        kept: list[str] = []
        beacons: list[Beacon] = []
        for queued in bodies:
            found = self._admitted(queued, slot)
            if found:
                kept.append(queued.name)
                beacons += found
        return [] if await self._count(beacons, slot) else kept

    def _slot(self) -> Slot:
        return slot_of(self._clock.now())

    def _admitted(self, queued: Queued, slot: Slot) -> Sequence[Beacon]:
        """Its beacons, or none where it is to be dropped. What was wrong with a body may hold a part of it."""
        if queued.sent_at < self._clock.now() - REMEMBERED_SECONDS:
            return _dropped(queued, "too old")
        try:
            beacons = parse_beacons(queued.body)
        except Invalid:
            return _dropped(queued, "not as beacons are")
        excess = self._admission.admit(beacons, slot)
        return beacons if excess is None else _dropped(queued, f"over the limit: {excess}")

    async def _count(self, beacons: Sequence[Beacon], slot: Slot) -> bool:
        """Whether the database took them."""
        try:
            await self._counting.add(self._admission.bounded(beacons), slot)
        except Failed as error:
            _log.error("beacons not counted", count=len(beacons), why=str(error))
            return False
        return True


def _dropped(queued: Queued, why: str) -> Sequence[Beacon]:
    _log.warning("body dropped", name=queued.name, why=why)
    return ()

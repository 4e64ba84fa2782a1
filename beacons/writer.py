"""What was accepted and is to be written, and the one task that writes it."""

import asyncio
import contextlib
import time
from collections.abc import Sequence

import structlog

from beacons import metrics
from beacons.core.beacon import Beacon
from beacons.core.limits import DRAIN_SECONDS, MOST_WRITTEN_AT_ONCE, SECONDS_BETWEEN_WRITES
from beacons.ports import Clock, Counting
from bundles.core.errors import Failed
from bundles.faults import fault_of
from release.core.counts import slot_of

_log = structlog.get_logger()


class Writer:
    """Writes once a second, or at once when there is much. What could not be written is kept and tried again."""

    def __init__(self, counting: Counting, clock: Clock, most_waiting: int) -> None:
        self._counting = counting
        self._clock = clock
        self._most_waiting = most_waiting
        self._waiting: list[Beacon] = []
        self._hurry = asyncio.Event()
        self._is_stopping = False
        self.works = True
        """False while the last write has failed."""

    @property
    def room(self) -> int:
        """How many more beacons can wait."""
        return self._most_waiting - len(self._waiting)

    def put(self, beacons: Sequence[Beacon]) -> None:
        """Have these written, for which there is room."""
        self._waiting += beacons
        metrics.waiting.set(len(self._waiting))
        if len(self._waiting) >= MOST_WRITTEN_AT_ONCE:
            self._hurry.set()

    def stop(self) -> None:
        """Have `run` write what waits and end; nothing is put any more."""
        self._is_stopping = True
        self._hurry.set()

    async def run(self) -> None:
        """Write until stopped. Raises `Failed` where what waits then can't be written in time."""
        while not self._is_stopping:
            await self._pause()
            await self._write_all()
        deadline = time.monotonic() + DRAIN_SECONDS
        while self._waiting:
            if time.monotonic() > deadline:
                raise Failed(f"{len(self._waiting)} beacons were not written: the database does not take them")
            await self._write_all()
            if not self.works:
                await asyncio.sleep(SECONDS_BETWEEN_WRITES)

    async def _pause(self) -> None:
        if not self.works:  # a database that is away is left alone for a while, however much waits
            await asyncio.sleep(SECONDS_BETWEEN_WRITES)
            return
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(SECONDS_BETWEEN_WRITES):
                await self._hurry.wait()
        self._hurry.clear()

    async def _write_all(self) -> None:
        """Write what waits, batch by batch, until there is none or one fails."""
        while self._waiting:
            await self._write(self._waiting[:MOST_WRITTEN_AT_ONCE])
            if not self.works:
                break

    async def _write(self, batch: list[Beacon]) -> None:
        began = time.monotonic()
        try:
            new = await self._counting.add(batch, slot_of(self._clock.now()))
        except Failed as error:
            self.works = False
            metrics.failed_writes.inc()
            _log.error("beacons not written", waiting=len(self._waiting), why=str(error))
            return
        except Exception as error:  # noqa: BLE001 - see below
            # A fault of our own with these very beacons must not keep all later ones from being counted.
            metrics.lost.inc(len(batch))
            _log.error("beacons lost", count=len(batch), fault=fault_of(error))
        else:
            metrics.written.inc(new)
            metrics.repeated.inc(len(batch) - new)
        self.works = True
        del self._waiting[: len(batch)]
        metrics.waiting.set(len(self._waiting))
        metrics.write_seconds.observe(time.monotonic() - began)

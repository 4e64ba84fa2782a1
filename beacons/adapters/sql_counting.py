"""Beacons counted in a SQL database."""

from collections.abc import Collection, Mapping, Sequence, Set

import msgspec
from sqlalchemy.ext.asyncio import AsyncConnection

from beacons.adapters.schema import COUNTED, counts, installations
from beacons.adapters.sql_error_groups import add_errors
from beacons.core.beacon import Beacon
from beacons.core.spans import WIDTHS, floor
from beacons.core.tally import CountKey, installation_id, tally
from bundles.adapters.database import Database, upsert
from release.core.counts import SLOT_SECONDS, Counts, Slot


class SqlCounting:
    """Counts each beacon in a slot, a minute and an hour at once, so that no width ever lacks what another has.

    Any number of collectors write at the same time. All of them touch rows in one order, of the tables as of the
    keys, so that none of them waits for one that waits for it.
    """

    def __init__(self, database: Database) -> None:
        self._database = database

    async def add(self, beacons: Sequence[Beacon], slot: Slot) -> int:
        """Count these beacons in a slot, all or none of them; how many were new."""
        if not beacons:
            return 0
        found = {installation_id(beacon): beacon for beacon in reversed(beacons)}  # of each the first one
        async with self._database.writing(alone=False) as connection:
            new = await _keep_new(connection, sorted(found), slot)
            if new:
                counted = [found[each] for each in sorted(new)]
                await _add_counts(connection, tally(counted), slot)
                await add_errors(connection, counted, slot)
        return len(new)


async def _keep_new(connection: AsyncConnection, ids: Collection[bytes], slot: Slot) -> Set[bytes]:
    """Those of the installations that had not been counted; from now on they are."""
    statement = upsert(connection, installations).on_conflict_do_nothing().returning(installations.c.id)
    rows = await connection.scalars(statement, [{"id": each, "slot": slot} for each in ids])
    return set(rows)


async def _add_counts(connection: AsyncConnection, tallied: Mapping[CountKey, Counts], slot: Slot) -> None:
    statement = upsert(connection, counts)
    statement = statement.on_conflict_do_update(
        index_elements=list(counts.primary_key),
        set_={name: counts.c[name] + statement.excluded[name] for name in COUNTED},
    )
    rows = [
        {
            "width": width,
            "start": floor(slot * SLOT_SECONDS, width),
            **key._asdict(),
            **msgspec.structs.asdict(each),
        }
        for width in WIDTHS
        for key, each in tallied.items()
    ]
    await connection.execute(statement, rows)

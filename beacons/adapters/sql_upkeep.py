"""What is kept of the beacons in a SQL database, and for how long."""

import anyio.lowlevel
from sqlalchemy import ColumnElement, Table, and_, bindparam, delete, select

from beacons.adapters.schema import counts, error_groups, installations, kept
from beacons.core.limits import REMEMBERED_SECONDS
from beacons.core.spans import HOUR, MINUTE, floor
from bundles.adapters.database import Database, upsert
from release.core.beacon_retention import SLOTS_KEPT_SECONDS, BeaconRetention
from release.core.counts import SLOT_SECONDS, slot_of

_ROWS_AT_A_TIME = 2_000


class SqlUpkeep:
    """Removes what is old, a few rows in a transaction, which are looked up before: no writer waits for long."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def upkeep(self, now: int, retention: BeaconRetention) -> None:
        """Remove what is older than it is kept."""
        await self._remove(installations, installations.c.slot < slot_of(now - REMEMBERED_SECONDS))
        for width, seconds in (
            (SLOT_SECONDS, SLOTS_KEPT_SECONDS),
            (MINUTE, retention.minutes_seconds),
            (HOUR, retention.hours_seconds),
        ):
            await self._shorten(width, floor(now - seconds, HOUR))
        await self._remove(error_groups, error_groups.c.last_seen < now - retention.errors_seconds)

    async def _shorten(self, width: int, since: int) -> None:
        """Keep this width's counts since then. That is written down first: a half removed hour is not read."""
        async with self._database.reading() as connection:
            before = await connection.scalar(select(kept.c.since).filter_by(width=width))
        if before is None or before < since:
            async with self._database.writing() as connection:
                statement = upsert(connection, kept).values(width=width, since=since)
                await connection.execute(
                    statement.on_conflict_do_update(
                        index_elements=[kept.c.width],
                        set_={"since": since},
                        where=kept.c.since < since,  # another node may have been here
                    )
                )
        await self._remove(counts, and_(counts.c.width == width, counts.c.start < since))

    async def _remove(self, table: Table, old: ColumnElement[bool]) -> None:
        """Remove these rows, in the order in which they are written, so that no two wait for each other."""
        key = list(table.primary_key)
        statement = delete(table).where(old, *(column == bindparam(f"key_{column.name}") for column in key))
        while True:
            await anyio.lowlevel.checkpoint()  # here it may be broken off
            async with self._database.reading() as connection:
                rows = (await connection.execute(select(*key).where(old).limit(_ROWS_AT_A_TIME))).all()
            if rows:
                ours = [
                    dict(zip((f"key_{column.name}" for column in key), row, strict=True)) for row in sorted(rows)
                ]
                async with self._database.writing() as connection:
                    await connection.execute(statement, ours)
            if len(rows) < _ROWS_AT_A_TIME:
                return

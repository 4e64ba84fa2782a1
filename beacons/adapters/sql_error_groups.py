"""Groups of errors in a SQL database."""

from collections.abc import Iterable, Mapping, Sequence, Set
from typing import Any

import msgspec
from sqlalchemy import case, select
from sqlalchemy.ext.asyncio import AsyncConnection

from beacons.adapters.schema import error_groups
from beacons.core.beacon import Beacon, Frame
from beacons.core.groups import NO_UNITS, OTHER, Build, ErrorGroup, GroupKey, Seen, fitted, grouped
from bundles.adapters.database import Database, upsert
from bundles.core.names import Product
from bundles.core.version import Version
from release.core.counts import SLOT_SECONDS, Slot
from release.core.names import Environment

_columns = error_groups.c


class SqlErrorGroups:
    """The groups that builds' errors have come to."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def groups(self, product: Product, version: Version, environment: Environment) -> Sequence[ErrorGroup]:
        """A build's groups in an environment, those of most units first."""
        query = (
            select(*(_columns[name] for name in ErrorGroup.__struct_fields__))
            .filter_by(product=product, version=version, environment=environment)
            .where(_columns.units > 0)
            .order_by(_columns.units.desc(), _columns.last_seen.desc(), _columns.fingerprint)
        )
        async with self._database.reading() as connection:
            rows = [row._asdict() for row in await connection.execute(query)]
        return [ErrorGroup(**{**row, "frames": _frames(row["frames"])}) for row in rows]


async def add_errors(connection: AsyncConnection, beacons: Iterable[Beacon], slot: Slot) -> None:
    """Count the beacons' errors in their groups.

    Who makes a group holds the row of that build's `OTHER`: so there never are more than there may be. Who only
    counts in known ones does not wait for that.
    """
    found = grouped(beacons)
    builds = sorted({key.build for key in found})
    known = {build: await _known(connection, build) for build in builds}
    growing = sorted({key.build for key in found if key.fingerprint not in known[key.build]})
    if growing:
        await _write(connection, {GroupKey(build, OTHER): NO_UNITS for build in growing}, slot)
        known |= {build: await _known(connection, build) for build in growing}
    if found:
        await _write(connection, fitted(found, known), slot)


async def _known(connection: AsyncConnection, build: Build) -> Set[str]:
    fingerprints = await connection.scalars(select(_columns.fingerprint).filter_by(**build._asdict()))
    return set(fingerprints)


async def _write(connection: AsyncConnection, groups: Mapping[GroupKey, Seen], slot: Slot) -> None:
    statement = upsert(connection, error_groups)
    new = statement.excluded
    statement = statement.on_conflict_do_update(
        index_elements=list(error_groups.primary_key),
        set_={
            "units": _columns.units + new.units,
            "first_seen": case((new.first_seen < _columns.first_seen, new.first_seen), else_=_columns.first_seen),
            "last_seen": case((new.last_seen > _columns.last_seen, new.last_seen), else_=_columns.last_seen),
        },
    )
    await connection.execute(statement, [_row(key, seen, slot * SLOT_SECONDS) for key, seen in groups.items()])


def _row(key: GroupKey, seen: Seen, at: int) -> Mapping[str, Any]:
    return {
        **key.build._asdict(),
        "fingerprint": key.fingerprint,
        "kind": seen.error.kind,
        "message": seen.error.message,
        "frames": msgspec.json.encode(seen.error.frames).decode(),
        "first_seen": at,
        "last_seen": at,
        "units": seen.units,
    }


def _frames(document: str) -> tuple[Frame, ...]:
    return msgspec.json.decode(document, type=tuple[Frame, ...])

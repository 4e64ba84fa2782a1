"""Joins what counts, reads and keeps up the SDKs' reports to its database.

It is one of its own, `health.db` in the data folder unless another one is named: beacons are written all the time,
and a change must not wait for them.
"""

from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from beacons.ports import Counting, ErrorGroups, SourceMap, Upkeep
from bundles.core.errors import Failed
from headrace.wiring import is_postgresql
from release.ports import Health

if TYPE_CHECKING:
    from release.adapters.sql_database import SqlDatabase
    from release.adapters.sql_schema import Schema

_OWNER = "health database"


@dataclass(frozen=True)
class HealthStore:
    """What one health database is used for."""

    counting: Counting
    health: Health
    errors: ErrorGroups
    upkeep: Upkeep


def check_health_database(named: str | None) -> None:
    """Raise `Invalid` for a URL that no health database can have, before anything is begun."""
    if is_postgresql(named, _OWNER):
        from bundles.adapters.postgresql import database_name

        database_name(named)


@asynccontextmanager
async def health_store(data: Path, named: str | None) -> AsyncIterator[HealthStore]:
    """The health database, made and brought up to date by its first use.

    That fails where the database is away, as any later use does, and nothing else. Raises `Invalid` for a URL of
    anything else.
    """
    from beacons.adapters.sql_counting import SqlCounting  # SQLAlchemy is slow to load, and few verbs need it
    from beacons.adapters.sql_error_groups import SqlErrorGroups
    from beacons.adapters.sql_health import SqlHealth
    from beacons.adapters.sql_upkeep import SqlUpkeep
    from release.adapters.late_database import LateDatabase

    check_health_database(named)
    async with LateDatabase(lambda: _opening(data, named)) as database:
        yield HealthStore(
            counting=SqlCounting(database),
            health=SqlHealth(database),
            errors=SqlErrorGroups(database),
            upkeep=SqlUpkeep(database),
        )


def open_source_map(script: bytes, source_map: bytes) -> SourceMap:
    """The source map of this script. Raises `Invalid` for what is none, `Failed` where nothing here reads any."""
    try:
        from beacons.adapters.source_maps import SymbolicSourceMap  # one verb needs it, and it is slow to load
    except ModuleNotFoundError:
        raise Failed("no source map is read here: install headrace[source-maps] for that") from None

    return SymbolicSourceMap(script, source_map)


def health_schema() -> "Schema":
    """The tables of a health database."""
    from beacons.adapters.schema import STEPS, VERSION, VERSION_TABLE
    from release.adapters.sql_schema import Schema

    return Schema(
        owner=_OWNER,
        version=VERSION,
        version_table=VERSION_TABLE,
        steps=STEPS,
        remedy="Nothing is counted until it does; origins and changes go on without it",
    )


def _opening(data: Path, named: str | None) -> "AbstractAsyncContextManager[SqlDatabase]":
    if is_postgresql(named, _OWNER):
        from release.adapters.postgresql_database import open_for_health

        return open_for_health(named, health_schema())
    from release.adapters.sqlite_database import open_sqlite

    return open_sqlite(Path(named or data / "health.db"), health_schema())

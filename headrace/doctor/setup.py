"""What is looked at: the parts that the command line names, opened so that nothing is made or changed."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from bundles.core.errors import HeadraceError
from headrace import wiring
from headrace.access_wiring import access_schema
from headrace.doctor.finding import Role
from headrace.health_wiring import health_schema

if TYPE_CHECKING:
    from release.adapters.sql_database import SqlDatabase
    from release.adapters.sql_schema import Schema
    from release.adapters.sql_transaction import SqlTransaction

BUSY_SECONDS = 3.0
"""How long a look waits for another writer of a database."""


class Setup(msgspec.Struct, frozen=True):
    """What the command line has named; the time is in seconds since the epoch."""

    data: Path
    database: str | None
    health_database: str | None
    role: Role
    now: int

    @property
    def control_file(self) -> Path | None:
        """The control database's file; None where it is PostgreSQL."""
        return None if wiring.is_postgresql(self.database) else Path(self.database or self.data / "control.db")

    @property
    def health_file(self) -> Path | None:
        """The health database's file; None where it is PostgreSQL."""
        if wiring.is_postgresql(self.health_database, "health database"):
            return None
        return Path(self.health_database or self.data / "health.db")

    @property
    def access_file(self) -> Path | None:
        """The access database's file; None where the control database is PostgreSQL, and has its tables."""
        return None if wiring.is_postgresql(self.database) else self.data / "access.db"

    @asynccontextmanager
    async def control(self) -> AsyncIterator["SqlDatabase"]:
        """The control database as it is; it must be there."""
        from release.adapters.sql_schema import CONTROL  # SQLAlchemy is slow to load

        async with _as_it_is(self.control_file, self.database, CONTROL) as opened:
            yield opened

    @asynccontextmanager
    async def ledger(self) -> AsyncIterator["SqlTransaction | None"]:
        """The ledger, to read from; None where this machine has none, or one of another version's schema."""
        from release.adapters.sql_schema import CONTROL
        from release.adapters.sql_transaction import SqlTransaction

        file = self.control_file
        if self.role is Role.ORIGIN or (file is not None and not file.exists()):
            yield None
            return
        async with self.control() as database:
            if await database.version() != CONTROL.version:
                yield None
                return
            async with database.reading() as connection:
                yield SqlTransaction(connection)

    @asynccontextmanager
    async def health(self) -> AsyncIterator["SqlDatabase"]:
        """The health database as it is; it must be there."""
        async with _as_it_is(self.health_file, self.health_database, health_schema()) as opened:
            yield opened

    @asynccontextmanager
    async def access(self) -> AsyncIterator["SqlDatabase"]:
        """The access database as it is; it must be there."""
        async with _as_it_is(self.access_file, self.database, access_schema()) as opened:
            yield opened


def role_of(data: Path) -> Role:
    """What a machine with this data folder seems to do: who has public keys alone can only read."""
    keys = wiring.keys(data)
    try:
        return Role.ORIGIN if keys.signing_key_file is None and any(keys.trusted_keys()) else Role.CONTROL
    except (HeadraceError, OSError):  # of keys that can't be read, which their own check tells
        return Role.CONTROL


@asynccontextmanager
async def _as_it_is(file: Path | None, named: str | None, schema: "Schema") -> AsyncIterator["SqlDatabase"]:
    if file is None:
        from release.adapters.postgresql_database import open_postgresql_as_it_is

        async with open_postgresql_as_it_is(str(named), schema) as opened:
            yield opened
        return
    from release.adapters.sqlite_database import open_sqlite_as_it_is

    async with open_sqlite_as_it_is(file, schema, BUSY_SECONDS) as opened:
        yield opened

"""Where the crash harness has its data folder and database, to be put back to what they were."""

import shutil

import asyncpg

from tests.support.postgresql import dump
from tests.system.control_changes import House

_SETTLED = """
SET statement_timeout = '60s';
DO $$ BEGIN
    WHILE EXISTS (SELECT FROM pg_stat_activity WHERE application_name LIKE 'headrace%') LOOP
        PERFORM pg_sleep(0.002), pg_stat_clear_snapshot();
    END LOOP;
END $$
"""


class Place:
    """A house as it was when it was kept. SQLite is a file in its data folder; PostgreSQL is put back by SQL."""

    def __init__(self, house: House) -> None:
        self._house = house
        self._copy = house.data.with_name("kept")
        self._sql = ""

    def keep(self) -> None:
        """Remember it as it is."""
        shutil.copytree(self._house.data, self._copy)
        if self._is_postgresql:
            self._sql = dump(self._house.database)

    async def put_back(self) -> None:
        """Make it as it was."""
        shutil.rmtree(self._house.data, ignore_errors=True)
        shutil.copytree(self._copy, self._house.data)
        if self._is_postgresql:
            await self._execute(f"DROP SCHEMA {self._schema} CASCADE; {self._sql}")

    async def clear(self) -> None:
        """Make the database an empty one."""
        if self._is_postgresql:
            await self._execute(f"DROP SCHEMA {self._schema} CASCADE; CREATE SCHEMA {self._schema}")

    async def settle(self) -> None:
        """Wait until PostgreSQL has ended the transactions of who was killed."""
        if self._is_postgresql:
            await self._execute(_SETTLED)

    @property
    def _is_postgresql(self) -> bool:
        return "://" in self._house.database

    @property
    def _schema(self) -> str:
        return self._house.database.rpartition("=")[2]

    async def _execute(self, sql: str) -> None:
        connection = await asyncpg.connect(self._house.database)
        try:
            await connection.execute(sql)
        finally:
            await connection.close()

"""The ledger in a SQL database, through SQLAlchemy Core: the same statements for each kind of database."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from release.adapters.sql_database import SqlDatabase
from release.adapters.sql_reading import SqlReading
from release.adapters.sql_transaction import SqlTransaction
from release.core.routing import RoutingTable


class SqlLedger:
    """The control plane's state in a SQL database."""

    def __init__(self, database: SqlDatabase) -> None:
        self._database = database

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[SqlTransaction]:
        """Everything in it is committed at its end, or, where it raises, nothing."""
        async with self._database.writing() as connection:
            yield SqlTransaction(connection)

    @asynccontextmanager
    async def reading(self) -> AsyncIterator[SqlReading]:
        """A look at the content, which changes nothing."""
        async with self._database.reading() as connection:
            yield SqlReading(connection)

    async def table(self) -> RoutingTable:
        """The whole routing table, at one revision."""
        async with self.reading() as reading:
            return await reading.table()

"""A database, be it SQLite or PostgreSQL, for who speaks to both with the same statements."""

from contextlib import AbstractAsyncContextManager
from typing import Protocol

from sqlalchemy import Table
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncConnection


class Database(Protocol):
    """Begins transactions, and tells its faults as `Failed`."""

    def reading(self) -> AbstractAsyncContextManager[AsyncConnection]:
        """A transaction that sees the database as it is at one moment, and changes nothing."""
        ...

    def writing(self, *, alone: bool = True) -> AbstractAsyncContextManager[AsyncConnection]:
        """A transaction, committed at its end or, where it raises, not at all.

        If it need not be `alone` among writers, others may write beside it, where the database can do that.
        """
        ...


def upsert(connection: AsyncConnection, table: Table) -> sqlite.Insert | postgresql.Insert:
    """An insert that may say what becomes of a row that is there already. Each dialect has one of its own."""
    if connection.dialect.name == "postgresql":
        return postgresql.insert(table)
    return sqlite.insert(table)

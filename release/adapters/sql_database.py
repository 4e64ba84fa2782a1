"""A SQL database: transactions, faults in plain words, and a schema that is up to date."""

from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager

import anyio
import msgspec
from sqlalchemy import Connection, column, inspect, select, table
from sqlalchemy.exc import DBAPIError, SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from bundles.core.errors import Failed
from release.adapters.sql_schema import Schema
from release.ports import Unanswered

BUSY_SECONDS = 10
"""How long a writer waits for another one to end."""

IsBusy = Callable[[BaseException | None], bool]

_upgrading = anyio.Lock()
"""Alembic keeps what it works on in globals: one database at a time in a process."""


class SqlDatabase:
    """An engine that begins transactions as its kind of database needs it.

    `name` is for messages and holds no secret. `schema` is what it has come to after `migrate`. `is_busy` knows
    the driver's error for who waited too long, and `faults` are what the driver raises that SQLAlchemy lets
    through.
    """

    def __init__(
        self,
        engine: AsyncEngine,
        name: str,
        schema: Schema,
        is_busy: IsBusy,
        faults: tuple[type[Exception], ...],
    ) -> None:
        self._engine = engine
        self._name = name
        self._schema = schema
        self._is_busy = is_busy
        self._faults: tuple[type[Exception], ...] = (SQLAlchemyError, TimeoutError, msgspec.MsgspecError, *faults)

    @asynccontextmanager
    async def writing(self, *, alone: bool = True) -> AsyncIterator[AsyncConnection]:
        """A transaction, alone among all writers. Committed at its end or, where it raises, not at all.

        If it need not be `alone`, it may write beside others, where the database can do that.
        """
        with self._told():
            async with self._engine.execution_options(alone=alone).connect() as connection:
                yield connection
                await self._commit(connection)

    @asynccontextmanager
    async def reading(self) -> AsyncIterator[AsyncConnection]:
        """A transaction that sees the database as it is at one moment, and changes nothing."""
        with self._told():
            async with self._engine.execution_options(reading=True).connect() as connection:
                yield connection

    async def migrate(self) -> None:
        """Bring the schema up to date. Raises `Failed` for that of a newer program."""
        async with self.reading() as connection:
            if await connection.run_sync(self._is_up_to_date):
                return
        from release.adapters.migrations import upgrade  # most starts find the schema up to date without alembic

        async with _upgrading, self.writing() as connection:
            if not await connection.run_sync(self._is_up_to_date):  # by another that started at the same time
                await connection.run_sync(upgrade, self._schema)

    async def version(self) -> str | None:
        """The step that the schema has come to; None where it has not begun."""
        async with self.reading() as connection:
            return await connection.run_sync(self._version)

    def _version(self, connection: Connection) -> str | None:
        versions = self._schema.version_table
        if not inspect(connection).has_table(versions):
            return None
        version: str | None = connection.scalar(select(column("version_num")).select_from(table(versions)))
        return version

    def _is_up_to_date(self, connection: Connection) -> bool:
        return self._version(connection) == self._schema.version

    async def _commit(self, connection: AsyncConnection) -> None:
        try:
            await connection.commit()
        except self._faults as error:
            raise Failed(
                f"the {self._schema.owner} {self._name} failed while a change was being committed:"
                f" {_cause(error)}. The change may be made or not: look before you try"
                " again, or send it again with its idempotency key"
            ) from None

    @contextmanager
    def _told(self) -> Iterator[None]:
        """The database's faults as `Failed`."""
        try:
            yield
        except self._faults as error:
            if isinstance(error, DBAPIError) and self._is_busy(error.orig):
                raise Unanswered(
                    f"the {self._schema.owner} {self._name} is busy: another writer has held it for {BUSY_SECONDS}"
                    " seconds. Try again"
                ) from None
            raise broken(self._schema, self._name, _cause(error)) from None


@asynccontextmanager
async def opened(
    engine: AsyncEngine, name: str, schema: Schema, is_busy: IsBusy, faults: tuple[type[Exception], ...] = ()
) -> AsyncIterator[SqlDatabase]:
    """The engine's database. Its connections are closed at the end."""
    try:
        yield SqlDatabase(engine, name, schema, is_busy, faults)
    finally:
        await engine.dispose()


def is_reading(connection: Connection) -> bool:
    """Whether the transaction that begins is one of `SqlDatabase.reading`."""
    return bool(connection.get_execution_options().get("reading", False))


def is_alone(connection: Connection) -> bool:
    """Whether no other writer may be beside the transaction that begins."""
    return bool(connection.get_execution_options().get("alone", True))


def broken(schema: Schema, name: str, cause: str) -> Unanswered:
    """The fault of a database that does not work."""
    return Unanswered(f"the {schema.owner} {name} does not work: {cause}. {schema.remedy}")


def _cause(error: Exception) -> str:
    """The driver's own words, without SQLAlchemy's statement and link."""
    if isinstance(error, TimeoutError):
        return "it does not answer"
    if not isinstance(error, DBAPIError) or error.orig is None:
        return str(error)
    return str(error.orig.__cause__ or error.orig).rstrip(".")

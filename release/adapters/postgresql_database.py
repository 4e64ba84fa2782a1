"""PostgreSQL: what several nodes have in common, through asyncpg."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import asyncpg
from sqlalchemy import Connection, event
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.exc import InvalidatePoolError
from sqlalchemy.ext.asyncio import create_async_engine

from bundles.adapters.postgresql import FAULTS, connect, database_name
from bundles.core.errors import Failed
from release.adapters.sql_database import BUSY_SECONDS, SqlDatabase, is_alone, is_reading, opened
from release.adapters.sql_schema import CONTROL, Schema
from release.ports import Unanswered

CONNECT_SECONDS = 10
PING_SECONDS = 5
ANSWER_SECONDS = 40  # longer than the server itself gives a statement: for a server that can't even say so
_SETTINGS = {
    "application_name": "headrace",
    "lock_timeout": f"{BUSY_SECONDS}s",
    "statement_timeout": "30s",
    # A node that hangs or loses its power in the midst of a change must not keep all others out.
    "idle_in_transaction_session_timeout": "60s",
}
_CHANGES_LOCK = int.from_bytes(b"headrace")
_SNAPSHOTS_LOCK = int.from_bytes(b"snapshot")
_HEALTH_LOCK = int.from_bytes(b"h-health")
_ACCESS_LOCK = int.from_bytes(b"h-access")
_FAULTS = (ConnectionError, asyncpg.InternalClientError)  # of a session that is just ending
_LOCK_NOT_AVAILABLE = "55P03"


@asynccontextmanager
async def open_postgresql(url: str) -> AsyncIterator[SqlDatabase]:
    """The database that the URL names, in the form that libpq has for it. Raises `Invalid` for another form."""
    async with _opened(url, CONTROL, _CHANGES_LOCK) as database:
        await database.migrate()
        yield database


@asynccontextmanager
async def open_for_snapshots(url: str) -> AsyncIterator[SqlDatabase]:
    """The same database with connections of its own, whose writers take turns apart from those of changes.

    Its schema is left as it is: who only reads snapshots may have no right to more.
    """
    async with _opened(url, CONTROL, _SNAPSHOTS_LOCK) as database:
        yield database


@asynccontextmanager
async def open_for_health(url: str, schema: Schema) -> AsyncIterator[SqlDatabase]:
    """A database with this schema, be it the ledger's or another, whose writers take turns apart from others'."""
    async with _opened(url, schema, _HEALTH_LOCK) as database:
        await database.migrate()
        yield database


@asynccontextmanager
async def open_for_access(url: str, schema: Schema) -> AsyncIterator[SqlDatabase]:
    """The ledger's database with this schema beside its own, whose writers take turns apart from others'."""
    async with _opened(url, schema, _ACCESS_LOCK) as database:
        await database.migrate()
        yield database


@asynccontextmanager
async def open_postgresql_as_it_is(url: str, schema: Schema) -> AsyncIterator[SqlDatabase]:
    """A database for who only looks: its schema is not brought up to date."""
    async with _opened(url, schema, _CHANGES_LOCK if schema is CONTROL else _HEALTH_LOCK) as database:
        yield database


@asynccontextmanager
async def _opened(url: str, schema: Schema, lock: int) -> AsyncIterator[SqlDatabase]:
    def begin(connection: Connection) -> None:
        """Writers that are to be alone take turns by a lock of theirs; a statement sees all that was committed."""
        if is_reading(connection):
            connection.exec_driver_sql("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY")
        elif is_alone(connection):
            connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({lock})")

    async def new_connection() -> asyncpg.Connection:
        try:
            return await connect(
                url,
                seconds=CONNECT_SECONDS,
                answer_seconds=ANSWER_SECONDS,
                settings=_SETTINGS,
                owner=schema.owner,
                remedy=schema.remedy,
            )
        except Failed as error:
            raise Unanswered(str(error)) from None

    name = database_name(url)
    engine = create_async_engine(
        "postgresql+asyncpg://",
        async_creator=new_connection,
        pool_timeout=BUSY_SECONDS,
    )
    event.listen(engine.sync_engine, "checkout", _ping)
    event.listen(engine.sync_engine, "begin", begin)
    async with opened(engine, name, schema, _is_busy, _FAULTS) as database:
        yield database


def _ping(connection: DBAPIConnection, *_: object) -> None:
    """Have a connection that was lost since its last use replaced, and with it all others, which were too.

    SQLAlchemy's own ping waits as long as a statement may take, for a server or a network that hangs.
    """
    try:
        connection.run_async(lambda driver: driver.execute("SELECT 1", timeout=PING_SECONDS))
    except FAULTS as error:
        raise InvalidatePoolError(str(error)) from None


def _is_busy(error: BaseException | None) -> bool:
    return getattr(error, "sqlstate", None) == _LOCK_NOT_AVAILABLE

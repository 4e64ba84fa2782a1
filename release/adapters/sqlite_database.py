"""SQLite: a database in one file, in WAL mode and synced at each commit."""

import contextlib
import sqlite3
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from urllib.parse import quote

import anyio.to_thread
from sqlalchemy import URL, Connection, event
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.ext.asyncio import create_async_engine
from sqlalchemy.pool import NullPool

from bundles.core.errors import Failed
from release.adapters.sql_database import BUSY_SECONDS, SqlDatabase, broken, is_reading, opened
from release.adapters.sql_schema import Schema


@asynccontextmanager
async def open_sqlite(file: Path, schema: Schema) -> AsyncIterator[SqlDatabase]:
    """The database in this file, made if it is not there, with this schema."""
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise Failed(f"can't make {file.parent}: {error.strerror}") from None
    await anyio.to_thread.run_sync(_check_readable, file, schema)
    engine = create_async_engine(URL.create("sqlite+aiosqlite", database=str(file)))
    event.listen(engine.sync_engine, "connect", _prepare)
    event.listen(engine.sync_engine, "begin", _begin)
    async with opened(engine, str(file), schema, _is_busy) as database:
        await database.migrate()
        yield database


@asynccontextmanager
async def open_sqlite_as_it_is(file: Path, schema: Schema, busy_seconds: float) -> AsyncIterator[SqlDatabase]:
    """The database in this file, for who only looks: it is neither made nor brought up to date.

    A writer that waits for another one is told that it is busy after `busy_seconds`.
    """

    def prepare(connection: DBAPIConnection, _record: object) -> None:
        connection.isolation_level = None
        cursor = connection.cursor()
        cursor.execute(f"PRAGMA busy_timeout = {int(busy_seconds * 1000)}")
        cursor.close()

    await anyio.to_thread.run_sync(_check_readable, file, schema)
    url = URL.create("sqlite+aiosqlite", database=f"file:{quote(str(file))}", query={"mode": "rw", "uri": "true"})
    engine = create_async_engine(url, poolclass=NullPool)
    event.listen(engine.sync_engine, "connect", prepare)
    event.listen(engine.sync_engine, "begin", _begin)
    async with opened(engine, str(file), schema, _is_busy) as database:
        yield database


def _check_readable(file: Path, schema: Schema) -> None:
    """Raise `Failed` for a file that SQLite can't open or read.

    The driver would find that out too, but its thread then outlives the event loop at times, and complains.
    """
    try:
        with contextlib.closing(sqlite3.connect(file, timeout=BUSY_SECONDS)) as connection:
            connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
    except sqlite3.Error as error:
        raise broken(schema, str(file), str(error)) from None


def _prepare(connection: DBAPIConnection, _record: object) -> None:
    """Leave transactions to us, wait for other writers, and sync at each commit."""
    connection.isolation_level = None
    cursor = connection.cursor()
    cursor.execute(f"PRAGMA busy_timeout = {BUSY_SECONDS * 1000}")
    cursor.execute("PRAGMA journal_mode = WAL")
    cursor.execute("PRAGMA synchronous = FULL")
    cursor.close()


def _begin(connection: Connection) -> None:
    """A writer takes the lock at its first statement: one that read first could not write any more."""
    connection.exec_driver_sql("BEGIN" if is_reading(connection) else "BEGIN IMMEDIATE")


def _is_busy(error: BaseException | None) -> bool:
    return isinstance(error, sqlite3.OperationalError) and error.sqlite_errorcode & 0xFF == sqlite3.SQLITE_BUSY

"""PostgreSQL: the ledger for several nodes, through asyncpg."""

import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial

import asyncpg
from sqlalchemy import Connection, event
from sqlalchemy.ext.asyncio import create_async_engine

from bundles.core.errors import Failed, Invalid
from release.adapters.sql_database import BUSY_SECONDS, SqlDatabase, is_reading, opened

_CONNECT_SECONDS = 10
_ANSWER_SECONDS = 40  # longer than the server itself gives a statement: for a server that can't even say so
_SETTINGS = {
    "application_name": "headrace",
    "lock_timeout": f"{BUSY_SECONDS}s",
    "statement_timeout": "30s",
    # A node that hangs or loses its power in the midst of a change must not keep all others out.
    "idle_in_transaction_session_timeout": "60s",
}
_LOCK_KEY = int.from_bytes(b"headrace")
_LOCK_NOT_AVAILABLE = "55P03"
_HOST = r"(?:[\w.-]+|\[[\da-fA-F:.]+\])(?::\d+)?"
_URL = re.compile(
    rf"(?P<scheme>postgres(?:ql)?://)(?:[^@/?#]*@)?(?P<place>(?:{_HOST}(?:,{_HOST})*)?/[\w.%-]*)(?:\?.*)?",
    re.ASCII,
)


@asynccontextmanager
async def open_postgresql(url: str) -> AsyncIterator[SqlDatabase]:
    """The database that the URL names, in the form that libpq has for it. Raises `Invalid` for another form."""
    name = database_name(url)
    engine = create_async_engine(
        "postgresql+asyncpg://",
        async_creator=partial(_connect, url, name),
        pool_pre_ping=True,  # a connection that was lost since its last use is replaced
        pool_timeout=BUSY_SECONDS,
    )
    event.listen(engine.sync_engine, "begin", _begin)
    async with opened(engine, name, _is_busy) as database:
        yield database


def database_name(url: str) -> str:
    """The URL without user, password and parameters, for messages."""
    parsed = _URL.fullmatch(url)
    if parsed is None:
        raise Invalid(
            "the database's URL is not understood (it is not shown, since it may hold a password): write"
            " postgresql://USER@HOST:PORT/NAME, with special characters percent-encoded"
        )
    return parsed["scheme"] + parsed["place"]


async def _connect(url: str, name: str) -> asyncpg.Connection:
    try:
        return await asyncpg.connect(
            url, timeout=_CONNECT_SECONDS, command_timeout=_ANSWER_SECONDS, server_settings=_SETTINGS
        )
    except TimeoutError:
        cause = f"no answer within {_CONNECT_SECONDS} seconds"
    except (OSError, ValueError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
        cause = str(error)
    raise Failed(f"can't connect to the control database {name}: {cause}. Origins go on serving the last snapshot")


def _begin(connection: Connection) -> None:
    """Writers take turns by a lock of their own; each statement of theirs sees all that was committed before."""
    if is_reading(connection):
        connection.exec_driver_sql("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY")
    else:
        connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({_LOCK_KEY})")


def _is_busy(error: BaseException | None) -> bool:
    return getattr(error, "sqlstate", None) == _LOCK_NOT_AVAILABLE

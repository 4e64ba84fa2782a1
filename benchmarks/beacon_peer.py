"""What one would write first to collect beacons: a JSON endpoint that inserts each event, then answers.

Starlette on uvicorn (uvloop, httptools), SQLAlchemy on aiosqlite, and SQLite opened as the health database is. It
checks nothing, limits nothing and counts nothing.
"""

import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import uvicorn
from sqlalchemy import Column, Integer, MetaData, String, Table, event, insert
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.ext.asyncio import create_async_engine
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

_metadata = MetaData()
_events = Table(
    "events",
    _metadata,
    Column("id", Integer, primary_key=True),
    *(Column(name, String, nullable=False) for name in ("build", "tenant", "installation", "outcome")),
)


def _app(file: str) -> Starlette:
    # One connection: with more of them, they wait for each other's locks.
    engine = create_async_engine(f"sqlite+aiosqlite:///{file}", pool_size=1, max_overflow=0)
    event.listen(engine.sync_engine, "connect", _prepare)

    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        async with engine.begin() as connection:
            await connection.run_sync(_metadata.create_all)
        yield
        await engine.dispose()

    async def beacon(request: Request) -> Response:
        body = await request.json()
        async with engine.begin() as connection:
            await connection.execute(insert(_events), body["beacons"])
        return Response(status_code=202)

    return Starlette(routes=[Route("/v1/beacon", beacon, methods=["POST"])], lifespan=lifespan)


def _prepare(connection: DBAPIConnection, _record: object) -> None:
    cursor = connection.cursor()
    for pragma in ("busy_timeout = 5000", "journal_mode = WAL", "synchronous = FULL"):
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()


if __name__ == "__main__":
    uvicorn.run(_app(sys.argv[2]), port=int(sys.argv[1]), log_level="error", access_log=False)

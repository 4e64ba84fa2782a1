"""A database that need not be there yet."""

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from typing import Self

import anyio
from sqlalchemy.ext.asyncio import AsyncConnection

from release.adapters.sql_database import SqlDatabase


class LateDatabase(AbstractAsyncContextManager["LateDatabase"]):
    """Opened by its first use, which fails where the database is away; the next one tries again.

    What has begun is finished, however soon its user is asked to stop: a driver that is broken off while it
    connects may keep the process for ever.
    """

    def __init__(self, opening: Callable[[], AbstractAsyncContextManager[SqlDatabase]]) -> None:
        self._opening = opening
        self._turn = anyio.Lock()
        self._stack = AsyncExitStack()
        self._database: SqlDatabase | None = None

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._stack.aclose()

    @asynccontextmanager
    async def reading(self) -> AsyncIterator[AsyncConnection]:
        """As `SqlDatabase.reading`."""
        with anyio.CancelScope(shield=True):
            async with (await self._opened()).reading() as connection:
                yield connection

    @asynccontextmanager
    async def writing(self, *, alone: bool = True) -> AsyncIterator[AsyncConnection]:
        """As `SqlDatabase.writing`."""
        with anyio.CancelScope(shield=True):
            async with (await self._opened()).writing(alone=alone) as connection:
                yield connection

    async def _opened(self) -> SqlDatabase:
        async with self._turn:
            if self._database is None:
                self._database = await self._stack.enter_async_context(self._opening())
            return self._database

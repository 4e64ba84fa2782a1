"""Leadership of the controllers on one PostgreSQL database, by an advisory lock that a session holds."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

import anyio
import asyncpg

from bundles.adapters.postgresql import FAULTS, connect, database_name
from bundles.core.errors import Failed
from release.adapters.postgresql_database import CONNECT_SECONDS

SILENCE_SECONDS = 15
"""After so long without a word the server ends the session of a leader that hangs, and another one leads."""
BEAT_SECONDS = 3
_ANSWER_SECONDS = 10
_CLOSE_SECONDS = 1
_SETTINGS = {
    "application_name": "headrace-leader",
    "idle_session_timeout": f"{SILENCE_SECONDS}s",
    "statement_timeout": f"{_ANSWER_SECONDS}s",
}
# Each schema has its own leader. A session keeps its lock to its end, so who has it need not ask for it again;
# behind a pooler that changes sessions the process differs. A standby server has locks too, but nothing to lead.
_HOLDS = f"""
SELECT pg_backend_pid(), CASE
    WHEN pg_is_in_recovery() THEN false
    WHEN pg_backend_pid() = $1 THEN true
    ELSE pg_try_advisory_lock({int.from_bytes(b"lead")}::bigint << 32 | 'current_revision'::regclass::oid::bigint)
END
"""


class PostgresqlLeadership:
    """Who holds the lock leads, as long as its session lives; that ends with the process or the connection."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._name = database_name(url)
        self._turn = anyio.Lock()
        self._session: asyncpg.Connection | None = None
        self._leading_process: int | None = None

    @classmethod
    @asynccontextmanager
    async def open(cls, url: str) -> AsyncIterator["PostgresqlLeadership"]:
        """The leadership of the database that the URL names, kept alive within it and given up at its end."""
        leadership = cls(url)
        beating = asyncio.create_task(leadership._beat())
        try:
            yield leadership
        finally:
            beating.cancel()
            with anyio.CancelScope(shield=True):
                with suppress(asyncio.CancelledError):
                    await beating
                await leadership._close()

    async def holds(self) -> bool:
        """Whether this controller leads, from now on if nobody else does. Raises `Failed` where it isn't known."""
        async with self._turn:
            try:
                if self._session is None:
                    self._session = await connect(
                        self._url, seconds=CONNECT_SECONDS, answer_seconds=_ANSWER_SECONDS, settings=_SETTINGS
                    )
                process, leads = await self._session.fetchrow(_HOLDS, self._leading_process)
            except FAULTS as error:
                self._drop()
                raise Failed(
                    f"whether this controller leads is not known: {self._name}:"
                    f" {str(error) or 'it does not answer'}"
                ) from None
            except BaseException:
                self._drop()
                raise
            self._leading_process = process if leads else None
            return bool(leads)

    async def _beat(self) -> None:
        """Let the server hear of this controller, however seldom that looks for something to do."""
        while True:
            await anyio.sleep(BEAT_SECONDS)
            with suppress(Failed):  # who asks next is told
                await self.holds()

    def _drop(self) -> None:
        session, self._session, self._leading_process = self._session, None, None
        if session is not None:
            session.terminate()

    async def _close(self) -> None:
        session, self._session = self._session, None
        if session is not None:
            with suppress(*FAULTS):
                await session.close(timeout=_CLOSE_SECONDS)

"""The snapshot in PostgreSQL, followed by its notices with polling under them."""

import asyncio
import random
from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import suppress

import anyio
import asyncpg
import structlog

from bundles.adapters.postgresql import FAULTS, connect, database_name
from bundles.core.digest import Digest
from bundles.core.errors import Failed
from origin.ports import Away
from release.core.snapshot import ShardRef
from release.core.snapshot_rows import CHANNEL, in_batches, whole_bodies

_log = structlog.get_logger()

POLL_SECONDS = 1.0
CONNECT_SECONDS = 5
ANSWER_SECONDS = 5
SHARDS_SECONDS = 30
LONGEST_PAUSE_SECONDS = 5.0
_FIRST_PAUSE_SECONDS = 0.2
_LEAST_SECONDS = 0.02  # between two looks: anyone who may connect can send notices
_CLOSE_SECONDS = 1
_SETTINGS = {
    "application_name": "headrace-origin",
    "default_transaction_read_only": "on",
    "statement_timeout": f"{SHARDS_SECONDS}s",
}
_WRITES = "SELECT writes FROM snapshot_root WHERE id = 1"
_ROOT = (
    "SELECT octet_length(sealed), CASE WHEN octet_length(sealed) <= $1 THEN sealed END"
    " FROM snapshot_root WHERE id = 1"
)
_SHARDS = (
    "SELECT digest, octet_length(body), CASE WHEN octet_length(body) <= $2 THEN body END"
    " FROM snapshot_shards WHERE digest = ANY($1)"
)


class PostgresqlFeed:
    """The sealed root and its shards, of the database that the URL names, by one connection.

    A connection that is lost is made anew for ever, with pauses that grow to a few seconds and differ from one
    origin to the next. All that is asked for has a limit in time and in bytes.
    """

    def __init__(self, url: str, max_bytes: int) -> None:
        self._url = url
        self._name = database_name(url)
        self._max_bytes = max_bytes
        self._turn = anyio.Lock()
        self._session: asyncpg.Connection | None = None
        self._noticed = asyncio.Event()
        self._losses = 0
        self._pause_until = 0.0

    async def read(self) -> bytes | None:
        """The sealed root; None where there is none, or the database is away, which is logged.

        Raises `Failed` for one that is too large: it is not read.
        """
        try:
            rows = await self._fetch(_ROOT, self._max_bytes)
        except Away:
            return None
        if not rows:
            return None
        size, sealed = rows[0]
        if sealed is None:
            raise Failed(f"the root in {self._name} has {size} bytes; the most that is read is {self._max_bytes}")
        return bytes(sealed)

    async def read_shards(self, refs: Iterable[ShardRef]) -> Mapping[Digest, bytes]:
        """The shards' bytes, unchecked. Raises `Away`, or `Failed` for one that is missing or of another size."""
        bodies: dict[Digest, bytes] = {}
        for batch in in_batches(refs):
            digests, most = [ref.digest for ref in batch], max(ref.size for ref in batch)
            rows = await self._fetch(_SHARDS, digests, most, seconds=SHARDS_SECONDS)
            bodies |= whole_bodies(batch, [(digest, size, body) for digest, size, body in rows])
        return bodies

    async def changes(self) -> AsyncIterator[None]:
        """Yields after each change of the root. A notice that gets lost is made good within a second or so."""
        seen = found = None
        while True:
            with suppress(Away):
                found = [row["writes"] for row in await self._fetch(_WRITES)]
            if found != seen:
                seen = found
                yield
            await anyio.sleep(_LEAST_SECONDS)
            with anyio.move_on_after(POLL_SECONDS * _spread()):
                await self._noticed.wait()
            self._noticed.clear()

    async def close(self) -> None:
        """Give the connection back."""
        session, self._session = self._session, None
        if session is not None:
            with suppress(*FAULTS):
                await session.close(timeout=_CLOSE_SECONDS)

    async def _fetch(self, statement: str, *values: object, seconds: float | None = None) -> list[asyncpg.Record]:
        """The rows. Raises `Away`."""
        async with self._turn:
            try:
                session = await self._connected()
                rows: list[asyncpg.Record] = await session.fetch(statement, *values, timeout=seconds)
            except Away:
                raise
            except (Failed, *FAULTS) as error:
                self._lose(str(error) or "it does not answer")
                raise Away(f"the snapshot's database {self._name} is away: {error}") from None
            except BaseException:  # stopped in the midst of an answer: the next one would get its rest
                self._drop()
                raise
        if self._losses:
            self._losses = 0
            _log.info("snapshot feed back", database=self._name)
        return rows

    async def _connected(self) -> asyncpg.Connection:
        if self._session is not None and not self._session.is_closed():
            return self._session
        if asyncio.get_running_loop().time() < self._pause_until:
            raise Away(f"the snapshot's database {self._name} is away")
        self._session = await connect(
            self._url, seconds=CONNECT_SECONDS, answer_seconds=ANSWER_SECONDS, settings=_SETTINGS
        )
        try:
            await self._session.add_listener(CHANNEL, lambda *_: self._noticed.set())
        except asyncpg.ReadOnlySQLTransactionError:
            _log.info("no notices", database=self._name, why="it is a standby: it is polled")
        return self._session

    def _lose(self, why: str) -> None:
        """Told once, until it is back."""
        self._drop()
        if not self._losses:
            _log.error("snapshot feed away", database=self._name, why=why)
        pause = min(_FIRST_PAUSE_SECONDS * 2**self._losses, LONGEST_PAUSE_SECONDS) * _spread()
        self._losses = min(self._losses + 1, 16)
        self._pause_until = asyncio.get_running_loop().time() + pause

    def _drop(self) -> None:
        session, self._session = self._session, None
        if session is not None:
            session.terminate()


def _spread() -> float:
    """Origins that lost one server do not all come back at the same moment."""
    return random.uniform(0.5, 1.0)  # noqa: S311 - no secret

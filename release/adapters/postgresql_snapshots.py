"""A snapshot in PostgreSQL, in two tables that origins may read: one row for the root, and one for each shard."""

from collections.abc import AsyncIterator, Collection, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import timedelta

import anyio
from sqlalchemy import ARRAY, ColumnElement, String, all_, any_, case, delete, func, literal, select, true, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.exc import ProgrammingError
from sqlalchemy.ext.asyncio import AsyncConnection

from bundles.core.digest import Digest
from bundles.core.errors import Failed
from release.adapters.schema import snapshot_root, snapshot_shards
from release.adapters.sql_database import SqlDatabase
from release.core.snapshot import MAX_SEALED_BYTES, ShardRef
from release.core.snapshot_rows import CHANNEL, in_batches, whole_bodies

DROPPED_STAY = timedelta(hours=1)
"""How long a shard that no root names any more is left for who has read an older root and is slow."""

_ROOT_ID = 1
_UNDEFINED_TABLE = "42P01"

_is_root = snapshot_root.c.id == _ROOT_ID
_digest, _body = snapshot_shards.c.digest, snapshot_shards.c.body
_size = func.octet_length(_body)


class PostgresqlSnapshots:
    """Writers on all machines take turns by an advisory lock, which the transaction holds that writes.

    So who has lost the lock, with its connection, can't write any more either.
    """

    def __init__(self, database: SqlDatabase) -> None:
        self._database = database
        self._turn = anyio.Lock()
        self._writer: AsyncConnection | None = None

    @asynccontextmanager
    async def exclusive(self) -> AsyncIterator[None]:
        """Keeps every other writer out, on all machines. What is written in it is committed at its end."""
        async with self._turn, self._database.writing() as connection:
            await connection.begin()
            self._writer = connection
            try:
                yield
            finally:
                self._writer = None

    async def read(self) -> bytes | None:
        """The sealed root, or None before the first. Raises `Failed`, also for one that is too large."""
        size = func.octet_length(snapshot_root.c.sealed)
        query = select(size, case((size <= MAX_SEALED_BYTES, snapshot_root.c.sealed))).where(_is_root)
        async with self._database.reading() as connection:
            try:
                found = (await connection.execute(query)).first()
            except ProgrammingError as error:
                if getattr(error.orig, "sqlstate", None) != _UNDEFINED_TABLE:
                    raise
                return None  # the first change makes the tables; who publishes comes before
        if found is None:
            return None
        size_found, sealed = found
        if sealed is None:
            raise Failed(f"the snapshot's root in the database has {size_found} bytes, more than is read")
        return bytes(sealed)

    async def read_shards(self, refs: Iterable[ShardRef]) -> Mapping[Digest, bytes]:
        """The shards' bytes, not yet checked. Raises `Failed` where one is missing or of another size."""
        bodies: dict[Digest, bytes] = {}
        async with self._database.reading() as connection:
            for batch in in_batches(refs):
                most = max(ref.size for ref in batch)
                query = select(_digest, _size, case((_size <= most, _body)))
                query = query.where(_digest == any_(_array(ref.digest for ref in batch)))
                found = await connection.execute(query)
                bodies |= whole_bodies(batch, [(digest, size, body) for digest, size, body in found])
        return bodies

    async def lacks(self, refs: Iterable[ShardRef], *, thorough: bool) -> Collection[Digest]:
        """Those of the shards that are missing or cut; where it is to be thorough, also those with other bytes."""
        wanted = list(refs)
        is_whole = _digest == func.encode(func.sha256(_body), "hex") if thorough else true()
        held: set[tuple[str, int]] = set()
        async with self._database.reading() as connection:
            for batch in in_batches(wanted) if thorough else [wanted]:
                among = _digest == any_(_array(ref.digest for ref in batch))
                found = await connection.execute(select(_digest, _size).where(among, is_whole))
                held |= {(digest, size) for digest, size in found}
        return {ref.digest for ref in wanted if (ref.digest, ref.size) not in held}

    async def replace(self, sealed: bytes, new: Mapping[Digest, bytes], dropped: Collection[Digest]) -> None:
        """Put the new shards there, and the root that names them in place of the old one: all of it or nothing."""
        writer = self._held()
        for digest, body in new.items():
            shard = insert(snapshot_shards).values(digest=digest, body=body, touched_at=func.now())
            mended = shard.on_conflict_do_update(
                index_elements=[_digest], set_={"body": shard.excluded.body, "touched_at": func.now()}
            )
            await writer.execute(mended)
        dropping = update(snapshot_shards).where(_digest == any_(_array(dropped))).values(touched_at=func.now())
        await writer.execute(dropping)
        root = insert(snapshot_root).values(id=_ROOT_ID, writes=1, sealed=sealed)
        replaced = root.on_conflict_do_update(
            index_elements=[snapshot_root.c.id],
            set_={"writes": snapshot_root.c.writes + 1, "sealed": root.excluded.sealed},
        )
        await writer.execute(replaced)
        await writer.execute(select(func.pg_notify(CHANNEL, "")))

    async def sweep(self, named: Collection[Digest]) -> None:
        """Remove all shards but these and those dropped within the last hour."""
        is_old = snapshot_shards.c.touched_at < func.now() - DROPPED_STAY
        await self._held().execute(delete(snapshot_shards).where(is_old, _digest != all_(_array(named))))

    def _held(self) -> AsyncConnection:
        if self._writer is None:
            raise RuntimeError("a snapshot is written by who keeps the others out")
        return self._writer


def _array(digests: Iterable[Digest]) -> ColumnElement[Sequence[str]]:
    """As one parameter: a statement stays the same however many there are."""
    return literal(list(digests), ARRAY(String))

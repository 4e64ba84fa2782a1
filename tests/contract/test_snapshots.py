"""What a place for snapshots promises, be it a folder or PostgreSQL."""

import os
from collections.abc import AsyncIterator, Collection
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path

import anyio
import asyncpg
import pytest

from bundles.core.digest import Digest, digest_of
from bundles.core.errors import Failed
from headrace import wiring
from release.core.shards import Counts
from release.core.snapshot import MAX_SEALED_BYTES, ShardRef
from release.core.snapshot_rows import CHANNEL
from release.ports import SnapshotStore
from tests.support.postgresql import PostgresServer

pytestmark = pytest.mark.anyio

ONE, TWO, THREE = b"one", b"two, longer", b"three"
EVERY = (ONE, TWO, THREE)
END_WRITERS = """SELECT pg_terminate_backend(pid) FROM pg_stat_activity
    WHERE state = 'idle in transaction' AND query LIKE '%pg_notify%'"""


def refs(*bodies: bytes) -> list[ShardRef]:
    return [ShardRef(digest_of(body), len(body), Counts(0, 0, 0)) for body in bodies]


def named(*bodies: bytes) -> dict[Digest, bytes]:
    return {digest_of(body): body for body in bodies}


class Place:
    """A place for snapshots, which may be opened again, damaged and aged."""

    def __init__(self, data: Path, database: str) -> None:
        self._data = data
        self._database = database

    def open(self) -> AbstractAsyncContextManager[SnapshotStore]:
        return wiring.snapshot_store(self._data, self._database)

    async def write_root(self, sealed: bytes) -> None:
        """Another root in the place of the one that is there."""
        if wiring.is_postgresql(self._database):
            await self.execute("UPDATE snapshot_root SET sealed = $1", sealed)
        else:
            wiring.snapshot_file(self._data).write_bytes(sealed)

    async def write_shard(self, digest: Digest, body: bytes) -> None:
        """Other bytes in a shard that is there."""
        if wiring.is_postgresql(self._database):
            await self.execute("UPDATE snapshot_shards SET body = $1 WHERE digest = $2", body, digest)
        else:
            (self._data / "snapshots" / "shards" / f"{digest}.json").write_bytes(body)

    async def age(self) -> None:
        """Let an hour and more go by."""
        if wiring.is_postgresql(self._database):
            await self.execute("UPDATE snapshot_shards SET touched_at = touched_at - interval '61 minutes'")
            return
        for file in (self._data / "snapshots" / "shards").iterdir():
            os.utime(file, (0, file.stat().st_mtime - 3660))

    async def execute(self, statement: str, *values: object) -> None:
        async with self.connected() as connection:
            await connection.execute(statement, *values)

    @asynccontextmanager
    async def connected(self) -> AsyncIterator[asyncpg.Connection]:
        connection = await asyncpg.connect(self._database)
        try:
            yield connection
        finally:
            await connection.close()


@pytest.fixture
async def place(database: str, tmp_path: Path) -> Place:
    async with wiring.ledger(tmp_path, database):  # makes the tables
        return Place(tmp_path, database)


@pytest.fixture
async def store(place: Place) -> AsyncIterator[SnapshotStore]:
    async with place.open() as opened:
        yield opened


async def put(store: SnapshotStore, sealed: bytes, *bodies: bytes, dropped: Collection[bytes] = ()) -> None:
    async with store.exclusive():
        await store.replace(sealed, named(*bodies), [digest_of(body) for body in dropped])


async def sweep(store: SnapshotStore, *kept: bytes) -> None:
    async with store.exclusive():
        await store.sweep([digest_of(body) for body in kept])


async def held(store: SnapshotStore) -> set[bytes]:
    lacking = await store.lacks(refs(*EVERY), thorough=True)
    return {body for body in EVERY if digest_of(body) not in lacking}


async def test_what_was_put_there_is_read_also_by_others(store: SnapshotStore, place: Place) -> None:
    assert await store.read() is None
    await put(store, b"first", ONE, TWO)
    await put(store, b"second", THREE, dropped=[ONE])
    async with place.open() as other:
        assert await other.read() == b"second"
        assert await other.read_shards(refs(*EVERY)) == named(*EVERY)


async def test_shards_that_are_missing_cut_or_damaged_are_told(store: SnapshotStore, place: Place) -> None:
    await put(store, b"root", ONE, TWO)
    assert await store.lacks(refs(*EVERY), thorough=False) == {digest_of(THREE)}
    with pytest.raises(Failed, match=digest_of(THREE)):
        await store.read_shards(refs(ONE, THREE))
    await place.write_shard(digest_of(TWO), TWO[:-1])
    assert await store.lacks(refs(ONE, TWO), thorough=False) == {digest_of(TWO)}
    with pytest.raises(Failed, match=digest_of(TWO)):
        await store.read_shards(refs(TWO))
    await put(store, b"root", TWO)
    assert await store.lacks(refs(ONE, TWO), thorough=True) == set()
    await place.write_shard(digest_of(TWO), TWO.upper())
    assert await store.lacks(refs(ONE, TWO), thorough=False) == set()
    assert await store.lacks(refs(ONE, TWO), thorough=True) == {digest_of(TWO)}
    await put(store, b"root", TWO)
    assert await store.read_shards(refs(TWO)) == named(TWO)


async def test_a_root_that_is_too_large_is_not_read(store: SnapshotStore, place: Place) -> None:
    await put(store, b"root")
    await place.write_root(b"x" * (MAX_SEALED_BYTES + 1))
    with pytest.raises(Failed, match=f"{MAX_SEALED_BYTES + 1} bytes"):
        await store.read()


async def test_a_dropped_shard_stays_for_an_hour(store: SnapshotStore, place: Place) -> None:
    await put(store, b"first", ONE, TWO)
    await place.age()
    await put(store, b"second", THREE, dropped=[ONE])
    await sweep(store, TWO, THREE)
    assert await held(store) == {ONE, TWO, THREE}
    await place.age()
    await sweep(store, TWO, THREE)
    assert await held(store) == {TWO, THREE}


async def test_a_shard_that_is_named_again_is_not_swept(store: SnapshotStore, place: Place) -> None:
    await put(store, b"first", ONE)
    await put(store, b"second", TWO, dropped=[ONE])
    await place.age()
    await put(store, b"third", dropped=[TWO])
    await sweep(store, ONE)
    assert await held(store) == {ONE, TWO}


async def test_writers_keep_each_other_out(store: SnapshotStore, place: Place) -> None:
    events: list[str] = []

    async def write(writer: SnapshotStore, name: str) -> None:
        async with writer.exclusive():
            events.append(f"{name} begins after {await writer.read()!r}")
            await anyio.sleep(0.05)
            await writer.replace(name.encode(), {}, ())
            events.append(f"{name} ends")

    async with place.open() as other, anyio.create_task_group() as group:
        for number in range(3):
            group.start_soon(write, store, f"own {number}")
            group.start_soon(write, other, f"other {number}")
    before = None
    for begin, end in zip(events[::2], events[1::2], strict=True):
        name = end.removesuffix(" ends")
        assert begin == f"{name} begins after {before!r}"
        before = name.encode()
    assert len(events) == 12


async def test_who_is_stopped_lets_the_next_one_write(store: SnapshotStore, place: Place) -> None:
    await put(store, b"before", ONE)
    with anyio.move_on_after(0.2):
        async with store.exclusive():
            await anyio.sleep_forever()
    async with place.open() as other:
        with anyio.fail_after(5):
            await put(other, b"after")
    assert await store.read() == b"after"


@pytest.fixture
async def shared(postgresql: PostgresServer, tmp_path: Path) -> Place:
    """A place in PostgreSQL."""
    database = postgresql.new_database()
    async with wiring.ledger(tmp_path, database):
        return Place(tmp_path, database)


async def test_postgresql_tells_of_a_root_once_it_is_there_for_all(shared: Place) -> None:
    told = anyio.Event()
    async with shared.open() as store, shared.open() as other, shared.connected() as connection:
        await connection.add_listener(CHANNEL, lambda *_: told.set())
        async with store.exclusive():
            await store.replace(b"root", named(ONE), ())
            await anyio.sleep(0.2)
            assert not told.is_set()
            assert await other.read() is None
        with anyio.fail_after(5):
            await told.wait()
        assert await other.read() == b"root"


async def test_who_lost_the_connection_to_postgresql_writes_nothing_any_more(shared: Place) -> None:
    async def write_after_the_loss(store: SnapshotStore) -> None:
        async with store.exclusive():
            await store.replace(b"half", named(TWO), [digest_of(ONE)])
            await shared.execute(END_WRITERS)
            await put(other, b"theirs", THREE)
            await store.sweep([])

    async with shared.open() as store, shared.open() as other:
        await put(store, b"before", ONE)
        with pytest.raises(Failed, match="connection"):
            await write_after_the_loss(store)
        assert await store.read() == b"theirs"
        assert await held(store) == {ONE, THREE}

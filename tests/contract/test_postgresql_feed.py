"""What origins follow in PostgreSQL: told at once or seen soon, away and back, by a role that can do no more."""

import asyncio
import time
import uuid
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import asyncpg
import pytest
from structlog.testing import capture_logs

from bundles.core.digest import Digest, digest_of
from bundles.core.errors import Failed
from headrace import wiring
from origin.adapters import postgresql_feed
from origin.adapters.postgresql_feed import PostgresqlFeed
from release.core.shards import Counts
from release.core.snapshot import ShardRef
from tests.contract.conftest import free_port
from tests.support.postgresql import PASSWORD, PostgresServer, postgres_server

pytestmark = pytest.mark.anyio

PATIENCE_SECONDS = 20
MOST = 1_000
BODY = b"a shard"
REF = ShardRef(digest_of(BODY), len(BODY), Counts(0, 0, 0))
DOCS = Path(__file__).parents[2] / "docs" / "control-plane.md"


@pytest.fixture
def server(postgresql: PostgresServer) -> Iterator[PostgresServer]:
    """The server, which is up again when the test ends."""
    yield postgresql
    postgresql.ensure_running()


@pytest.fixture
async def database(server: PostgresServer, tmp_path: Path) -> str:
    """A control database with a snapshot in it."""
    name = server.new_database()
    async with wiring.ledger(tmp_path, name):
        pass
    await put(tmp_path, name, b"root")
    return name


async def put(data: Path, database: str, sealed: bytes) -> None:
    async with wiring.snapshot_store(data, database) as store, store.exclusive():
        await store.replace(sealed, {REF.digest: BODY}, ())


@asynccontextmanager
async def following(url: str, most: int = MOST) -> AsyncIterator[PostgresqlFeed]:
    feed = PostgresqlFeed(url, most)
    try:
        yield feed
    finally:
        await feed.close()


async def next_change(changes: AsyncIterator[None]) -> None:
    async with asyncio.timeout(PATIENCE_SECONDS):
        await anext(changes)


async def read_when_back(feed: PostgresqlFeed) -> bytes:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while (sealed := await feed.read()) is None:
        assert time.monotonic() < deadline
        await asyncio.sleep(0.05)
    return sealed


async def test_a_new_root_is_told_at_once(database: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(postgresql_feed, "POLL_SECONDS", 3600)
    async with following(database) as feed:
        changes = feed.changes()
        await next_change(changes)
        assert await feed.read() == b"root"
        assert await feed.read_shards([REF, REF]) == {REF.digest: BODY}
        waiting = asyncio.create_task(next_change(changes))
        await asyncio.sleep(0.2)
        assert not waiting.done()
        await put(tmp_path, database, b"next")
        await waiting
        assert await feed.read() == b"next"


async def test_a_change_whose_notice_was_lost_is_seen_all_the_same(database: str, server: PostgresServer) -> None:
    async with following(database) as feed:
        changes = feed.changes()
        await next_change(changes)
        server.execute(database, "UPDATE snapshot_root SET writes = writes + 1, sealed = 'untold'")
        await next_change(changes)
        assert await feed.read() == b"untold"


async def test_what_is_too_large_or_not_as_the_root_says_is_not_read(database: str) -> None:
    async with following(database, most=3) as feed:
        with pytest.raises(Failed, match="has 4 bytes; the most that is read is 3"):
            await feed.read()
        with pytest.raises(Failed, match=r"has 7 bytes, not 6"):
            await feed.read_shards([ShardRef(REF.digest, REF.size - 1, REF.counts)])
        with pytest.raises(Failed, match="is missing"):
            await feed.read_shards([REF, ShardRef(Digest("0" * 64), 5, REF.counts)])


async def test_a_database_that_goes_away_is_told_once_and_found_again(
    database: str, server: PostgresServer
) -> None:
    with capture_logs() as logs:
        async with following(database) as feed:
            assert await feed.read() == b"root"
            server.stop()
            for _ in range(20):
                assert await feed.read() is None
                await asyncio.sleep(0.05)
            with pytest.raises(Failed, match="is away"):
                await feed.read_shards([REF])
            server.start()
            assert await read_when_back(feed) == b"root"
    assert [log["event"] for log in logs] == ["snapshot feed away", "snapshot feed back"]
    assert PASSWORD not in str(logs)


async def test_a_database_that_hangs_keeps_nobody_long(
    database: str, server: PostgresServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(postgresql_feed, "ANSWER_SECONDS", 1)
    monkeypatch.setattr(postgresql_feed, "CONNECT_SECONDS", 1)
    async with following(database) as known, following(database) as new:
        assert await known.read() == b"root"
        server.hang()
        async with asyncio.timeout(PATIENCE_SECONDS):
            assert (await known.read(), await new.read()) == (None, None)
        server.resume()
        assert await read_when_back(known) == await read_when_back(new) == b"root"


async def test_a_replica_is_looked_at_each_second_and_leads_nobody(
    database: str, server: PostgresServer, tmp_path: Path
) -> None:
    with postgres_server(int(free_port()), server) as replica:
        url = database.replace(f":{server.port}/", f":{replica.port}/")
        async with following(url) as feed:
            changes = feed.changes()
            await next_change(changes)
            assert await feed.read() == b"root"
            await put(tmp_path, database, b"next")
            await next_change(changes)
            assert await feed.read() == b"next"
            assert await feed.read_shards([REF]) == {REF.digest: BODY}
        async with wiring.leadership(tmp_path, url) as leadership:
            assert not await leadership.holds()


def granted(server: PostgresServer, database: str) -> str:
    """The URL of a role of the test's own, made as the docs say."""
    role, schema = f"origin_{uuid.uuid4().hex[:8]}", database.rpartition("=")[2]
    for block in DOCS.read_text().split("```sql\n")[1:]:
        statements = block.partition("```")[0].replace("headrace_origin", role).replace("'…'", "'of-the-origin'")
        statements = statements.replace("DATABASE headrace", "DATABASE postgres")
        server.execute(database, statements.replace("SCHEMA public", f"SCHEMA {schema}"))
    return database.replace(f"headrace:{PASSWORD}@", f"{role}:of-the-origin@")


async def test_the_role_of_the_docs_is_enough_for_an_origin_and_can_do_nothing_else(
    database: str, server: PostgresServer, tmp_path: Path
) -> None:
    url = granted(server, database)
    async with following(url) as feed:
        changes = feed.changes()
        await next_change(changes)
        await put(tmp_path, database, b"for origins")
        await next_change(changes)
        assert await feed.read() == b"for origins"
        assert await feed.read_shards([REF]) == {REF.digest: BODY}
    async with wiring.snapshot_store(tmp_path, url) as store:
        assert await store.read() == b"for origins"
    owner, origin = await asyncpg.connect(database), await asyncpg.connect(url)
    tables = [row["tablename"] for row in await owner.fetch(_TABLES)]
    assert len(tables) > 10
    await origin.execute("SET default_transaction_read_only = off")
    for table in tables:
        if not table.startswith("snapshot_"):
            await _refused(origin, f"SELECT FROM {table}")
        for statement in (f"INSERT INTO {table} DEFAULT VALUES", f"DELETE FROM {table}", f"TRUNCATE {table}"):
            await _refused(origin, statement)
        await _refused(origin, f"DROP TABLE {table}")
    for statement in (
        "UPDATE snapshot_root SET sealed = ''",
        "UPDATE snapshot_shards SET body = ''",
        "CREATE TABLE mine (id int)",
        "CREATE TEMPORARY TABLE mine (id int)",
        "SELECT pg_advisory_lock(1)",
        "SELECT pg_try_advisory_xact_lock_shared(1)",
        "SELECT pg_read_file('PG_VERSION')",
        "COPY snapshot_root TO PROGRAM 'cat'",
    ):
        await _refused(origin, statement)
    await owner.close()
    await origin.close()


_TABLES = "SELECT tablename FROM pg_tables WHERE schemaname = current_schema()"


async def _refused(connection: asyncpg.Connection, statement: str) -> None:
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        await connection.execute(statement)

"""Of several controllers on one database exactly one leads, and another one after it."""

import time
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager
from pathlib import Path

import pytest

from bundles.core.errors import Failed
from headrace import wiring
from release.adapters import postgresql_leadership
from release.ports import Leadership
from tests.support.postgresql import PostgresServer

pytestmark = pytest.mark.anyio

PATIENCE_SECONDS = 20


class Database:
    """A control database that controllers may lead."""

    def __init__(self, data: Path, name: str) -> None:
        self._data = data
        self.name = name

    def open(self) -> AbstractAsyncContextManager[Leadership]:
        return wiring.leadership(self._data, self.name)


@pytest.fixture
async def led(database: str, tmp_path: Path) -> Database:
    async with wiring.ledger(tmp_path, database):
        return Database(tmp_path, database)


@pytest.fixture
async def shared(postgresql: PostgresServer, tmp_path: Path) -> AsyncIterator[Database]:
    """One in PostgreSQL, which is up again when the test ends."""
    name = postgresql.new_database()
    async with wiring.ledger(tmp_path, name):
        pass
    yield Database(tmp_path, name)
    postgresql.ensure_running()


async def wait_to_lead(leadership: Leadership) -> None:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not await leadership.holds():
        assert time.monotonic() < deadline


async def test_one_leads_and_another_one_after_its_end(led: Database) -> None:
    async with led.open() as second:
        async with led.open() as first, led.open() as third:
            assert await first.holds()
            assert not await second.holds()
            assert not await third.holds()
            assert await first.holds()
        await wait_to_lead(second)
        async with led.open() as late:
            assert not await late.holds()


async def test_each_schema_of_a_database_has_a_leader_of_its_own(
    shared: Database, postgresql: PostgresServer, tmp_path: Path
) -> None:
    other = Database(tmp_path, postgresql.new_database())
    async with wiring.ledger(tmp_path, other.name):
        pass
    async with shared.open() as first, other.open() as second:
        assert await first.holds()
        assert await second.holds()


async def test_who_lost_the_connection_leads_no_more_until_it_is_his_turn_again(
    shared: Database, postgresql: PostgresServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(postgresql_leadership, "BEAT_SECONDS", 3600)
    async with shared.open() as first, shared.open() as second:
        assert await first.holds()
        assert not await second.holds()
        postgresql.end_connections("headrace-leader")
        with pytest.raises(Failed, match="is not known"):
            await first.holds()
        with pytest.raises(Failed, match="is not known"):
            await second.holds()
        assert await second.holds()
        assert not await first.holds()


async def test_a_leader_that_is_not_heard_of_is_replaced_and_one_that_only_looks_seldom_is_not(
    shared: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(postgresql_leadership._SETTINGS, "idle_session_timeout", "1s")
    monkeypatch.setattr(postgresql_leadership, "BEAT_SECONDS", 3600)
    async with shared.open() as hung:
        assert await hung.holds()
        monkeypatch.setattr(postgresql_leadership, "BEAT_SECONDS", 0.2)
        async with shared.open() as seldom, shared.open() as other:
            assert not await seldom.holds()
            await wait_to_lead(seldom)
            with pytest.raises(Failed, match="is not known"):
                await hung.holds()
            assert not await hung.holds()
            until = time.monotonic() + 2
            while time.monotonic() < until:
                assert not await other.holds()
            assert await seldom.holds()


async def test_a_server_that_hangs_or_is_away_leaves_nobody_leading(
    shared: Database, postgresql: PostgresServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(postgresql_leadership, "_ANSWER_SECONDS", 1)
    monkeypatch.setattr(postgresql_leadership, "CONNECT_SECONDS", 1)
    async with shared.open() as leadership:
        assert await leadership.holds()
        postgresql.hang()
        with pytest.raises(Failed, match="does not answer"):
            await leadership.holds()
        postgresql.resume()
        await wait_to_lead(leadership)
        postgresql.stop()
        for _ in range(2):
            with pytest.raises(Failed):
                await leadership.holds()
        postgresql.start()
        assert await leadership.holds()

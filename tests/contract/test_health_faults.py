"""A health database that is busy, away, or of a newer Headrace: that is told, and harms nothing else."""

import sqlite3
from collections.abc import Iterator
from pathlib import Path

import anyio
import asyncpg
import pytest

from beacons.core.beacon import FirstError
from bundles.core.errors import Failed, Invalid
from headrace import wiring
from headrace.health_wiring import HealthStore, health_schema, health_store
from release.adapters import postgresql_database, sqlite_database
from release.adapters.migrations import newest_step
from release.core.beacon_retention import BeaconRetention
from release.core.counts import Slot
from release.core.names import PRODUCTION
from release.ports import Unanswered
from tests.contract.test_health import ONE, SDK, SLOT, TWO, beacon, erred
from tests.contract.test_ledger import change
from tests.support.cli import succeed
from tests.support.postgresql import PASSWORD, PostgresServer
from tests.support.processes import controller

pytestmark = pytest.mark.anyio


@pytest.fixture
def server(postgresql: PostgresServer) -> Iterator[PostgresServer]:
    """The server, which is up again when the test ends."""
    yield postgresql
    postgresql.ensure_running()


async def count(store: HealthStore, number: int) -> int:
    return await store.counting.add([beacon(number)], SLOT)


async def test_sqlite_that_another_writer_holds_is_busy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sqlite_database, "BUSY_SECONDS", 0.1)
    async with health_store(tmp_path, None) as store:
        assert await count(store, 1) == 1
        other = sqlite3.connect(tmp_path / "health.db", isolation_level=None)
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(Unanswered, match=r"the health database .*health\.db is busy"):
            await count(store, 2)
        assert await store.health.slots(SDK, PRODUCTION, {ONE}, SLOT, SLOT) == {}  # readers wait for nobody
        other.close()
        assert await count(store, 2) == 1


async def test_what_is_no_database_is_told_and_used_once_it_is_one(tmp_path: Path) -> None:
    file = tmp_path / "health.db"
    file.write_bytes(b"no database" * 100)
    async with health_store(tmp_path, None) as store:
        with pytest.raises(Unanswered, match=r"the health database .*health\.db does not work: file is not a"):
            await count(store, 1)
        file.unlink()
        assert await count(store, 1) == 1


async def test_postgresql_that_is_away_is_told_and_used_once_it_is_back(
    server: PostgresServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(postgresql_database, "CONNECT_SECONDS", 1)
    async with health_store(tmp_path, server.new_database()) as store:
        server.stop()
        with pytest.raises(Unanswered, match=r"can't connect to the health database postgresql://127") as told:
            await count(store, 1)
        assert PASSWORD not in str(told.value)
        assert str(told.value).endswith(health_schema().remedy)
        server.start()
        assert await count(store, 1) == 1
        server.stop()
        with pytest.raises(Failed, match=r"the health database postgresql://|can't connect"):
            await count(store, 2)
        server.start()
        assert await count(store, 2) == 1


async def test_a_newer_schema_is_refused(database: str, tmp_path: Path) -> None:
    async with health_store(tmp_path, database) as store:
        assert await count(store, 1) == 1
    await write_step(database, "0999")
    async with health_store(tmp_path, database) as store:
        with pytest.raises(Failed, match="the health database is of another Headrace, newer than this one"):
            await count(store, 2)
    await write_step(database, health_schema().version)
    async with health_store(tmp_path, database) as store:
        assert await count(store, 1) == 0


async def write_step(database: str, step: str) -> None:
    statement = f"UPDATE health_version SET version_num = '{step}'"
    if "://" in database:
        connection = await asyncpg.connect(database)
        await connection.execute(statement)
        await connection.close()
        return
    with sqlite3.connect(database) as file:
        file.execute(statement)
    file.close()


def test_the_schema_that_is_looked_for_is_the_newest_step() -> None:
    assert newest_step(health_schema()) == health_schema().version


async def test_one_postgresql_database_holds_the_ledger_and_the_health(
    server: PostgresServer, tmp_path: Path
) -> None:
    database = server.new_database()
    for number in (1, 2):
        async with wiring.ledger(tmp_path, database) as ledger, health_store(tmp_path, database) as store:
            async with ledger.transaction():  # who counts does not wait for a change
                assert await count(store, number) == 1
            assert await change(ledger) == number


async def test_collectors_and_controllers_have_roles_that_can_do_no_more_than_they_must(
    server: PostgresServer, tmp_path: Path
) -> None:
    """As docs/health-database.md has them."""
    database = server.new_database()
    schema = database.rpartition("=")[2]
    async with health_store(tmp_path, database) as store:
        assert await count(store, 1) == 1
    page = await anyio.Path("docs/health-database.md").read_text()
    grants = page.partition("```sql\n")[2].partition("```")[0]
    for role in ("collector", "controller"):
        server.execute(database, f"CREATE ROLE {role}_{schema} LOGIN PASSWORD '{PASSWORD}'")
        server.execute(database, f"GRANT USAGE ON SCHEMA {schema} TO {role}_{schema}")
        grants = grants.replace(f"headrace_{role}", f"{role}_{schema}")
    server.execute(database, grants)
    async with health_store(tmp_path, database.replace("//headrace:", f"//collector_{schema}:")) as store:
        error = FirstError("Error", "", ())
        assert await store.counting.add([erred(2, error), erred(3, error)], SLOT) == 2
        with pytest.raises(Failed, match="permission denied"):
            await store.upkeep.upkeep(SLOT * 10 + 86400, BeaconRetention())
    async with health_store(tmp_path, database.replace("//headrace:", f"//controller_{schema}:")) as store:
        assert await store.health.slots(SDK, PRODUCTION, {ONE}, SLOT, Slot(SLOT + 1))
        assert await store.health.history(SDK, PRODUCTION, TWO, SLOT, Slot(SLOT + 1))
        assert await store.errors.groups(SDK, ONE, PRODUCTION)
        with pytest.raises(Failed, match="permission denied"):
            await count(store, 4)
        await store.upkeep.upkeep(SLOT * 10 + 400 * 86400, BeaconRetention())
        assert not await store.errors.groups(SDK, ONE, PRODUCTION)


async def test_a_url_of_another_form_is_not_shown(tmp_path: Path) -> None:
    for url in ("mysql://sam:secret@host/name", "host=localhost password=secret", "postgresql://sam:se/cret@h/n"):
        with pytest.raises(Invalid, match="postgresql://") as told:
            async with health_store(tmp_path, url):
                pytest.fail("opened")
        assert "cret" not in str(told.value)


def test_a_controller_works_without_it_and_keeps_it_up(released_data: Path) -> None:
    """It is away at first: what it would be is a folder."""
    (released_data / "health.db").mkdir()
    with controller(released_data) as process:
        assert "health.db" in process.wait_for("health database not kept up")["why"]
        succeed(released_data, "rollout", "start", "sdk", "1.1.0", "--stages", "100@0s")
        assert process.wait_for("promoted")
        assert "tick failed" not in str(process.log)
    (released_data / "health.db").rmdir()


async def test_the_controller_removes_what_is_old(released_data: Path) -> None:
    async with health_store(released_data, None) as store:
        assert await count(store, 1) == 1  # in 2023
        with controller(released_data) as process:
            process.wait_for("leading")
            while await store.health.slots(SDK, PRODUCTION, {ONE}, SLOT, Slot(SLOT + 1)):
                await anyio.sleep(0.05)

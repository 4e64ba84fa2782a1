"""What is left of counts by what is kept: whatever comes in which order, each beacon is in the history once."""

import shutil
import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager, suppress
from pathlib import Path

import anyio
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy.ext.asyncio import AsyncConnection

from beacons.adapters import sql_upkeep
from beacons.adapters.sql_counting import SqlCounting
from beacons.adapters.sql_health import SqlHealth
from beacons.adapters.sql_upkeep import SqlUpkeep
from beacons.core.beacon import Beacon, Outcome
from bundles.core.errors import Failed
from bundles.core.names import Product
from bundles.core.version import Version
from headrace.health_wiring import health_schema
from release.adapters.sql_database import SqlDatabase
from release.adapters.sqlite_database import open_sqlite
from release.core.beacon_retention import SLOTS_KEPT_SECONDS, BeaconRetention
from release.core.counts import SLOT_SECONDS, Slot
from release.core.names import PRODUCTION, Environment, Tenant

SDK, BUT, ACME = Product("sdk"), Version("2.0.0"), Tenant("acme")
PLACES = [(SDK, PRODUCTION), (SDK, Environment("staging")), (Product("@acme/menu"), PRODUCTION)]
RETENTION = BeaconRetention(minutes="4h", hours="8h")
KEPT = {SLOT_SECONDS: SLOTS_KEPT_SECONDS, 60: 4 * 3600, 3600: 8 * 3600}
HOUR = 3600
ZERO = 1_700_000_000 // HOUR * HOUR
SPAN = 14 * HOUR
EVER = (ZERO - HOUR, ZERO + 2 * SPAN)

times = st.integers(ZERO, ZERO + SPAN)
adds = st.lists(st.tuples(times, st.sampled_from(PLACES)), min_size=1, max_size=12).map(
    lambda found: ("add", found)
)
upkeeps = st.tuples(times, st.integers(0, 12)).map(lambda found: ("upkeep", found))
steps = st.lists(adds | upkeeps, max_size=12)


class BreakingOff:
    """A database whose user is gone after so many transactions, in the midst of the next one."""

    def __init__(self, database: SqlDatabase, transactions: int) -> None:
        self._database = database
        self._left = transactions
        self.reading = database.reading

    @asynccontextmanager
    async def writing(self, *, alone: bool = True) -> AsyncIterator[AsyncConnection]:
        async with self._database.writing(alone=alone) as connection:
            yield connection
            self._left -= 1
            if self._left < 0:
                raise Failed("killed")


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An empty health database."""

    async def make() -> None:
        async with open_sqlite(file, health_schema()) as database:
            assert database

    file = tmp_path_factory.mktemp("health") / "health.db"
    anyio.run(make)
    return file


@pytest.fixture(scope="module", autouse=True)
def _few_rows_at_a_time() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(sql_upkeep, "_ROWS_AT_A_TIME", 3)
        yield


class Model:
    """What was added, and since when each width is all there."""

    def __init__(self) -> None:
        self.added: list[tuple[int, tuple[Product, Environment]]] = []
        self.since = dict.fromkeys(KEPT, 0)

    def keep(self, width: int, now: int) -> None:
        self.since[width] = max(self.since[width], (now - KEPT[width]) // HOUR * HOUR)

    def history(self, place: tuple[Product, Environment], start: int, end: int) -> int:
        first = max(self._edge(start), self.since[HOUR])
        return sum(each == place and first <= at < self._edge(end) for at, each in self.added)

    def _edge(self, at: int) -> int:
        for width in KEPT:
            if at // width * width >= self.since[width]:
                return at // width * width
        return at // HOUR * HOUR


@settings(max_examples=25)
@given(steps=steps, looks=st.lists(st.tuples(times, times), min_size=4, max_size=4))
def test_whatever_comes_in_which_order_each_beacon_is_in_the_history_once(
    template: Path, steps: list[tuple[str, object]], looks: list[tuple[int, int]]
) -> None:
    with tempfile.TemporaryDirectory() as folder:
        anyio.run(_try, shutil.copy(template, folder), steps, looks)


async def _try(file: str, steps: list[tuple[str, object]], looks: list[tuple[int, int]]) -> None:
    model = Model()
    async with open_sqlite(Path(file), health_schema()) as database:
        for step in steps:
            match step:
                case ("add", list() as found):
                    await _add(database, model, found)
                case ("upkeep", (int() as now, int() as transactions)):
                    await _upkeep(database, model, now, transactions)
        for start, end in (EVER, *looks):
            for place in PLACES:
                assert await _units(database, place, start, end) == model.history(place, start, end)


async def _add(database: SqlDatabase, model: Model, found: list[tuple[int, tuple[Product, Environment]]]) -> None:
    for at, (product, environment) in found:
        number = len(model.added).to_bytes(16)
        beacon = Beacon(product, Version("1.0.0"), ACME, environment, number, Outcome.LOADED)
        assert await SqlCounting(database).add([beacon], _slot(at)) == 1
        model.added.append((at // SLOT_SECONDS * SLOT_SECONDS, (product, environment)))


async def _upkeep(database: SqlDatabase, model: Model, now: int, transactions: int) -> None:
    """Broken off, then done: in between, each width is as it was before or as it is after."""
    possible = {model.history(PLACES[0], *EVER)}
    with suppress(Failed):
        await SqlUpkeep(BreakingOff(database, transactions)).upkeep(now, RETENTION)
    seen = await _units(database, PLACES[0], *EVER)
    for width in KEPT:
        model.keep(width, now)
        possible.add(model.history(PLACES[0], *EVER))
    assert seen in possible
    await SqlUpkeep(database).upkeep(now, RETENTION)


async def _units(database: SqlDatabase, place: tuple[Product, Environment], start: int, end: int) -> int:
    history = await SqlHealth(database).history(*place, BUT, _slot(start), _slot(end))
    return sum(each.units for each in history.values())


def _slot(at: int) -> Slot:
    return Slot(at // SLOT_SECONDS)


class Reads:
    """A database that counts how often it is read."""

    def __init__(self, database: SqlDatabase) -> None:
        self._database = database
        self.writing = database.writing
        self.count = 0

    def reading(self) -> AbstractAsyncContextManager[AsyncConnection]:
        self.count += 1
        return self._database.reading()


async def _reads(file: Path | str, products: int) -> int:
    """How often upkeep reads where it has nothing to remove of so many products."""
    async with open_sqlite(Path(file), health_schema()) as database:
        beacons = [
            Beacon(Product(f"sdk-{number}"), Version("1.0.0"), ACME, PRODUCTION, bytes(16), Outcome.LOADED)
            for number in range(products)
        ]
        await SqlCounting(database).add(beacons, _slot(ZERO))
        reads = Reads(database)
        await SqlUpkeep(reads).upkeep(ZERO, RETENTION)
        return reads.count


def test_what_somebody_makes_up_does_not_make_upkeep_long(template: Path, tmp_path: Path) -> None:
    one, many = (shutil.copy(template, tmp_path / f"{number}.db") for number in (1, 2))
    assert anyio.run(_reads, one, 1) == anyio.run(_reads, many, 50)

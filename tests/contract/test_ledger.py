"""What the ledger promises, whatever database it is in."""

import contextlib
import sqlite3
from collections.abc import AsyncIterator
from pathlib import Path

import anyio
import msgspec
import pytest

from bundles.core.digest import digest_of
from bundles.core.errors import Failed, Refused
from bundles.core.names import Product
from bundles.core.version import Range, Version
from headrace import wiring
from release.core.audit import Change, Row, document_at
from release.core.names import PRODUCTION, STABLE, Channel, Tenant
from release.core.routing import Block, ChannelState, Pin, PinKey, ProductRoutes
from release.ports import TENANTS, KeyUse, Kind, Ledger, Transaction
from release.trail import check_trail
from tests.support.postgresql import PostgresServer

pytestmark = pytest.mark.anyio

SDK, OTHER = Product("sdk"), Product("@acme/menu")
ONE, TWO = Version("1.0.0"), Version("1.1.0")
ACME = PinKey(Tenant("acme"), PRODUCTION)
PIN, BLOCK = Pin(Range("^1.0"), "sam", "tested"), Block("sam", "leaks \u2603 'quoted'")
NOTES = Kind("notes", str)
CHANGE = Change(at=1, actor="sam", verb="test", product=SDK, subject="stable", reason="because")


@pytest.fixture
async def ledger(database: str, tmp_path: Path) -> AsyncIterator[Ledger]:
    """The ledger in each kind of database, empty."""
    async with wiring.ledger(tmp_path, database) as opened:
        yield opened


async def change(ledger: Ledger) -> int:
    """A change of one pin."""
    async with ledger.transaction() as transaction:
        await transaction.save_pin(SDK, ACME, PIN)
        return await transaction.record(CHANGE)


async def test_an_empty_ledger_is_at_revision_zero(ledger: Ledger) -> None:
    table = await ledger.table()
    assert (table.revision, table.products) == (0, {})
    async with ledger.transaction() as transaction:
        assert await transaction.revision() == 0
        assert await transaction.channel(SDK, STABLE) is None
        assert await transaction.pin(SDK, ACME) is None
        assert not await transaction.channels(SDK)
        assert not await transaction.pins(SDK)
        assert not await transaction.blocks(SDK)
        assert await transaction.retired(SDK) == frozenset()


async def test_what_is_written_is_read_again_in_the_transaction_and_after_it(
    ledger: Ledger, database: str, tmp_path: Path
) -> None:
    state = ChannelState((ONE, TWO))

    async def look(transaction: Transaction) -> None:
        assert await transaction.channel(SDK, STABLE) == state
        assert await transaction.channels(SDK) == {STABLE: state}
        assert await transaction.pin(SDK, ACME) == PIN
        assert await transaction.pins(SDK) == {"acme~production": PIN}
        assert await transaction.blocks(SDK) == {TWO: BLOCK}
        assert await transaction.retired(SDK) == {ONE}
        assert await transaction.channels(OTHER) == {}
        assert await transaction.document(NOTES, "one") == "second"
        assert await transaction.document(Kind("other", str), "one") is None
        assert await transaction.documents(NOTES) == {"one": "second"}
        assert (await transaction.table()).tenants[Tenant("acme")] == {"tier": "free"}

    async with ledger.transaction() as transaction:
        await transaction.save_channel(SDK, STABLE, ChannelState((ONE,)))
        await transaction.save_channel(SDK, STABLE, state)
        await transaction.save_pin(SDK, ACME, PIN)
        await transaction.save_block(SDK, TWO, BLOCK)
        await transaction.add_retired(SDK, [ONE])
        await transaction.save_document(TENANTS, "acme", {"tier": "free"})
        await transaction.save_document(NOTES, "one", "first")
        await transaction.save_document(NOTES, "one", "second")
        await look(transaction)
        assert await transaction.record(CHANGE) == 1
    async with wiring.ledger(tmp_path, database) as again:
        async with again.transaction() as transaction:
            await look(transaction)
        table = await again.table()
    routes = ProductRoutes({STABLE: state}, {"acme~production": PIN}, {TWO: BLOCK}, frozenset({ONE}))
    assert (table.revision, table.products) == (1, {SDK: routes})


async def test_what_is_taken_away_is_gone(ledger: Ledger) -> None:
    async with ledger.transaction() as transaction:
        await transaction.save_pin(SDK, ACME, PIN)
        await transaction.save_block(SDK, TWO, BLOCK)
        await transaction.save_pin(SDK, ACME, None)
        await transaction.save_block(SDK, TWO, None)
        assert not await transaction.pins(SDK)
        assert not await transaction.blocks(SDK)


async def test_a_transaction_that_raises_changes_nothing(ledger: Ledger) -> None:
    async def refused() -> None:
        async with ledger.transaction() as transaction:
            await transaction.save_pin(SDK, ACME, PIN)
            await transaction.record(CHANGE)
            raise Refused("as it is")

    with pytest.raises(Refused, match="as it is"):
        await refused()
    assert (await ledger.table()).revision == 0
    assert (await ledger.table()).products == {}


async def test_a_writer_waits_for_the_one_before_it_and_sees_all_that_it_did(
    ledger: Ledger, database: str, tmp_path: Path
) -> None:
    events: list[str] = []

    async def second(began: anyio.Event) -> None:
        await began.wait()
        async with wiring.ledger(tmp_path, database) as other, other.transaction() as transaction:
            revision = await transaction.revision()
            events.append(f"second at {revision}")
            assert await transaction.channel(SDK, STABLE) == ChannelState((ONE,))

    began = anyio.Event()
    async with anyio.create_task_group() as group:
        group.start_soon(second, began)
        async with ledger.transaction() as transaction:
            await transaction.revision()
            began.set()
            await anyio.sleep(0.5)
            await transaction.save_channel(SDK, STABLE, ChannelState((ONE,)))
            await transaction.record(CHANGE)
            events.append("first")
    assert events == ["first", "second at 1"]


async def test_the_table_is_of_one_revision_however_many_write(ledger: Ledger) -> None:
    """Each change writes its revision into two channels: a reader must never see two different ones."""

    async def write() -> None:
        for _ in range(20):
            async with ledger.transaction() as transaction:
                state = ChannelState((Version(f"{await transaction.revision() + 1}.0.0"),))
                await transaction.save_channel(SDK, STABLE, state)
                await transaction.save_channel(OTHER, Channel("next"), state)
                await transaction.record(CHANGE)

    seen = set()
    async with anyio.create_task_group() as group:
        for _ in range(2):
            group.start_soon(write)
        while 40 not in seen:
            table = await ledger.table()
            stable = [state.stable for routes in table.products.values() for state in routes.channels.values()]
            assert stable == [f"{table.revision}.0.0"] * (2 if table.revision else 0)
            seen.add(table.revision)
    assert len(seen) > 5


async def test_a_cancelled_change_lets_the_next_one_in(ledger: Ledger) -> None:
    with anyio.move_on_after(0.2):
        async with ledger.transaction() as transaction:
            await transaction.save_pin(SDK, ACME, PIN)
            await anyio.sleep_forever()
    assert await change(ledger) == 1


async def test_who_waits_too_long_for_another_writer_is_told(postgresql: PostgresServer, tmp_path: Path) -> None:
    async def wait_too_long(database: str) -> None:
        async with wiring.ledger(tmp_path, database) as first, wiring.ledger(tmp_path, database) as second:
            async with first.transaction() as transaction:
                await transaction.revision()
                with pytest.raises(Failed, match=r"is busy: another writer has held it for \d+ seconds"):
                    await change(second)
            assert await change(second) == 1

    async with anyio.create_task_group() as group:
        group.start_soon(wait_too_long, str(tmp_path / "control.db"))
        group.start_soon(wait_too_long, postgresql.new_database())


async def test_many_open_a_new_database_at_once(database: str, tmp_path: Path) -> None:
    revisions: list[int] = []

    async def open_and_change() -> None:
        async with wiring.ledger(tmp_path, database) as opened:
            revisions.append(await change(opened))

    async with anyio.create_task_group() as group:
        for _ in range(6):
            group.start_soon(open_and_change)
    assert sorted(revisions) == [1, 2, 3, 4, 5, 6]


async def test_one_program_opens_many_new_databases_at_once(postgresql: PostgresServer, tmp_path: Path) -> None:
    async def open_and_change(database: str) -> None:
        async with wiring.ledger(tmp_path, database) as opened:
            assert await change(opened) == 1

    async with anyio.create_task_group() as group:
        for number in range(5):
            group.start_soon(open_and_change, str(tmp_path / f"{number}.db"))
            group.start_soon(open_and_change, postgresql.new_database())


async def test_each_change_is_a_row_with_what_it_found_and_left(ledger: Ledger) -> None:
    async with ledger.transaction() as transaction:
        await transaction.save_pin(SDK, ACME, PIN)
        await transaction.save_channel(SDK, STABLE, ChannelState())
        await transaction.save_channel(SDK, STABLE, ChannelState((ONE,)))
        await transaction.save_document(NOTES, "one", "text")
        await transaction.record(CHANGE)
    async with ledger.transaction() as transaction:
        await transaction.save_pin(SDK, ACME, None)
        await transaction.save_block(SDK, TWO, BLOCK)
        await transaction.add_retired(SDK, [ONE])
        await transaction.record(CHANGE)
        first, second = await transaction.entry(1), await transaction.entry(2)
    assert (first.revision, first.actor, first.verb, first.reason) == (1, "sam", "test", "because")
    pin, channel, note = "pins/sdk/acme/production", "channels/sdk/stable", "documents/notes/one"
    assert first.before == {pin: None, channel: None, note: None}
    assert document_at(first.after, pin, Pin) == PIN
    assert document_at(first.after, channel, ChannelState) == ChannelState((ONE,))
    assert second.before == {pin: (first.after or {})[pin], "blocks/sdk/1.1.0": None, "retired/sdk/1.0.0": None}
    assert second.after is not None
    assert second.after["retired/sdk/1.0.0"] is True
    assert second.previous == (await trail(ledger))[0].hash
    assert (await ledger.table()).audit_head == (await trail(ledger))[1].hash


async def trail(ledger: Ledger, product: Product | None = None, after: int = 0) -> list[Row]:
    async with ledger.reading() as reading:
        return [row async for row in reading.trail(product, after=after)]


async def test_the_trail_is_whole_and_a_products_part_of_it_is_found(ledger: Ledger) -> None:
    for _ in range(3):
        await change(ledger)
        async with ledger.transaction() as transaction:
            await transaction.record(msgspec.structs.replace(CHANGE, product=OTHER))
    assert [row.revision for row in await trail(ledger)] == [1, 2, 3, 4, 5, 6]
    assert [row.revision for row in await trail(ledger, OTHER)] == [2, 4, 6]
    assert [row.revision for row in await trail(ledger, OTHER, after=2)] == [4, 6]
    assert await trail(ledger, after=6) == []
    async with ledger.reading() as reading:
        newest = [row.revision async for row in reading.trail(OTHER, before=6, newest_first=True, limit=1)]
    assert newest == [4]
    async with ledger.reading() as reading:
        assert await check_trail(reading, {6: (await reading.table()).audit_head}) == ()


async def test_a_channels_changes_are_those_that_wrote_to_it(ledger: Ledger) -> None:
    next_, state = Channel("next"), ChannelState((ONE,))
    for channels in ((STABLE,), (next_,), (STABLE, next_), ()):
        async with ledger.transaction() as transaction:
            for channel in channels:
                await transaction.save_channel(SDK, channel, state)
            await transaction.record(CHANGE)
    async with ledger.reading() as reading:
        assert [row.revision async for row in reading.trail(SDK, STABLE)] == [1, 3]
        newest = reading.trail(SDK, next_, newest_first=True, after=1, before=9, limit=2)
        assert [row.revision async for row in newest] == [3, 2]
        assert [row.revision async for row in reading.trail(OTHER, STABLE)] == []
        assert await check_trail(reading, {}) == ()


@pytest.mark.parametrize(
    ("tamper", "named"),
    [
        ("DELETE FROM changed_channels WHERE revision = 2", 2),
        ("UPDATE changed_channels SET channel = 'next' WHERE revision = 2", 2),
        ("UPDATE changed_channels SET product = 'other' WHERE revision = 3", 3),
        ("INSERT INTO changed_channels VALUES ('sdk', 'next', 4)", 4),
        ("UPDATE audit_entries SET entry = replace(entry, 'because', 'be-cause') WHERE revision = 2", 2),
        ("UPDATE audit_entries SET product = 'other' WHERE revision = 3", 3),
        ("UPDATE audit_entries SET revision = 9 WHERE revision = 2", 2),
        ("DELETE FROM audit_entries WHERE revision = 1", 1),
        ("DELETE FROM audit_entries WHERE revision = 5", 5),
        ("DELETE FROM audit_entries WHERE revision > 2", 3),
        ("DELETE FROM audit_entries", 1),
        ("UPDATE current_revision SET revision = 4", 5),
    ],
)
async def test_what_is_done_to_the_trail_behind_our_back_is_found(
    ledger: Ledger, database: str, tamper: str, named: int, request: pytest.FixtureRequest
) -> None:
    for _ in range(5):
        async with ledger.transaction() as transaction:
            await transaction.save_channel(SDK, STABLE, ChannelState((ONE,)))
            await transaction.record(CHANGE)
    if database.startswith("postgresql"):
        request.getfixturevalue("postgresql").execute(database, tamper)
    else:
        with contextlib.closing(sqlite3.connect(database, isolation_level=None)) as connection:
            connection.execute(tamper)
    async with ledger.reading() as reading:
        faults = await check_trail(reading, {})
    assert faults[0].revision == named


async def test_a_key_is_kept_for_its_actor_until_it_is_forgotten(ledger: Ledger) -> None:
    use = KeyUse("sam", "key-1", digest_of(b"request"), 1, at=100)
    async with ledger.transaction() as transaction:
        await transaction.save_key_use(use)
        await transaction.save_key_use(msgspec.structs.replace(use, key="key-2", at=200))
    async with ledger.transaction() as transaction:
        assert await transaction.key_use("sam", "key-1") == use
        assert await transaction.key_use("kim", "key-1") is None
        await transaction.forget_keys(200)
        assert await transaction.key_use("sam", "key-1") is None
        assert await transaction.key_use("sam", "key-2") is not None
        again = msgspec.structs.replace(use, key="key-2", revision=7, at=300)
        await transaction.save_key_use(again)
        assert await transaction.key_use("sam", "key-2") == again

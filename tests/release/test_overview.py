"""What the controller looks at each interval: all of it, and read once."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager

import pytest

from bundles.core.names import Product
from bundles.core.version import Range, Version
from release.blocks import clear_block, set_block
from release.change import Author, Control
from release.core.commands import Promote, Start
from release.core.names import PRODUCTION, STABLE, Channel, Tenant
from release.core.plan import parse_plan
from release.core.routing import Pin, PinKey, ProductRoutes, RoutingTable
from release.overview import Overview
from release.pins import set_pin
from release.ports import Ledger, Reading
from release.rollouts import command_channel

pytestmark = pytest.mark.anyio

SDK = Product("sdk")
ONE, TWO = Version("1.0.0"), Version("1.1.0")
SAM = Author("sam")


class Counting:
    """A ledger that counts how often its whole table is read."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        self.transaction = ledger.transaction
        self.table = ledger.table
        self.whole = 0

    @asynccontextmanager
    async def reading(self) -> AsyncIterator[Reading]:
        """As ever."""
        async with self._ledger.reading() as reading:
            table = reading.table

            async def counted(*, with_tenants: bool = True) -> RoutingTable:
                self.whole += 1
                return await table(with_tenants=with_tenants)

            reading.table = counted  # type: ignore[method-assign]
            yield reading


async def products(control: Control) -> Mapping[Product, ProductRoutes]:
    async with control.ledger.reading() as reading:
        return (await reading.table(with_tenants=False)).products


async def test_each_look_sees_all_and_reads_only_what_was_changed(control: Control) -> None:
    overview, ledger = Overview(), Counting(control.ledger)
    assert (await overview.look(ledger)).products == {}
    start = Start(ONE, parse_plan("staging,100", [], None), "salt")
    for command in (start, Promote(), Promote()):
        await command_channel(control, SDK, STABLE, command, SAM)
        await command_channel(control, SDK, Channel("next"), command, SAM)
        assert (await overview.look(ledger)).products == await products(control)
    await set_pin(control, SDK, PinKey(Tenant("acme"), PRODUCTION), Pin(Range("1.0.0"), "sam", ""), SAM)
    await set_block(control, SDK, TWO, SAM)
    seen = await overview.look(ledger)
    assert seen.products == await products(control)
    assert seen.revision == (await control.ledger.table()).revision == 8
    await clear_block(control, SDK, TWO, SAM)
    assert (await overview.look(ledger)).products == await products(control)
    assert await overview.look(ledger) is await overview.look(ledger)
    assert ledger.whole == 1


async def test_what_is_no_continuation_of_what_was_seen_is_read_anew(control: Control) -> None:
    overview = Overview()
    await set_block(control, SDK, ONE, SAM)
    await overview.look(control.ledger)
    async with control.ledger.reading() as reading:
        backup = [record async for record in reading.records()]
    await set_block(control, SDK, TWO, SAM)
    assert (await overview.look(control.ledger)).products[SDK].blocks.keys() == {ONE, TWO}

    async def records() -> AsyncIterator[tuple[str, Mapping[str, object]]]:
        for record in backup:
            yield record

    async with control.ledger.transaction() as transaction:
        await transaction.load(records())
    assert (await overview.look(control.ledger)).products[SDK].blocks.keys() == {ONE}

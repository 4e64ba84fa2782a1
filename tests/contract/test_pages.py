"""What a page of a list costs, and that the pages are the list, whatever database it is in.

Cost is counted, not timed: the statements that a page sends are run again, and what is counted are the steps that
SQLite takes for them, or the rows that PostgreSQL reads.
"""

import contextlib
import json
import sqlite3
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any, TypeVar

import anyio
import asyncpg
import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from api.core.access import Caller, Grant
from api.core.operation import Operation, Terms
from api.core.page import MOST_LOOKED_AT, Page, items_of, seal_cursor
from api.core.role import Role
from api.operations.blocks import ListBlocks
from api.operations.changes import ListAuditRows, ListChanges, Order
from api.operations.pins import ListPins
from api.operations.tenants import ListTenants
from api.perform import Plane, perform
from api.sources import OpenedSources
from benchmarks.many_rows import RARE, RARE_CHANNEL, RARE_PRODUCT, SDK, filling
from bundles.core.version import Range, Version
from headrace import wiring
from headrace.access_wiring import access_store
from release.core.audit import Change
from release.core.names import PRODUCTION, Channel, Environment, Tenant
from release.core.routing import Block, ChannelState, Pin, PinKey
from release.ports import TENANTS, Transaction
from tests.support.postgresql import PostgresServer

A = TypeVar("A")
VIEWER = Caller("token:eve", Grant(roles=frozenset({Role.VIEWER})))
OF_RARE = Caller("token:oth", Grant(roles=frozenset({Role.VIEWER}), products=("ra*",)))
CHANGE = Change(at=1, actor="sam", verb="test", product=SDK, subject="stable", reason="because")
FEW, MANY = 2_000, 20_000

MIDST: list[Operation[Page[Any]]] = [
    ListTenants(limit=50, cursor=seal_cursor("tenant-1500")),
    ListPins(product=SDK, limit=50, cursor=seal_cursor("tenant-1500~production")),
    ListPins(product=SDK, limit=50, cursor=seal_cursor("tenant-1500~production"), warned=True),
    ListAuditRows(limit=50, cursor=seal_cursor("1500")),
    *(
        ListChanges(limit=RARE // 2, order=order, product=product, channel=channel)
        for order in Order
        for product, channel in [(None, None), (SDK, None), (SDK, RARE_CHANNEL), (RARE_PRODUCT, None)]
    ),
]


@asynccontextmanager
async def opened(database: str, folder: Path) -> AsyncIterator[Plane]:
    """What operations are performed on, with its control database there."""
    async with wiring.control(folder, database) as control, access_store(folder, database) as access:
        yield Plane(control, access, OpenedSources(control))


async def read(plane: Plane, asked: Operation[A], caller: Caller = VIEWER) -> A:
    return await perform(plane, caller, asked, Terms())


@pytest.mark.anyio
async def test_a_page_costs_no_more_where_there_are_ten_times_as_many(
    database: str, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    costs = []
    for count in (FEW, MANY):
        async with opened(database, tmp_path) as plane:
            await fill(database, count, request)
            costs.append([await cost_of(database, plane, asked) for asked in MIDST])
            sifted = await cost_of(database, plane, ListChanges(limit=10), OF_RARE)
            assert sifted <= 40 * MOST_LOOKED_AT
    for asked, few, many in zip(MIDST, *costs, strict=True):
        assert 0 < many <= 1.2 * few, asked


async def cost_of(database: str, plane: Plane, asked: Operation[Page[Any]], caller: Caller = VIEWER) -> int:
    """SQLite's steps or PostgreSQL's rows, for a page that must not be empty."""
    with statements() as sent:
        page = await read(plane, asked, caller)
    assert page.items or page.next
    assert sent
    return await (_rows_of if "://" in database else _steps_of)(database, sent)


@contextmanager
def statements() -> Iterator[list[tuple[str, Sequence[Any]]]]:
    """The statements that read, as they are sent within it, with their parameters."""
    sent: list[tuple[str, Sequence[Any]]] = []

    def note(_connection: object, _cursor: object, statement: str, parameters: Sequence[Any], *_: object) -> None:
        if statement.startswith("SELECT"):
            sent.append((statement, parameters))

    sa.event.listen(sa.Engine, "before_cursor_execute", note)
    try:
        yield sent
    finally:
        sa.event.remove(sa.Engine, "before_cursor_execute", note)


async def _steps_of(database: str, sent: Sequence[tuple[str, Sequence[Any]]]) -> int:
    steps = 0

    def count() -> None:
        nonlocal steps
        steps += 1

    with contextlib.closing(sqlite3.connect(database)) as connection:
        connection.set_progress_handler(count, 1)
        for statement, parameters in sent:
            connection.execute(statement, parameters).fetchall()
    return steps


async def _rows_of(database: str, sent: Sequence[tuple[str, Sequence[Any]]]) -> int:
    connection = await asyncpg.connect(database)
    try:
        plans = [
            json.loads(await connection.fetchval(f"EXPLAIN (ANALYZE, FORMAT JSON) {statement}", *parameters))
            for statement, parameters in sent
            if "pg_advisory" not in statement
        ]
    finally:
        await connection.close()
    return sum(_rows_in(plan["Plan"]) for (plan,) in plans)


def _rows_in(plan: dict[str, Any]) -> int:
    rows = (plan["Actual Rows"] + plan.get("Rows Removed by Filter", 0)) * plan["Actual Loops"]
    return int(rows) + sum(_rows_in(part) for part in plan.get("Plans", ()))


async def fill(database: str, count: int, request: pytest.FixtureRequest) -> None:
    """Empty the ledger's lists, and bring them to so many."""
    emptied = [
        f"DELETE FROM {name}" for name in ("channels", "documents", "pins", "audit_entries", "changed_channels")
    ]
    script = "; ".join([*emptied, *filling(count)])
    if "://" in database:
        server: PostgresServer = request.getfixturevalue("postgresql")
        server.execute(database, f"{script}; ANALYZE")
        return
    with contextlib.closing(sqlite3.connect(database)) as connection:
        connection.executescript(script)


NAMES = st.text("abAB019._:-", min_size=1, max_size=5).map(lambda text: f"t{text}0")
WRITES = st.lists(st.lists(NAMES, max_size=3), max_size=4)
LIMITS = st.integers(1, 5)
UNDER_WRITES = settings(max_examples=8, suppress_health_check=[HealthCheck.function_scoped_fixture])


@UNDER_WRITES
@given(there=st.sets(NAMES, min_size=1, max_size=12), added=WRITES, limit=LIMITS)
def test_the_pages_are_the_list_in_order_while_others_are_added(
    database: str, tmp_path: Path, there: set[str], added: list[list[str]], limit: int
) -> None:
    async def walk() -> None:
        async with opened(database, tmp_path) as plane:
            await make(plane, there, replace=True)
            expected: dict[Operation[Page[Any]], list[Any]] = {
                ListTenants(limit=limit): sorted(there),
                ListPins(product=SDK, limit=limit): sorted((name, env) for name in there for env in ("a", "b")),
                ListBlocks(product=SDK, limit=limit): sorted(map(_version, there)),
            }
            for asked, whole in expected.items():
                seen = [_key(item) async for item in _walked(plane, asked, added)]
                assert seen == sorted(set(seen))
                assert [key for key in seen if key in whole] == whole
                await make(plane, there, replace=True)
                assert [_key(item) async for item in _walked(plane, asked, [])] == whole

    anyio.run(walk)


@UNDER_WRITES
@given(
    channels=st.lists(st.sampled_from(["stable", "next", ""]), max_size=12),
    limit=LIMITS,
    order=st.sampled_from(Order),
)
def test_the_pages_of_a_channels_changes_are_all_of_them_in_order(
    database: str, tmp_path: Path, channels: list[str], limit: int, order: Order
) -> None:
    async def walk() -> None:
        async with opened(database, tmp_path) as plane:
            begun = (await plane.control.ledger.table()).revision
            for channel in channels:
                await change_channel(plane, channel)
            asked = ListChanges(product=SDK, channel="next", limit=limit, order=order, after=begun)
            seen = [item.revision async for item in _walked(plane, asked, [["tz0"]])]
            numbered = enumerate(channels, begun + 1)
            whole = [revision for revision, channel in numbered if channel == "next"]
            assert seen == (whole if order is Order.OLDEST else whole[::-1])

    anyio.run(walk)


@pytest.mark.anyio
async def test_a_list_of_which_little_is_wanted_is_walked_to_its_end(
    database: str, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    """Pages in its midst are empty, and not the last."""
    async with opened(database, tmp_path) as plane:
        await fill(database, FEW, request)
        key, ended = PinKey(Tenant("zeta"), PRODUCTION), Pin(Range("1.0.0"), "sam", "", expires_at=1)
        async with plane.control.ledger.transaction() as transaction:
            await transaction.save_pin(SDK, key, ended)
        asked = ListPins(product=SDK, warned=True)
        first = await read(plane, asked)
        assert (first.items, first.next is None) == ((), False)
        assert [item.tenant async for item in _walked(plane, asked, [])] == ["zeta"]
        changes = [item.revision async for item in _walked(plane, ListChanges(), [], OF_RARE)]
        assert changes == list(range(RARE, 0, -1))


async def _walked(
    plane: Plane, asked: Operation[Page[Any]], added: list[list[str]], caller: Caller = VIEWER
) -> AsyncIterator[Any]:
    """All items of a list, while after each page more are added, as long as there are more to add."""
    waiting = iter(added)

    async def ask(each: Operation[Page[Any]]) -> Page[Any]:
        page = await read(plane, each, caller)
        if names := next(waiting, None):
            await make(plane, names)
        return page

    async for item in items_of(ask, asked):
        yield item


async def make(plane: Plane, names: Sequence[str] | set[str], *, replace: bool = False) -> None:
    """A tenant, its pins and a blocked build for each name; with `replace` in the place of all there are."""
    async with plane.control.ledger.transaction() as transaction:
        if replace:
            await _take_away(transaction)
        for name in names:
            await transaction.save_document(TENANTS, name, {"tier": "free"})
            for environment in ("a", "b"):
                key = PinKey(Tenant(name), Environment(environment))
                await transaction.save_pin(SDK, key, Pin(Range("1.0.0"), "sam", ""))
            await transaction.save_block(SDK, Version(_version(name)), Block("sam", ""))
        await transaction.record(CHANGE)


async def _take_away(transaction: Transaction) -> None:
    for name in await transaction.documents(TENANTS):
        await transaction.save_document(TENANTS, name, None)
        for environment in ("a", "b"):
            await transaction.save_pin(SDK, PinKey(Tenant(name), Environment(environment)), None)
    for version in await transaction.blocks(SDK):
        await transaction.save_block(SDK, version, None)


async def change_channel(plane: Plane, channel: str) -> None:
    async with plane.control.ledger.transaction() as transaction:
        if channel:
            await transaction.save_channel(SDK, Channel(channel), ChannelState((Version("1.0.0"),)))
        await transaction.record(CHANGE)


def _version(name: str) -> str:
    return f"1.0.0-{name.encode().hex()}a"


def _key(item: Any) -> Any:
    if hasattr(item, "environment"):
        return item.tenant, item.environment
    return item.tenant if hasattr(item, "tenant") else item.version

"""Databases of every earlier Headrace, with data in them, come up to date with all of it."""

import hashlib
import json
from collections.abc import Iterator, Mapping
from pathlib import Path

import asyncpg
import pytest
import sqlalchemy as sa
from sqlalchemy.engine.interfaces import ReflectedColumn
from sqlalchemy.ext.asyncio import create_async_engine

from bundles.core.names import Product
from bundles.core.version import Range, Version
from headrace import wiring
from release.adapters import schema
from release.adapters.migrations import newest_step, upgrade
from release.adapters.postgresql_database import open_postgresql
from release.adapters.sql_database import SqlDatabase
from release.adapters.sql_schema import CONTROL
from release.adapters.sqlite_database import open_sqlite
from release.core.audit import open_row
from release.core.names import PRODUCTION, STABLE, Tenant
from release.core.routing import Block, ChannelState, Pin, PinKey
from release.policies import IN_FORCE, POLICIES
from release.ports import Ledger
from release.trail import check_trail
from tests.support.postgresql import PostgresServer

pytestmark = pytest.mark.anyio

SDK, ONE, TWO = Product("sdk"), Version("1.0.0"), Version("1.1.0")

# As the Headrace of each schema wrote it.
_FIRST = [
    "INSERT INTO channels VALUES ('sdk', 'stable', '{\"history\":[\"1.0.0\"],\"rollout\":null}')",
    'INSERT INTO pins VALUES (\'sdk\', \'acme\', \'production\', \'{"author":"sam","reason":"","target":"^1"}\')',
    'INSERT INTO blocks VALUES (\'sdk\', \'1.1.0\', \'{"author":"sam","reason":"leaks"}\')',
    "UPDATE current_revision SET revision = 3",
]
_CHANGES = [(1, "start", "stable"), (2, "promote", "stable"), (3, "block-set", "1.1.0")]
_REASON = 'caf\u00e9 "x" \u2603'
_AUDIT = [
    "INSERT INTO audit (revision, at, actor, verb, product, subject, reason) VALUES"
    f" ({revision}, {1_700_000_000 + revision}, 'sam', '{verb}', 'sdk', '{subject}', '{_REASON}')"
    for revision, verb, subject in _CHANGES
]
_RETIRED = ["INSERT INTO retired VALUES ('sdk', '0.9.0')"]
_DOCUMENTS = ["INSERT INTO documents VALUES ('policy', 'in-force', '{}')"]
_SMOKE = ["INSERT INTO smoke_outcomes VALUES ('sdk', 'stable', 2, '1.0.0', '{}')"]


def _chain() -> Iterator[str]:
    previous = "0" * 64
    for revision, verb, subject in _CHANGES:
        change = {"actor": "sam", "at": 1_700_000_000 + revision, "product": "sdk", "reason": _REASON}
        places = {"before": {"channels/sdk/stable": None}, "after": {"channels/sdk/stable": {"history": []}}}
        row = {**change, **places, "previous": previous, "revision": revision, "subject": subject, "verb": verb}
        entry = json.dumps(row, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
        previous = hashlib.sha256(entry.encode()).hexdigest()
        yield f"INSERT INTO audit_entries VALUES ({revision}, 'sdk', '{entry}', '{previous}')"
    yield f"UPDATE current_revision SET audit_head = '{previous}'"
    yield "INSERT INTO idempotency_keys VALUES ('sam', 'key-1', 'digest', 3, 1700000003)"


# SQLite has their documents as bytes.
_AS_BYTES = [
    "UPDATE channels SET state = CAST(state AS BLOB)",
    "UPDATE pins SET pin = CAST(pin AS BLOB)",
    "UPDATE blocks SET block = CAST(block AS BLOB)",
]
WRITTEN = {
    "0001": [*_FIRST, *_AUDIT],
    "0002": [*_FIRST, *_AUDIT, *_RETIRED],
    "0003": [*_FIRST, *_AUDIT, *_RETIRED, *_DOCUMENTS],
    "0004": [*_FIRST, *_chain(), *_RETIRED, *_DOCUMENTS],
    "0005": [*_FIRST, *_chain(), *_RETIRED, *_DOCUMENTS, *_SMOKE],
    "0006": [*_FIRST, *_chain(), *_RETIRED, *_DOCUMENTS, *_SMOKE],
}
OLDER = sorted(WRITTEN)


def test_every_earlier_schema_is_tried() -> None:
    steps = sorted(file.stem[:4] for file in CONTROL.steps.glob("0*.py"))
    assert steps == [*OLDER, newest_step(CONTROL)]


@pytest.mark.parametrize("version", OLDER)
async def test_a_database_of_an_older_schema_keeps_all_that_is_in_it(
    database: str, tmp_path: Path, version: str
) -> None:
    await write_database(database, version)
    for _ in range(2):
        async with wiring.ledger(tmp_path, database) as ledger:
            await _check(ledger, version)


@pytest.mark.parametrize("version", OLDER)
async def test_the_schema_that_is_come_to_is_the_one_that_is_written(
    database: str, tmp_path: Path, version: str
) -> None:
    await write_database(database, version)
    async with wiring.ledger(tmp_path, database):
        pass
    opened = open_postgresql(database) if "://" in database else open_sqlite(Path(database), CONTROL)
    written = [schema.metadata, schema.snapshot_metadata] if "://" in database else [schema.metadata]
    tables = {table.name: table for metadata in written for table in metadata.sorted_tables}
    async with opened as found:
        await _check_columns(found, tables)


async def _check_columns(database: SqlDatabase, tables: Mapping[str, sa.Table]) -> None:
    async with database.reading() as connection:
        for table in tables.values():
            columns = await connection.run_sync(_columns, table.name)
            assert {each["name"]: each["nullable"] for each in columns} == {
                column.name: column.nullable for column in table.columns
            }
        names = await connection.run_sync(_table_names)
    assert set(names) == {*tables, "alembic_version"}


def _columns(connection: sa.Connection, table: str) -> list[ReflectedColumn]:
    return sa.inspect(connection).get_columns(table)


async def test_keys_are_in_the_order_that_python_has_for_them(postgresql: PostgresServer, tmp_path: Path) -> None:
    """Also in a database that was made with the order of a language; SQLite's is the same as Python's."""
    database = postgresql.new_database()
    async with wiring.ledger(tmp_path, database):
        pass
    async with open_postgresql(database) as found, found.reading() as connection:
        columns = [
            (table, column["name"], getattr(column["type"], "collation", None))
            for table in ("documents", "pins", "blocks")
            for column in await connection.run_sync(_columns, table)
        ]
    assert [column for *column, collation in columns if collation == "C"] == [
        ["documents", "name"],
        ["pins", "tenant"],
        ["pins", "environment"],
        ["blocks", "version"],
    ]


def _table_names(connection: sa.Connection) -> list[str]:
    return sa.inspect(connection).get_table_names()


async def _check(ledger: Ledger, version: str) -> None:
    table = await ledger.table()
    routes = table.products[SDK]
    assert table.revision == 3
    assert routes.channels == {STABLE: ChannelState((ONE,))}
    assert routes.pins == {str(PinKey(Tenant("acme"), PRODUCTION)): Pin(Range("^1"), "sam", "")}
    assert routes.blocks == {TWO: Block("sam", "leaks")}
    assert routes.retired == (frozenset() if version == "0001" else {Version("0.9.0")})
    async with ledger.reading() as reading:
        assert await check_trail(reading, {}) == ()
        entries = [open_row(row) async for row in reading.trail()]
        found = [row.revision async for row in reading.trail(SDK, STABLE)]
    assert [(entry.revision, entry.verb, entry.subject) for entry in entries] == _CHANGES
    assert {(entry.actor, entry.reason) for entry in entries} == {("sam", _REASON)}
    assert {entry.after is None for entry in entries} == {version < "0004"}
    assert found == ([1, 2] if version < "0004" else [1, 2, 3])
    async with ledger.transaction() as transaction:
        assert (await transaction.document(POLICIES, IN_FORCE) is not None) == (version >= "0003")
        assert (await transaction.key_use("sam", "key-1") is not None) == (version >= "0004")


async def write_database(database: str, version: str) -> None:
    """Make a database in this schema, with data in it."""
    if "://" in database:
        engine = create_async_engine("postgresql+asyncpg://", async_creator=lambda: asyncpg.connect(database))
    else:
        engine = create_async_engine(f"sqlite+aiosqlite:///{database}")
    async with engine.begin() as connection:
        await connection.run_sync(upgrade, CONTROL, version)
        for statement in [*WRITTEN[version], *([] if "://" in database else _AS_BYTES)]:
            await connection.exec_driver_sql(statement)
    await engine.dispose()

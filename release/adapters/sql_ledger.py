"""The ledger in a SQL database, through SQLAlchemy Core."""

import contextlib
import sqlite3
from collections.abc import AsyncIterator, Collection, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Self, TypeVar

import anyio.to_thread
import msgspec
from sqlalchemy import URL, Connection, Table, delete, event, insert, inspect, select, text, update
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.exc import DBAPIError, SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine

from bundles.core.errors import Failed
from bundles.core.names import Product
from bundles.core.version import Version
from release.adapters import schema
from release.core.codec import decode_document, encode_document
from release.core.names import Channel, Environment, Tenant
from release.core.routing import Block, ChannelState, Pin, PinKey, ProductRoutes, RoutingTable
from release.ports import Change, Kind

_BUSY_TIMEOUT_MS = 10_000

T = TypeVar("T")


class SqlLedger:
    """The control plane's state in one SQLite file, in WAL mode and synced at each commit."""

    def __init__(self, engine: AsyncEngine, name: str) -> None:
        self._engine = engine
        self._name = name

    @classmethod
    @asynccontextmanager
    async def open(cls, file: Path) -> AsyncIterator[Self]:
        """The database in this file, made if it is not there, with its schema brought up to date."""
        try:
            file.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise Failed(f"can't make {file.parent}: {error.strerror}") from None
        await anyio.to_thread.run_sync(_check_readable, file)
        engine = create_async_engine(URL.create("sqlite+aiosqlite", database=str(file)))
        event.listen(engine.sync_engine, "connect", _prepare_sqlite)
        event.listen(engine.sync_engine, "begin", _begin)
        ledger = cls(engine, str(file))
        try:
            await ledger._migrate()
            yield ledger
        finally:
            await engine.dispose()

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator["SqlTransaction"]:
        """Everything in it is committed at its end, or, where it raises, nothing."""
        async with self._begin() as connection:
            yield SqlTransaction(connection)

    async def table(self) -> RoutingTable:
        """The whole routing table, at one revision."""
        async with self._begin(reading=True) as connection:
            revision = await SqlTransaction(connection).revision()
            channels: dict[Product, dict[Channel, ChannelState]] = {}
            pins: dict[Product, dict[str, Pin]] = {}
            blocks: dict[Product, dict[Version, Block]] = {}
            retired: dict[Product, set[Version]] = {}
            for product, name, state in await connection.execute(select(schema.channels)):
                channels.setdefault(product, {})[name] = decode_document(state, ChannelState)
            for product, tenant, environment, pin in await connection.execute(select(schema.pins)):
                key = PinKey(Tenant(tenant), Environment(environment))
                pins.setdefault(product, {})[str(key)] = decode_document(pin, Pin)
            for product, version, block in await connection.execute(select(schema.blocks)):
                blocks.setdefault(product, {})[version] = decode_document(block, Block)
            for product, version in await connection.execute(select(schema.retired)):
                retired.setdefault(product, set()).add(version)
        products = {
            product: ProductRoutes(
                channels.get(product, {}),
                pins.get(product, {}),
                blocks.get(product, {}),
                frozenset(retired.get(product, ())),
            )
            for product in channels.keys() | pins.keys() | blocks.keys() | retired.keys()
        }
        return RoutingTable(revision=revision, products=products)

    @asynccontextmanager
    async def _begin(self, *, reading: bool = False) -> AsyncIterator[AsyncConnection]:
        engine = self._engine.execution_options(reading=reading)
        try:
            async with engine.begin() as connection:
                yield connection
        except (SQLAlchemyError, msgspec.MsgspecError) as error:
            raise _broken(self._name, _cause(error)) from None

    async def _migrate(self) -> None:
        async with self._begin(reading=True) as connection:
            if await connection.run_sync(_schema_version) == schema.VERSION:
                return
        from release.adapters.migrations import upgrade  # most starts find the schema up to date without alembic

        async with self._begin() as connection:
            await connection.run_sync(upgrade)


class SqlTransaction:
    """One change, alone: SQLite's write lock is held from its first statement."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def revision(self) -> int:
        """The routing table's present revision; 0 before the first change."""
        revision = await self._connection.scalar(select(schema.revisions.c.revision))
        if revision is None:
            raise Failed("the control database has no revision: restore a backup")
        return int(revision)

    async def channel(self, product: Product, name: Channel) -> ChannelState | None:
        """A channel's state."""
        document = await self._document(schema.channels, product=product, name=name)
        return None if document is None else decode_document(document, ChannelState)

    async def channels(self, product: Product) -> Mapping[Channel, ChannelState]:
        """All the product's channels."""
        query = select(schema.channels.c.name, schema.channels.c.state).filter_by(product=product)
        rows = await self._connection.execute(query)
        return {name: decode_document(state, ChannelState) for name, state in rows}

    async def save_channel(self, product: Product, name: Channel, state: ChannelState) -> None:
        """Write a channel's state, new or known."""
        await self._replace(schema.channels, state, product=product, name=name)

    async def pin(self, product: Product, key: PinKey) -> Pin | None:
        """A tenant's pin."""
        document = await self._document(
            schema.pins, product=product, tenant=key.tenant, environment=key.environment
        )
        return None if document is None else decode_document(document, Pin)

    async def pins(self, product: Product) -> Mapping[str, Pin]:
        """The product's pins, by `tenant~environment`."""
        columns = schema.pins.c
        query = select(columns.tenant, columns.environment, columns.pin).filter_by(product=product)
        rows = await self._connection.execute(query)
        return {
            str(PinKey(Tenant(tenant), Environment(environment))): decode_document(pin, Pin)
            for tenant, environment, pin in rows
        }

    async def save_pin(self, product: Product, key: PinKey, pin: Pin | None) -> None:
        """Write a tenant's pin; None takes it away."""
        await self._replace(schema.pins, pin, product=product, tenant=key.tenant, environment=key.environment)

    async def blocks(self, product: Product) -> Mapping[Version, Block]:
        """The product's blocked builds."""
        query = select(schema.blocks.c.version, schema.blocks.c.block).filter_by(product=product)
        rows = await self._connection.execute(query)
        return {version: decode_document(block, Block) for version, block in rows}

    async def save_block(self, product: Product, version: Version, block: Block | None) -> None:
        """Write a build's block; None takes it away."""
        await self._replace(schema.blocks, block, product=product, version=version)

    async def retired(self, product: Product) -> frozenset[Version]:
        """The product's retired builds."""
        versions = await self._connection.scalars(select(schema.retired.c.version).filter_by(product=product))
        return frozenset(versions)

    async def add_retired(self, product: Product, versions: Collection[Version]) -> None:
        """Retire the builds, for ever."""
        rows = [{"product": product, "version": version} for version in versions]
        await self._connection.execute(insert(schema.retired), rows)

    async def document(self, kind: Kind[T], name: str) -> T | None:
        """A document by its name."""
        document = await self._document(schema.documents, kind=kind.name, name=name)
        return None if document is None else decode_document(document, kind.type)

    async def save_document(self, kind: Kind[T], name: str, document: T | None) -> None:
        """Write a document, new or known; None takes it away."""
        await self._replace(schema.documents, document, kind=kind.name, name=name)

    async def record(self, change: Change) -> int:
        """Write the audit row and the next revision, which is returned."""
        revision = await self.revision() + 1
        await self._connection.execute(update(schema.revisions).values(revision=revision))
        await self._connection.execute(
            insert(schema.audit).values(revision=revision, **msgspec.structs.asdict(change))
        )
        return revision

    async def _document(self, table: Table, **key: str) -> str | None:
        document: str | None = await self._connection.scalar(select(_document_column(table)).filter_by(**key))
        return document

    async def _replace(self, table: Table, document: Any | None, **key: str) -> None:
        await self._connection.execute(delete(table).filter_by(**key))
        if document is not None:
            values = {**key, _document_column(table).name: encode_document(document)}
            await self._connection.execute(insert(table).values(values))


def _document_column(table: Table) -> Any:
    return next(column for column in table.columns if not column.primary_key)


def _check_readable(file: Path) -> None:
    """Raise `Failed` for a file that SQLite can't open or read.

    The driver would find that out too, but its thread then outlives the event loop at times, and complains.
    """
    try:
        with contextlib.closing(sqlite3.connect(file, timeout=_BUSY_TIMEOUT_MS / 1000)) as connection:
            connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
    except sqlite3.Error as error:
        raise _broken(str(file), str(error)) from None


def _broken(name: str, cause: str) -> Failed:
    return Failed(
        f"the control database {name} does not work: {cause}."
        " Origins go on serving the last snapshot; mend the database or restore a backup"
    )


def _schema_version(connection: Connection) -> str | None:
    if not inspect(connection).has_table("alembic_version"):
        return None
    version: str | None = connection.scalar(text("SELECT version_num FROM alembic_version"))
    return version


def _prepare_sqlite(connection: DBAPIConnection, _record: object) -> None:
    """Leave transactions to us, wait for other writers, and sync at each commit."""
    connection.isolation_level = None
    cursor = connection.cursor()
    cursor.execute(f"PRAGMA busy_timeout = {_BUSY_TIMEOUT_MS}")
    cursor.execute("PRAGMA journal_mode = WAL")
    cursor.execute("PRAGMA synchronous = FULL")
    cursor.close()


def _begin(connection: Connection) -> None:
    """A writer takes the lock at its first statement: one that read first could not write any more."""
    reading = connection.get_execution_options().get("reading", False)
    connection.exec_driver_sql("BEGIN" if reading else "BEGIN IMMEDIATE")


def _cause(error: Exception) -> str:
    """The driver's own words, without SQLAlchemy's statement and link."""
    return str(error.orig) if isinstance(error, DBAPIError) else str(error)

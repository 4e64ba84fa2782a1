"""The ledger in a SQL database, through SQLAlchemy Core: the same statements for each kind of database."""

from collections.abc import AsyncIterator, Collection, Mapping
from contextlib import asynccontextmanager
from typing import Any, TypeVar

import msgspec
from sqlalchemy import Table, delete, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from bundles.core.errors import Failed
from bundles.core.names import Product
from bundles.core.version import Version
from release.adapters import schema
from release.adapters.sql_database import SqlDatabase
from release.core.codec import decode_document, encode_document
from release.core.names import Channel, Environment, Tenant
from release.core.routing import Block, ChannelState, Pin, PinKey, ProductRoutes, RoutingTable
from release.ports import Change, Kind

T = TypeVar("T")


class SqlLedger:
    """The control plane's state in a SQL database."""

    def __init__(self, database: SqlDatabase) -> None:
        self._database = database

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator["SqlTransaction"]:
        """Everything in it is committed at its end, or, where it raises, nothing."""
        async with self._database.writing() as connection:
            yield SqlTransaction(connection)

    async def table(self) -> RoutingTable:
        """The whole routing table, at one revision."""
        async with self._database.reading() as connection:
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


class SqlTransaction:
    """One change, alone: the lock of writers is held from its first statement."""

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
            values = {**key, _document_column(table).name: encode_document(document).decode()}
            await self._connection.execute(insert(table).values(values))


def _document_column(table: Table) -> Any:
    return next(column for column in table.columns if not column.primary_key)

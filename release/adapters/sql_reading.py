"""The ledger's content as SQL has it, looked at within one transaction."""

from collections.abc import AsyncGenerator, Iterable, Mapping
from typing import Any, TypeVar

import anyio.to_thread
import msgspec
from sqlalchemy import Column, Table, false, select, true, tuple_
from sqlalchemy.ext.asyncio import AsyncConnection

from bundles.core.errors import Failed
from bundles.core.names import Product
from bundles.core.version import Version
from release.adapters import schema
from release.core.audit import Row, open_row
from release.core.codec import decode_document
from release.core.names import Channel, Environment, Tenant
from release.core.routing import Block, ChannelState, Pin, PinKey, ProductRoutes, RoutingTable
from release.core.shards import Part, PartKey, part_at
from release.core.targeting import Attributes
from release.ports import TENANTS, Kind, Record

SCHEMA_RECORD = "schema"
_MOST_CHANGES = 1_000

T = TypeVar("T")
Rows = Iterable[Any]


class SqlReading:
    """What there is, at the moment of the transaction."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def revision(self) -> int:
        """The routing table's present revision; 0 before the first change."""
        return (await self._head())[0]

    async def audit_head(self) -> str:
        """The hash of the audit trail's last row."""
        return (await self._head())[1]

    async def table(self, *, with_tenants: bool = True) -> RoutingTable:
        """The routing table, whole or without tenants' pins and attributes."""
        revision, audit_head = await self._head()
        included, columns = true() if with_tenants else false(), schema.documents.c
        queries = (
            select(schema.channels),
            select(schema.pins).where(included),
            select(schema.blocks),
            select(schema.retired),
            select(columns.name, columns.document).filter_by(kind=TENANTS.name).where(included),
        )
        rows = [(await self._connection.execute(query)).all() for query in queries]
        # Of a million pins it takes seconds, in which a server has others to answer.
        products, tenants = await anyio.to_thread.run_sync(_decode_table, *rows)
        return RoutingTable(revision=revision, products=products, audit_head=audit_head, tenants=tenants)

    async def changed_since(self, revision: int, audit_head: str) -> Mapping[PartKey, Part] | None:
        """All parts that the audit trail names after the row of this hash, as they are now."""
        newest, head = await self._head()
        if not 0 <= newest - revision <= _MOST_CHANGES:
            return None
        query = select(schema.audit).where(schema.audit.c.revision > revision).order_by(schema.audit.c.revision)
        try:
            entries = [open_row(Row(*row)) for row in await self._connection.execute(query)]
        except msgspec.MsgspecError:
            return None
        follows_on = entries[0].previous if entries else head
        if follows_on != audit_head or len(entries) != newest - revision:
            return None
        parts = {part_at(place) for entry in entries for place in entry.after or ()} - {None}
        if len(parts) > _MOST_CHANGES or any(entry.after is None for entry in entries):
            return None
        return {part: await self._part(part) for part in parts if part is not None}

    async def channels(self, product: Product) -> Mapping[Channel, ChannelState]:
        """All the product's channels."""
        query = select(schema.channels.c.name, schema.channels.c.state).filter_by(product=product)
        rows = await self._connection.execute(query)
        return {name: decode_document(state, ChannelState) for name, state in rows}

    async def pins(
        self, product: Product, *, after: PinKey | None = None, limit: int | None = None
    ) -> Mapping[str, Pin]:
        """The product's pins, by `tenant~environment`, or so many that come after one; in order."""
        columns = schema.pins.c
        key = tuple_(columns.tenant, columns.environment)
        query = select(columns.tenant, columns.environment, columns.pin).filter_by(product=product)
        if after is not None:
            query = query.where(key > tuple_(after.tenant, after.environment))
        return _pins(await self._connection.execute(query.order_by(*key).limit(limit)))

    async def blocks(
        self, product: Product, *, after: str = "", limit: int | None = None
    ) -> Mapping[Version, Block]:
        """The product's blocked builds, or so many that come after one; in order."""
        columns = schema.blocks.c
        query = select(columns.version, columns.block).filter_by(product=product).where(columns.version > after)
        rows = await self._connection.execute(query.order_by(columns.version).limit(limit))
        return {version: decode_document(block, Block) for version, block in rows}

    async def retired(self, product: Product) -> frozenset[Version]:
        """The product's retired builds."""
        versions = await self._connection.scalars(select(schema.retired.c.version).filter_by(product=product))
        return frozenset(versions)

    async def document(self, kind: Kind[T], name: str) -> T | None:
        """A document by its name."""
        document = await self._document(schema.documents, kind=kind.name, name=name)
        return None if document is None else decode_document(document, kind.type)

    async def documents(self, kind: Kind[T], *, after: str = "", limit: int | None = None) -> Mapping[str, T]:
        """All documents of a kind, by their names, or so many that come after one; in order."""
        columns = schema.documents.c
        query = select(columns.name, columns.document).filter_by(kind=kind.name).where(columns.name > after)
        rows = await self._connection.execute(query.order_by(columns.name).limit(limit))
        return {name: decode_document(document, kind.type) for name, document in rows}

    async def trail(
        self,
        product: Product | None = None,
        channel: Channel | None = None,
        *,
        after: int = 0,
        before: int | None = None,
        newest_first: bool = False,
        limit: int | None = None,
    ) -> AsyncGenerator[Row, None]:
        """The audit trail between two revisions, or of that what changed a product or a channel of it."""
        rows, by_channel, query = schema.audit, schema.changed_channels, select(schema.audit)
        revision: Column[int] = rows.c.revision
        if product is not None:
            query = query.where(rows.c.product == product)
        if channel is not None:
            revision = by_channel.c.revision  # the channel's rows are in order by this one, however few they are
            query = query.join(by_channel, by_channel.c.revision == rows.c.revision)
            query = query.where(by_channel.c.product == product, by_channel.c.channel == channel)
        query = query.where(revision > after)
        if before is not None:
            query = query.where(revision < before)
        query = query.order_by(revision.desc() if newest_first else revision).limit(limit)
        async for row in await self._connection.stream(query):
            yield Row(*(_text(value) for value in row))

    async def changed_channels(self) -> AsyncGenerator[tuple[int, Product, Channel], None]:
        """The channels that changes are found by, each with the change's revision; in their order."""
        columns = schema.changed_channels.c
        query = select(columns.revision, columns.product, columns.channel).order_by(columns.revision)
        async for revision, product, channel in await self._connection.stream(query):
            yield revision, product, channel

    async def records(self) -> AsyncGenerator[Record, None]:
        """All there is, with the schema that it is in first."""
        yield SCHEMA_RECORD, {"version": schema.VERSION}
        for table in schema.metadata.sorted_tables:
            async for row in await self._connection.stream(select(table).order_by(*table.primary_key.columns)):
                yield str(table.name), {str(name): _text(value) for name, value in row._mapping.items()}

    async def _document(self, table: Table, **key: str) -> str | None:
        document: str | None = await self._connection.scalar(select(document_column(table)).filter_by(**key))
        return document

    async def _pins_of(self, product: str, tenant: str) -> Mapping[str, Pin]:
        columns = schema.pins.c
        query = select(columns.tenant, columns.environment, columns.pin).filter_by(product=product, tenant=tenant)
        return _pins(await self._connection.execute(query))

    async def _part(self, key: PartKey) -> Part:
        if key.product is None:
            return await self._attributes(str(key.tenant))
        if key.tenant is not None:
            return ProductRoutes(pins=await self._pins_of(key.product, key.tenant))
        return ProductRoutes(
            channels=await self.channels(key.product),
            blocks=await self.blocks(key.product),
            retired=await self.retired(key.product),
        )

    async def _attributes(self, tenant: str) -> Attributes:
        query = select(schema.documents.c.document).filter_by(kind=TENANTS.name, name=tenant)
        document = await self._connection.scalar(query)
        return {} if document is None else decode_document(document, TENANTS.type)

    async def _head(self) -> tuple[int, str]:
        """The revision, and the hash of the audit trail's last row."""
        columns = schema.revisions.c
        found = (await self._connection.execute(select(columns.revision, columns.audit_head))).first()
        if found is None:
            raise Failed("the control database has no revision: restore a backup")
        return found.revision, found.audit_head


def _decode_table(*rows: Rows) -> tuple[dict[Product, ProductRoutes], dict[Tenant, Attributes]]:
    of_channels, of_pins, of_blocks, of_retired, of_tenants = rows
    channels: dict[Product, dict[Channel, ChannelState]] = {}
    pins: dict[Product, dict[str, Pin]] = {}
    blocks: dict[Product, dict[Version, Block]] = {}
    retired: dict[Product, set[Version]] = {}
    for product, name, state in of_channels:
        channels.setdefault(product, {})[name] = decode_document(state, ChannelState)
    for product, tenant, environment, pin in of_pins:
        key = PinKey(Tenant(tenant), Environment(environment))
        pins.setdefault(product, {})[str(key)] = decode_document(pin, Pin)
    for product, version, block in of_blocks:
        blocks.setdefault(product, {})[version] = decode_document(block, Block)
    for product, version in of_retired:
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
    return products, {Tenant(name): decode_document(known, TENANTS.type) for name, known in of_tenants}


def _pins(rows: Rows) -> Mapping[str, Pin]:
    return {
        str(PinKey(Tenant(tenant), Environment(environment))): decode_document(pin, Pin)
        for tenant, environment, pin in rows
    }


def document_column(table: Table) -> Any:
    """The one column of a table that is no part of its key."""
    return next(column for column in table.columns if not column.primary_key)


def _text(value: Any) -> Any:
    """SQLite has documents of older Headraces as bytes."""
    return value.decode(errors="replace") if isinstance(value, bytes) else value

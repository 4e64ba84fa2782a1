"""The ledger's content as SQL has it, looked at within one transaction."""

from collections.abc import AsyncGenerator
from typing import Any

from sqlalchemy import Table, select
from sqlalchemy.ext.asyncio import AsyncConnection

from bundles.core.errors import Failed
from bundles.core.names import Product
from bundles.core.version import Version
from release.adapters import schema
from release.core.audit import Row
from release.core.codec import decode_document
from release.core.names import Channel, Environment, Tenant
from release.core.routing import Block, ChannelState, Pin, PinKey, ProductRoutes, RoutingTable
from release.ports import TENANTS, Record

SCHEMA_RECORD = "schema"


class SqlReading:
    """What there is, at the moment of the transaction."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def revision(self) -> int:
        """The routing table's present revision; 0 before the first change."""
        return (await self._head())[0]

    async def table(self) -> RoutingTable:
        """The whole routing table."""
        revision, audit_head = await self._head()
        channels: dict[Product, dict[Channel, ChannelState]] = {}
        pins: dict[Product, dict[str, Pin]] = {}
        blocks: dict[Product, dict[Version, Block]] = {}
        retired: dict[Product, set[Version]] = {}
        for product, name, state in await self._connection.execute(select(schema.channels)):
            channels.setdefault(product, {})[name] = decode_document(state, ChannelState)
        for product, tenant, environment, pin in await self._connection.execute(select(schema.pins)):
            key = PinKey(Tenant(tenant), Environment(environment))
            pins.setdefault(product, {})[str(key)] = decode_document(pin, Pin)
        for product, version, block in await self._connection.execute(select(schema.blocks)):
            blocks.setdefault(product, {})[version] = decode_document(block, Block)
        for product, version in await self._connection.execute(select(schema.retired)):
            retired.setdefault(product, set()).add(version)
        columns = schema.documents.c
        query = select(columns.name, columns.document).filter_by(kind=TENANTS.name)
        tenants = {
            Tenant(name): decode_document(known, TENANTS.type)
            for name, known in await self._connection.execute(query)
        }
        products = {
            product: ProductRoutes(
                channels.get(product, {}),
                pins.get(product, {}),
                blocks.get(product, {}),
                frozenset(retired.get(product, ())),
            )
            for product in channels.keys() | pins.keys() | blocks.keys() | retired.keys()
        }
        return RoutingTable(revision=revision, products=products, audit_head=audit_head, tenants=tenants)

    async def trail(self, product: Product | None = None) -> AsyncGenerator[Row, None]:
        """The audit trail, or a product's part of it, the oldest row first."""
        query = select(schema.audit).order_by(schema.audit.c.revision)
        if product is not None:
            query = query.filter_by(product=product)
        async for row in await self._connection.stream(query):
            yield Row(*(_text(value) for value in row))

    async def records(self) -> AsyncGenerator[Record, None]:
        """All there is, with the schema that it is in first."""
        yield SCHEMA_RECORD, {"version": schema.VERSION}
        for table in schema.metadata.sorted_tables:
            async for row in await self._connection.stream(select(table).order_by(*table.primary_key.columns)):
                yield str(table.name), {str(name): _text(value) for name, value in row._mapping.items()}

    async def _head(self) -> tuple[int, str]:
        """The revision, and the hash of the audit trail's last row."""
        columns = schema.revisions.c
        found = (await self._connection.execute(select(columns.revision, columns.audit_head))).first()
        if found is None:
            raise Failed("the control database has no revision: restore a backup")
        return found.revision, found.audit_head


def document_column(table: Table) -> Any:
    """The one column of a table that is no part of its key."""
    return next(column for column in table.columns if not column.primary_key)


def _text(value: Any) -> Any:
    """SQLite has documents of older Headraces as bytes."""
    return value.decode(errors="replace") if isinstance(value, bytes) else value

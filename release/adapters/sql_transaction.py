"""One change of the ledger's content, in SQL."""

from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from typing import Any, TypeVar

import msgspec
from sqlalchemy import Table, delete, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from bundles.core.errors import Failed
from bundles.core.names import Product
from bundles.core.version import Version
from release.adapters import schema
from release.adapters.sql_reading import SCHEMA_RECORD, SqlReading, document_column
from release.core.audit import Change, Entry, Row, channels_of, open_row, seal_entry
from release.core.codec import decode_document, encode_document
from release.core.names import Channel
from release.core.routing import Block, ChannelState, Pin, PinKey
from release.core.smoke import SmokeOutcome
from release.ports import KeyUse, Kind, Record

_ROWS_AT_A_TIME = 500

T = TypeVar("T")


class SqlTransaction(SqlReading):
    """One change, alone: the lock of writers is held from its first statement."""

    def __init__(self, connection: AsyncConnection) -> None:
        super().__init__(connection)
        self._before: dict[str, Any] = {}
        self._after: dict[str, Any] = {}

    async def channel(self, product: Product, name: Channel) -> ChannelState | None:
        """A channel's state."""
        document = await self._document(schema.channels, product=product, name=name)
        return None if document is None else decode_document(document, ChannelState)

    async def save_channel(self, product: Product, name: Channel, state: ChannelState) -> None:
        """Write a channel's state, new or known."""
        await self._replace(schema.channels, state, product=product, name=name)

    async def pin(self, product: Product, key: PinKey) -> Pin | None:
        """A tenant's pin."""
        document = await self._document(
            schema.pins, product=product, tenant=key.tenant, environment=key.environment
        )
        return None if document is None else decode_document(document, Pin)

    async def save_pin(self, product: Product, key: PinKey, pin: Pin | None) -> None:
        """Write a tenant's pin; None takes it away."""
        await self._replace(schema.pins, pin, product=product, tenant=key.tenant, environment=key.environment)

    async def save_block(self, product: Product, version: Version, block: Block | None) -> None:
        """Write a build's block; None takes it away."""
        await self._replace(schema.blocks, block, product=product, version=version)

    async def add_retired(self, product: Product, versions: Collection[Version]) -> None:
        """Retire the builds, for ever."""
        rows = [{"product": product, "version": version} for version in versions]
        await self._connection.execute(insert(schema.retired), rows)
        for row in rows:
            self._note(schema.retired, row, None, after=True)

    async def save_document(self, kind: Kind[T], name: str, document: T | None) -> None:
        """Write a document, new or known; None takes it away."""
        await self._replace(schema.documents, document, kind=kind.name, name=name)

    async def smoke_outcomes(
        self, product: Product, channel: Channel, candidate: Version
    ) -> Sequence[SmokeOutcome]:
        """What came of the smoke tests that were run for a candidate of this channel, oldest first."""
        table = schema.smoke_outcomes
        query = select(table.c.outcome).filter_by(product=product, channel=channel, candidate=candidate)
        documents = await self._connection.scalars(query.order_by(table.c.revision))
        return [decode_document(document, SmokeOutcome) for document in documents]

    async def add_smoke_outcome(self, product: Product, channel: Channel, outcome: SmokeOutcome) -> None:
        """Keep an outcome with the revision that this transaction makes."""
        key = {"product": product, "channel": channel}
        revision = await self.revision() + 1
        document = encode_document(outcome).decode()
        values = {**key, "revision": revision, "candidate": outcome.candidate, "outcome": document}
        await self._connection.execute(insert(schema.smoke_outcomes).values(values))
        self._note(schema.smoke_outcomes, {**key, "revision": str(revision)}, None, after=outcome)

    async def key_use(self, actor: str, key: str) -> KeyUse | None:
        """What an actor has used a key for."""
        found = (await self._connection.execute(select(schema.keys).filter_by(actor=actor, key=key))).first()
        return None if found is None else KeyUse(*found)

    async def save_key_use(self, use: KeyUse) -> None:
        """Keep a use of a key, in the place of an older one."""
        await self._connection.execute(delete(schema.keys).filter_by(actor=use.actor, key=use.key))
        await self._connection.execute(insert(schema.keys).values(msgspec.structs.asdict(use)))

    async def forget_keys(self, before: int) -> None:
        """Forget the uses of keys before this time."""
        await self._connection.execute(delete(schema.keys).where(schema.keys.c.at < before))

    async def entry(self, revision: int) -> Entry:
        """The audit trail's entry for a revision that there has been."""
        found = (await self._connection.execute(select(schema.audit).filter_by(revision=revision))).first()
        if found is None:
            raise Failed(f"the audit trail has no row for revision {revision}: see `headrace audit verify`")
        return open_row(Row(*found))

    async def record(self, change: Change) -> int:
        """Write the audit row and the next revision, which is returned."""
        revision, previous = await self._head()
        entry = Entry(
            **msgspec.structs.asdict(change),
            revision=revision + 1,
            previous=previous,
            before=self._before,
            after=self._after,
        )
        row = seal_entry(entry)
        await self._connection.execute(update(schema.revisions).values(revision=row.revision, audit_head=row.hash))
        await self._connection.execute(insert(schema.audit).values(msgspec.structs.asdict(row)))
        key = {"product": row.product, "revision": row.revision}
        await self._insert(schema.changed_channels, [{**key, "channel": each} for each in channels_of(entry)])
        return row.revision

    async def load(self, records: AsyncIterator[Record]) -> int:
        """Put this content in the place of all there is. Raises `Failed` for that of another schema."""
        tables = schema.metadata.tables
        for table in tables.values():
            await self._connection.execute(delete(table))
        waiting: dict[str, list[Mapping[str, Any]]] = {name: [] for name in tables}
        count = 0
        async for name, row in records:
            count += 1
            if count == 1:
                _check_schema(name, row)
                continue
            if name not in waiting or row.keys() != set(tables[name].columns.keys()):
                raise Failed(f"its content has a row of {name!r} that is not understood")
            waiting[name].append(row)
            if len(waiting[name]) == _ROWS_AT_A_TIME:
                await self._insert(tables[name], waiting[name])
                waiting[name] = []
        if not count:
            raise Failed("it has no content")
        for name, rows in waiting.items():
            await self._insert(tables[name], rows)
        return count

    async def _insert(self, table: Table, rows: list[Mapping[str, Any]]) -> None:
        if rows:
            await self._connection.execute(insert(table), rows)

    async def _replace(self, table: Table, document: Any | None, **key: str) -> None:
        found = await self._document(table, **key)
        await self._connection.execute(delete(table).filter_by(**key))
        if document is not None:
            values = {**key, document_column(table).name: encode_document(document).decode()}
            await self._connection.execute(insert(table).values(values))
        self._note(table, key, None if found is None else msgspec.json.decode(found), after=document)

    def _note(self, table: Table, key: Mapping[str, str], before: Any | None, *, after: Any | None) -> None:
        """What was found in a place at first, and what was left there last, for the audit trail."""
        place = "/".join((table.name, *key.values()))
        self._before.setdefault(place, before)
        self._after[place] = after


def _check_schema(name: str, row: Mapping[str, Any]) -> None:
    if name != SCHEMA_RECORD or row.get("version") != schema.VERSION:
        raise Failed(
            f"its content is in schema {row.get('version')}, not in {schema.VERSION}: restore it with the Headrace"
            " that made it, then upgrade"
        )

"""What SDKs have reported, read from a SQL database."""

from collections.abc import Collection, Mapping

from sqlalchemy import ColumnElement, and_, func, select, union_all
from sqlalchemy.ext.asyncio import AsyncConnection

from beacons.adapters.schema import COUNTED, counts, kept
from beacons.core.spans import Span, spans
from bundles.adapters.database import Database
from bundles.core.names import Product
from bundles.core.version import Version
from release.core.counts import SLOT_SECONDS, Counts, Slot
from release.core.names import Environment, Tenant

_AT_ONCE = 2_000
"""So many rows are made into counts before others have their turn: a million take seconds."""
_NUMBERS = tuple(counts.c[name] for name in COUNTED)


class SqlHealth:
    """What SDKs have reported."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def slots(
        self, product: Product, environment: Environment, builds: Collection[Version], since: Slot, until: Slot
    ) -> Mapping[Slot, Mapping[Version, Mapping[Tenant, Counts]]]:
        """What was reported of these builds in each slot from `since` until before `until`."""
        span = Span(SLOT_SECONDS, since * SLOT_SECONDS, until * SLOT_SECONDS)
        query = select(counts.c.start, counts.c.version, counts.c.tenant, *_NUMBERS).where(
            _within(product, environment, span), counts.c.version.in_(builds)
        )
        found: dict[Slot, dict[Version, dict[Tenant, Counts]]] = {}
        async with self._database.reading() as connection, connection.stream(query) as rows:
            async for some in rows.partitions(_AT_ONCE):
                for start, version, tenant, *numbers in some:
                    builds_found = found.setdefault(Slot(start // SLOT_SECONDS), {})
                    builds_found.setdefault(version, {})[tenant] = Counts(*numbers)
        return found

    async def history(
        self,
        product: Product,
        environment: Environment,
        but: Version,
        since: Slot,
        until: Slot,
        of: Collection[Version] | None = None,
    ) -> Mapping[Tenant, Counts]:
        """What each tenant has reported of all builds but this one, or of these, between the slots, in all."""
        wanted = counts.c.version != but
        if of is not None:
            wanted = and_(wanted, counts.c.version.in_(of))
        async with self._database.reading() as connection:
            whole = spans(since * SLOT_SECONDS, until * SLOT_SECONDS, await _kept(connection))
            if not whole:
                return {}
            parts = (
                select(counts.c.tenant, *_NUMBERS).where(_within(product, environment, span), wanted)
                for span in whole
            )
            every = union_all(*parts).subquery()
            # Sums of integers are of a wider type in PostgreSQL.
            sums = (func.sum(every.c[name]).cast(counts.c[name].type) for name in COUNTED)
            found: dict[Tenant, Counts] = {}
            async with connection.stream(select(every.c.tenant, *sums).group_by(every.c.tenant)) as rows:
                async for some in rows.partitions(_AT_ONCE):
                    found.update({tenant: Counts(*numbers) for tenant, *numbers in some})
            return found


def _within(product: Product, environment: Environment, span: Span) -> ColumnElement[bool]:
    return and_(
        counts.c.width == span.width,
        counts.c.product == product,
        counts.c.environment == environment,
        counts.c.start >= span.start,
        counts.c.start < span.end,
    )


async def _kept(connection: AsyncConnection) -> Mapping[int, int]:
    """Since when the counts of each width are all there."""
    rows = await connection.execute(select(kept.c.width, kept.c.since))
    return {row.width: row.since for row in rows}

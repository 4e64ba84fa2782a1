"""Says who gets which build, by the snapshot that origins serve by."""

from collections.abc import Sequence

import anyio.to_thread

from api.core.access import READERS
from api.core.page import open_cursor, seal_cursor
from api.operations.resolutions import FindHolders, ListHolders, ReadResolution
from api.perform import Look, reads
from api.sources import Sources
from api.views.resolution import HoldersView, ResolutionView, view_resolution, without_what_is_the_vendors
from bundles.core.errors import Failed, NotFound
from bundles.core.names import Product, parse_product
from bundles.core.version import parse_version
from release.core.names import Channel, Tenant, parse_channel, parse_environment, parse_tenant
from release.core.routing import ChannelState, parse_pin_key
from release.holds import holds_ahead
from release.why import Part, explain, find_holders

_MOST_LOOKED_AT = 20_000
"""So many tenants are looked at for a page of those that have a build, or as many as the page may have."""


@reads(ReadResolution)
async def read(look: Look, asked: ReadResolution) -> ResolutionView:
    """As an origin resolves it. What keeps a rollout from its next step, the control database says, if it can."""
    product, channel = parse_product(asked.product), parse_channel(asked.channel)
    tenant, environment = parse_tenant(asked.tenant), parse_environment(asked.environment)
    table, now = await look.sources.table(), look.sources.clock.now()
    is_vendors = bool(look.caller.grant.roles & READERS)
    if not is_vendors and (table is None or product not in table.products):
        raise NotFound(f"nothing of {product!r} was released")  # others are not named: some are of other tenants
    found = explain(table, now, product, tenant, environment, channel)
    held: list[str] | None = []
    if any(turn.channel == channel for turn in found.ahead):
        held = await _held(look.sources, product, channel, found.channel)
    view = view_resolution(found, product, tenant, environment, channel, held)
    return view if is_vendors else without_what_is_the_vendors(view)


@reads(ListHolders)
async def list_holders(look: Look, asked: ListHolders) -> HoldersView:
    """Of the tenants that the routing table names."""
    return await _holders(look, asked, ())


@reads(FindHolders)
async def find(look: Look, asked: FindHolders) -> HoldersView:
    """Of those that were named too."""
    return await _holders(look, asked, [parse_tenant(tenant) for tenant in asked.tenants])


async def _held(sources: Sources, product: Product, channel: Channel, state: ChannelState) -> list[str] | None:
    """What the control database knows of it; None where it can't be read, as by who may read snapshots alone."""
    if not sources.has_ledger:
        return None
    try:
        async with sources.ledger() as ledger:
            return await holds_ahead(ledger, product, channel, state, sources.clock.now())
    except Failed:
        return None


async def _holders(look: Look, asked: ListHolders | FindHolders, tenants: Sequence[Tenant]) -> HoldersView:
    product, version, channel = (
        parse_product(asked.product),
        parse_version(asked.version),
        parse_channel(asked.channel),
    )
    part = Part(open_cursor(asked.cursor, parse_pin_key), asked.limit, max(asked.limit, _MOST_LOOKED_AT))
    table, now = await look.sources.table(), look.sources.clock.now()
    # What is prepared of a new table takes seconds of a million tenants, in which others are to be answered.
    held = await anyio.to_thread.run_sync(find_holders, table, now, product, version, channel, tenants, part)
    cursor = None if held.last is None else seal_cursor(str(held.last))
    return HoldersView(product, version, channel, held.revision, held.known, tuple(held.holders), cursor)

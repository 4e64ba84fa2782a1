"""Why a tenant gets the build it gets, from the snapshot that origins serve by."""

from collections.abc import Collection

import msgspec

from bundles.core.errors import NotFound, UnknownProduct
from bundles.core.names import Product
from bundles.core.version import Version
from release.core.acts import Act, acts_of
from release.core.ahead import Turn, held_by_table, turns_ahead
from release.core.askers import Holder, known_to
from release.core.names import Channel, Environment, Tenant
from release.core.resolve import Resolution, resolve_tenant
from release.core.routing import ChannelState, Pin, PinKey, ProductRoutes, RoutingTable


class Explanation(msgspec.Struct, frozen=True):
    """A resolution at a revision, with what it was decided from.

    `ahead` is what would change it by itself, and `acts` what a person could do. `held` is what the routing table
    has of why the channel's rollout does not go on.
    """

    revision: int
    resolution: Resolution
    pin: Pin | None
    channel: ChannelState
    ahead: list[Turn]
    acts: list[Act]
    held: list[str]


class Held(msgspec.Struct, frozen=True):
    """Who gets a build at a revision, of so many known tenants and environments; a part of them.

    `last` is whom was looked at last, where there are more.
    """

    revision: int
    known: int
    holders: list[Holder]
    last: PinKey | None


class Part(msgspec.Struct, frozen=True):
    """Which part of a list: what comes after this one, so many at most, once so many were looked at."""

    after: PinKey | None
    limit: int
    looked_at: int


def explain(
    table: RoutingTable | None,
    now: int,
    product: Product,
    tenant: Tenant,
    environment: Environment,
    channel: Channel,
) -> Explanation:
    """The resolution as an origin makes it by its routing table; None before the first snapshot.

    Raises `NotFound` where nothing of the product was released.
    """
    table, routes = _routes(table, product)
    asker, known = PinKey(tenant, environment), table.tenants
    resolution = resolve_tenant(routes, tenant, environment, channel, now=now, known=known)
    ahead = turns_ahead(routes, channel, asker, resolution, now, known)
    return Explanation(
        revision=table.revision,
        resolution=resolution,
        pin=routes.pins.get(str(asker)),
        channel=routes.channels.get(channel, ChannelState()),
        ahead=ahead,
        acts=acts_of(routes, channel, asker, resolution, ahead, now, known),
        held=held_by_table(routes, channel),
    )


def find_holders(
    table: RoutingTable | None,
    now: int,
    product: Product,
    version: Version,
    channel: Channel,
    tenants: Collection[Tenant],
    part: Part,
) -> Held:
    """Who gets a build, of these tenants and those that the routing table names. Raises as `explain` does."""
    table, routes = _routes(table, product)
    known, found, last = known_to(table, product), list[Holder](), part.after
    for place, asker in enumerate(known.after(part.after, tenants)):
        if len(found) == part.limit or place == part.looked_at:
            return Held(table.revision, known.count(tenants), found, last)
        last = asker
        resolution = resolve_tenant(routes, asker.tenant, asker.environment, channel, now=now, known=table.tenants)
        if resolution.build == version:
            found.append(Holder(asker.tenant, asker.environment, resolution.reason))
    return Held(table.revision, known.count(tenants), found, None)


def _routes(table: RoutingTable | None, product: Product) -> tuple[RoutingTable, ProductRoutes]:
    if table is None:
        raise NotFound("nothing has been released yet: there is no snapshot")
    routes = table.products.get(product)
    if routes is None:
        raise UnknownProduct(f"unknown product {product!r}: nothing of it was released", sorted(table.products))
    return table, routes

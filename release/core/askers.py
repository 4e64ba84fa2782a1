"""Who is known to ask for a product, in order: a list of them may begin anywhere, and costs what it goes through.

What is prepared for that is kept with the routing table that it is of.
"""

from bisect import bisect_left
from collections.abc import Collection, Iterator, Sequence
from heapq import merge
from itertools import groupby

import msgspec

from bundles.core.names import Product
from release.core.names import PRODUCTION, Environment, Tenant
from release.core.resolve import Reason
from release.core.routing import PinKey, ProductRoutes, RoutingTable, pin_order


class Holder(msgspec.Struct, frozen=True):
    """A tenant that gets a build, and why."""

    tenant: Tenant
    environment: Environment
    reason: Reason


class KnownAskers:
    """The tenants that a routing table names, each in production and where it has a pin on the product."""

    def __init__(self, table: RoutingTable, product: Product) -> None:
        routes = table.routes(product)
        self._tenants = table.tenants
        self._tenants_in_order = table.tenants_in_order
        self._pins = routes.pins_in_order
        self._planned = sorted(set(_named_by_plans(routes)))
        self._count = len(self._tenants) + sum(1 for key in _of_pins(self._pins, 0) if self._is_new(key))
        self._count += self._beyond(self._planned)

    def count(self, others: Collection[Tenant]) -> int:
        """How many they are, with other tenants."""
        return self._count + self._beyond(set(others).difference(self._planned))

    def after(self, last: PinKey | None, others: Collection[Tenant]) -> Iterator[PinKey]:
        """Those that come after this one, and with them other tenants; in order, each once."""
        begin = Tenant("") if last is None else last.tenant
        streams = (
            _of_pins(self._pins, _place(self._pins, begin)),
            *(_in_production(names, begin) for names in (self._tenants_in_order, self._planned, sorted(others))),
        )
        for asker in merge(*streams):
            if last is None or asker > last:
                yield asker
                last = asker

    def _beyond(self, tenants: Collection[Tenant]) -> int:
        """How many of these tenants no pin and no attribute names."""
        return sum(1 for tenant in tenants if tenant not in self._tenants and not self._has_pin(tenant))

    def _has_pin(self, tenant: Tenant) -> bool:
        place = _place(self._pins, tenant)
        return place < len(self._pins) and _key(self._pins[place]).tenant == tenant

    def _is_new(self, asker: PinKey) -> bool:
        return asker.environment != PRODUCTION or asker.tenant not in self._tenants


def known_to(table: RoutingTable, product: Product) -> KnownAskers:
    """Those that the table names, prepared at the first use."""
    known = table.askers.get(product)
    if known is None:
        known = table.askers[product] = KnownAskers(table, product)
    return known


def _named_by_plans(routes: ProductRoutes) -> Iterator[Tenant]:
    """The tenants that rollouts name, live or scheduled."""
    for state in routes.channels.values():
        coming = state.coming
        if coming is not None:
            yield from coming.plan.canary_tenants
            yield from coming.plan.targeting.held_tenants


def _of_pins(pins: Sequence[str], begin: int) -> Iterator[PinKey]:
    """Each tenant that has a pin, in production and where it has one, from this place on."""
    keys = (_key(pins[place]) for place in range(begin, len(pins)))
    for tenant, of_tenant in groupby(keys, lambda key: key.tenant):
        environments = {PRODUCTION, *(key.environment for key in of_tenant)}
        yield from (PinKey(tenant, environment) for environment in sorted(environments))


def _in_production(tenants: Sequence[Tenant], begin: Tenant) -> Iterator[PinKey]:
    places = range(bisect_left(tenants, begin), len(tenants))
    return (PinKey(tenants[place], PRODUCTION) for place in places)


def _place(pins: Sequence[str], tenant: Tenant) -> int:
    """The place of the tenant's first pin, or where it would be."""
    return bisect_left(pins, f"{tenant}\0", key=pin_order)


def _key(text: str) -> PinKey:
    """As `parse_pin_key`, of a key that was read with its table, and so was checked."""
    tenant, _, environment = text.partition("~")
    return PinKey(Tenant(tenant), Environment(environment))

"""The routing table in shards, so that a change rewrites, sends and loads a small part of it.

A product's routes without its pins are in the shard of the product's name; each pin, and what is known of a
tenant, is in that of the tenant. Which shard a name has is the first byte of the SHA-256 of its UTF-8, in hex. A
shard without contents is left out, and so is a product without any routes, and a tenant of whom nothing is known.
"""

import hashlib
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping
from typing import NewType

import msgspec

from bundles.core.errors import Invalid
from bundles.core.names import Product, parse_product
from bundles.core.version import parse_version
from release.core.names import Tenant, parse_channel, parse_tenant
from release.core.routing import Pin, ProductRoutes, RoutingTable, parse_pin_key
from release.core.targeting import Attributes, check_attributes

ShardName = NewType("ShardName", str)
"""Two hex digits, from `00` to `ff`."""

Part = ProductRoutes | Attributes
"""A part of the table: some of a product's routes, or what is known of a tenant."""

SHARD_NAMES = frozenset(ShardName(f"{number:02x}") for number in range(256))
_EMPTY = ProductRoutes()
_TENANTS = "documents/tenant/"


class Shard(msgspec.Struct, frozen=True, omit_defaults=True):
    """What one shard holds of each product, and of tenants."""

    products: Mapping[Product, ProductRoutes] = {}
    tenants: Mapping[Tenant, Attributes] = {}


EMPTY_SHARD = Shard()


class PartKey(msgspec.Struct, frozen=True):
    """Names a part of the table, which is in one shard: a tenant's pins on a product, or without a tenant all else
    of it; or without a product what is known of the tenant.
    """

    product: Product | None
    tenant: Tenant | None = None

    @property
    def shard(self) -> ShardName:
        """The shard that the part is in."""
        return shard_of(str(self.tenant or self.product))


def shard_of(name: str) -> ShardName:
    """The shard of a product or a tenant."""
    return ShardName(hashlib.sha256(name.encode()).hexdigest()[:2])


def part_at(place: str) -> PartKey | None:
    """The part that a place belongs to, as the audit trail writes places; None for what is no routing."""
    kind, _, rest = place.partition("/")
    if kind == "pins":
        product, tenant, _ = rest.rsplit("/", 2)
        return PartKey(Product(product), Tenant(tenant))
    if kind in ("channels", "blocks", "retired"):
        return PartKey(Product(rest.rpartition("/")[0]))
    if place.startswith(_TENANTS):
        return PartKey(None, Tenant(place.removeprefix(_TENANTS)))
    return None


def split(table: RoutingTable) -> dict[ShardName, Shard]:
    """The whole table in shards."""
    products: defaultdict[ShardName, dict[Product, ProductRoutes]] = defaultdict(dict)
    tenants: defaultdict[ShardName, dict[Tenant, Attributes]] = defaultdict(dict)
    for product, routes in table.products.items():
        own = _without_pins(routes)
        if own != _EMPTY:
            products[shard_of(product)][product] = own
        for name, pins in _by_shard(routes.pins).items():
            held = products[name].get(product, _EMPTY)
            products[name][product] = msgspec.structs.replace(held, pins=pins)
    for tenant, attributes in table.tenants.items():
        if attributes:
            tenants[shard_of(tenant)][tenant] = attributes
    return {
        name: Shard(products.get(name, {}), tenants.get(name, {})) for name in products.keys() | tenants.keys()
    }


def patch(shards: Mapping[ShardName, Shard], parts: Mapping[PartKey, Part]) -> dict[ShardName, Shard]:
    """The shards that change when these parts are so, as they are then; a part without contents goes."""
    changed: dict[ShardName, Shard] = {}
    for key, part in parts.items():
        shard = changed.get(key.shard) or shards.get(key.shard, EMPTY_SHARD)
        changed[key.shard] = _patched(shard, key, part)
    return changed


def merge(shards: Mapping[ShardName, Shard], products: Collection[Product]) -> dict[Product, ProductRoutes]:
    """The whole routes of those of the products that any shard holds something of."""
    parts: defaultdict[Product, list[tuple[ShardName, ProductRoutes]]] = defaultdict(list)
    for name, shard in shards.items():
        for product in shard.products.keys() & products:
            parts[product].append((name, shard.products[product]))
    return {product: _join(shard_of(product), held) for product, held in parts.items()}


def merge_tenants(shards: Mapping[ShardName, Shard]) -> dict[Tenant, Attributes]:
    """What is known of all tenants."""
    return {tenant: attributes for shard in shards.values() for tenant, attributes in shard.tenants.items()}


def check_shard(name: ShardName, shard: Shard) -> None:
    """Raise `ValueError` where a name in it is none, or belongs into another shard: nothing is in two of them."""
    for tenant, attributes in shard.tenants.items():
        check_attributes(attributes)
        if shard_of(parse_tenant(tenant)) != name:
            raise Invalid(f"the tenant {tenant} is in the shard {name}, not in its own")
    for product, routes in shard.products.items():
        parse_product(product)
        if shard_of(product) != name and _without_pins(routes) != _EMPTY:
            raise Invalid(f"the routes of {product} are in the shard {name}, not in their own")
        for owner in routes.pins:
            if shard_of(parse_pin_key(owner).tenant) != name:
                raise Invalid(f"the pin of {owner} on {product} is in the shard {name}, not in its own")
        for channel in routes.channels:
            parse_channel(channel)
        for version in (*routes.blocks, *routes.retired):
            parse_version(version)


class Counts(msgspec.Struct, frozen=True):
    """How many products have a shard as their own, and how many pins and known tenants it holds."""

    products: int
    pins: int
    tenants: int


def count(name: ShardName, shard: Shard) -> Counts:
    """What the shard holds."""
    return Counts(
        products=sum(shard_of(product) == name for product in shard.products),
        pins=sum(len(routes.pins) for routes in shard.products.values()),
        tenants=len(shard.tenants),
    )


def _patched(shard: Shard, key: PartKey, part: Part) -> Shard:
    if not isinstance(part, ProductRoutes):
        others = {tenant: attributes for tenant, attributes in shard.tenants.items() if tenant != key.tenant}
        return Shard(shard.products, {**others, Tenant(str(key.tenant)): part} if part else others)
    product = Product(str(key.product))
    held = shard.products.get(product, _EMPTY)
    if key.tenant is None:
        patched = msgspec.structs.replace(part, pins=held.pins)
    else:
        pins = {owner: pin for owner, pin in held.pins.items() if _tenant_of(owner) != key.tenant}
        patched = msgspec.structs.replace(held, pins={**pins, **part.pins})
    rest = {name: routes for name, routes in shard.products.items() if name != product}
    return Shard(rest if patched == _EMPTY else {**rest, product: patched}, shard.tenants)


def _join(own: ShardName, parts: Iterable[tuple[ShardName, ProductRoutes]]) -> ProductRoutes:
    routes, pins = _EMPTY, dict[str, Pin]()
    for name, part in parts:
        pins.update(part.pins)
        if name == own:
            routes = part
    return msgspec.structs.replace(routes, pins=pins)


def _by_shard(pins: Mapping[str, Pin]) -> Mapping[ShardName, Mapping[str, Pin]]:
    shards: defaultdict[ShardName, dict[str, Pin]] = defaultdict(dict)
    for owner, pin in pins.items():
        shards[shard_of(_tenant_of(owner))][owner] = pin
    return shards


def _without_pins(routes: ProductRoutes) -> ProductRoutes:
    return msgspec.structs.replace(routes, pins={})


def _tenant_of(owner: str) -> str:
    """The tenant of a pin's written key."""
    return owner.partition("~")[0]

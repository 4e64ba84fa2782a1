"""The snapshot: a signed root that names, by digest, the shards of the routing table.

One loader, with the same limits, serves the controller before it signs and the origin before it adopts: what the
one lets pass, the other can load. It is strict: bytes that this version would not have written in the same way are
refused, be it for a name that comes twice or for a field that it does not know.
"""

from collections.abc import Iterator, Mapping
from typing import TypeVar

import msgspec
from msgspec.structs import replace

from bundles.core.digest import Digest, digest_of, parse_digest
from bundles.core.envelope import unseal
from bundles.core.errors import Failed, Invalid
from bundles.core.names import Product
from bundles.core.trust import TrustedKeys
from release.core.codec import decode_document, encode_document
from release.core.limits import (
    MAX_PINS,
    MAX_PRODUCTS,
    MAX_SHARD_BYTES,
    MAX_TABLE_BYTES,
    MAX_TENANTS,
    Use,
    check_limits,
    uses_of_routes,
)
from release.core.names import Tenant
from release.core.routing import ProductRoutes, Rollout, RoutingTable, Scheduled
from release.core.shards import (
    EMPTY_SHARD,
    SHARD_NAMES,
    Counts,
    Shard,
    ShardName,
    check_shard,
    count,
    merge,
    merge_tenants,
)
from release.core.targeting import Attributes

PAYLOAD_TYPE = "application/vnd.headrace.snapshot.v2+json"
MAX_ROOT_BYTES = 256 * 1024
MAX_SEALED_BYTES = MAX_ROOT_BYTES * 4 // 3 + 64 * 1024  # base64 makes four bytes of three
VALID_SECONDS = 24 * 3600
_OLDER_TYPE = b'"application/vnd.headrace.routing.v1+json"'
_TYPE_WITHIN = 200
_LAST_SECOND = 253_402_300_799  # of the year 9999

T = TypeVar("T")
Rolled = TypeVar("Rolled", Rollout | None, Scheduled | None)


class ShardRef(msgspec.Struct, frozen=True):
    """Which bytes a shard is, and how much they hold."""

    digest: Digest
    size: int
    counts: Counts


class Root(msgspec.Struct, frozen=True):
    """The whole table, by its shards.

    `issue` orders those of one revision: it is the time of its signature, or later where the clock went back.
    After `expires_at` an origin says that it has not heard from the control plane; it goes on serving.
    `audit_head` is the hash of the audit trail's last row: with it, the signature vouches for the whole trail.
    """

    revision: int
    issue: int
    expires_at: int
    audit_head: str
    shards: Mapping[ShardName, ShardRef]

    @property
    def order(self) -> tuple[int, int]:
        """What only grows from one snapshot to the next."""
        return self.revision, self.issue

    @property
    def digests(self) -> frozenset[Digest]:
        """The shards' digests."""
        return frozenset(ref.digest for ref in self.shards.values())

    def says_the_same(self, other: "Root") -> bool:
        """True for another issue of the same table."""
        return replace(self, issue=other.issue, expires_at=other.expires_at) == other

    def is_fresh(self, now: int) -> bool:
        """False where it is time for the controller to sign it anew, also after its clock was set right."""
        return VALID_SECONDS // 2 < self.expires_at - now <= VALID_SECONDS


class Loaded(msgspec.Struct, frozen=True):
    """A snapshot as it was read: the root, its shards and the table that they make up."""

    root: Root
    shards: Mapping[ShardName, Shard]
    table: RoutingTable


def open_root(sealed: bytes, trusted: TrustedKeys) -> Root:
    """The root in a sealed snapshot, if it is signed by a key that is trusted for it. Raises `Failed`."""
    if _OLDER_TYPE in sealed[:_TYPE_WITHIN]:
        raise Failed(
            "the snapshot is of an older version of Headrace: start this version's `headrace controller`, which"
            " writes it anew"
        )
    return decode_root(unseal(PAYLOAD_TYPE, sealed, trusted, "the snapshot"))


def encode_root(root: Root) -> bytes:
    """Canonical JSON."""
    return encode_document(root)


def decode_root(payload: bytes) -> Root:
    """The root, once all that it says of its shards is within the limits. Raises `Failed`."""
    if len(payload) > MAX_ROOT_BYTES:
        raise Failed(f"the snapshot's root has {len(payload)} bytes; the most that is loaded is {MAX_ROOT_BYTES}")
    root = _decode(payload, Root, "the snapshot's root")
    try:
        _check_root(root)
    except ValueError as error:
        raise Failed(f"the snapshot's root is not loaded: {error}") from None
    return root


def encode_shard(name: ShardName, shard: Shard) -> tuple[ShardRef, bytes]:
    """The shard in canonical JSON, and what a root says of it. Smoke tests are left out: no origin's business."""
    products = {product: _for_origins(routes) for product, routes in shard.products.items()}
    body = encode_document(replace(shard, products=products))
    return ShardRef(digest_of(body), len(body), count(name, shard)), body


def load_shard(name: ShardName, ref: ShardRef, body: bytes) -> Shard:
    """The shard that a root names, with every name, version and range in it checked. Raises `Failed`."""
    if len(body) != ref.size or digest_of(body) != ref.digest:
        raise Failed(f"the shard {name} is damaged: its bytes are not those that the snapshot's root names")
    shard = _decode(body, Shard, f"the shard {name}")
    try:
        check_shard(name, shard)
        check_limits(uses_of_routes(shard.products))
    except ValueError as error:
        raise Failed(f"the shard {name} is not loaded: {error}") from None
    if count(name, shard) != ref.counts:
        raise Failed(f"the shard {name} holds other counts than the snapshot's root says")
    return shard


def unloaded(root: Root, before: Loaded | None) -> dict[ShardName, ShardRef]:
    """The shards that `load` needs the bytes of, beyond what is loaded already."""
    known = {} if before is None else before.root.shards
    return {name: ref for name, ref in root.shards.items() if known.get(name) != ref}


def load(root: Root, bodies: Mapping[Digest, bytes], before: Loaded | None) -> Loaded:
    """The snapshot, from what is loaded already and the bytes of the other shards. Raises `Failed`.

    A product that did not change stays the very same object, and so does the table where it has the same revision
    and shards.
    """
    if before is not None and before.root.says_the_same(root):
        return Loaded(root, before.shards, before.table)
    new = {name: load_shard(name, ref, bodies[ref.digest]) for name, ref in unloaded(root, before).items()}
    if before is None:
        products = {product for shard in new.values() for product in shard.products}
        return Loaded(root, new, _table(root, merge(new, products), merge_tenants(new)))
    shards = {name: new[name] if name in new else before.shards[name] for name in root.shards}
    products = {
        product for name in {*before.shards, *shards} for product in _differing(name, before.shards, shards)
    }
    same_tenants = all(
        _tenants(before.shards, name) == _tenants(shards, name) for name in {*before.shards, *shards}
    )
    tenants = before.table.tenants if same_tenants else merge_tenants(shards)
    kept = {product: routes for product, routes in before.table.products.items() if product not in products}
    return Loaded(root, shards, _table(root, kept | merge(shards, products), tenants))


def uses_of_root(root: Root) -> Iterator[Use]:
    """What the whole table uses of the limits."""
    refs = root.shards.values()
    yield Use("bytes of all shards", sum(ref.size for ref in refs), MAX_TABLE_BYTES)
    yield Use("bytes of the largest shard", max((ref.size for ref in refs), default=0), MAX_SHARD_BYTES)
    yield Use("products", sum(ref.counts.products for ref in refs), MAX_PRODUCTS)
    yield Use("pins", sum(ref.counts.pins for ref in refs), MAX_PINS)
    yield Use("known tenants", sum(ref.counts.tenants for ref in refs), MAX_TENANTS)


def _table(
    root: Root, products: Mapping[Product, ProductRoutes], tenants: Mapping[Tenant, Attributes]
) -> RoutingTable:
    return RoutingTable(root.revision, products, root.audit_head, tenants)


def _tenants(shards: Mapping[ShardName, Shard], name: ShardName) -> Mapping[Tenant, Attributes]:
    return shards.get(name, EMPTY_SHARD).tenants


def _for_origins(routes: ProductRoutes) -> ProductRoutes:
    channels = {
        name: replace(state, rollout=_untested(state.rollout), scheduled=_untested(state.scheduled))
        for name, state in routes.channels.items()
    }
    return replace(routes, channels=channels)


def _untested(rolled: Rolled) -> Rolled:
    """The same, live or scheduled, without the smoke tests of its plan."""
    if rolled is None or not rolled.plan.smoke_tests:
        return rolled
    return replace(rolled, plan=replace(rolled.plan, smoke_tests=()))


def _differing(
    name: ShardName, before: Mapping[ShardName, Shard], after: Mapping[ShardName, Shard]
) -> Iterator[Product]:
    """The products that the shard holds something else of than before."""
    old, new = before.get(name, EMPTY_SHARD).products, after.get(name, EMPTY_SHARD).products
    if old is not new:
        yield from (product for product in {*old, *new} if old.get(product) != new.get(product))


def _check_root(root: Root) -> None:
    if min(root.order) < 0 or not 0 <= root.expires_at <= _LAST_SECOND:
        raise Invalid("a revision, an issue or a time can't be so")
    for name, ref in root.shards.items():
        if name not in SHARD_NAMES or min(ref.size, *msgspec.structs.astuple(ref.counts)) < 0:
            raise Invalid(f"{name!r} is no shard")
        parse_digest(ref.digest)
    check_limits(uses_of_root(root))


def _decode(document: bytes, kind: type[T], name: str) -> T:
    try:
        value = decode_document(document, kind)
        is_canonical = encode_document(value) == document
    except (msgspec.MsgspecError, ValueError, RecursionError) as error:
        raise Failed(f"{name} is damaged: {error}") from None
    if not is_canonical:
        raise Failed(
            f"{name} is not as this version writes it: it is damaged, or of a newer version of Headrace, in which"
            " case this one must be renewed"
        )
    return value

"""What the routing table says of a target: a redirect, a resolution, or that nobody may have it."""

import math
from collections.abc import Iterable
from datetime import UTC, datetime

import msgspec

from bundles.core.names import Product
from bundles.core.urls import exact_url
from bundles.core.version import Version
from origin.core.common import Common, common_of, tenant_tag
from origin.core.faults import gone, not_found, unavailable
from origin.core.prepared import FileLink
from origin.core.target import ExactFile, MovingFile, TenantFile, TenantResolution
from release.core.names import Environment, Tenant
from release.core.resolve import Passed, Reason, Resolution, resolve_channel, resolve_range, resolve_tenant
from release.core.routing import ProductRoutes, RoutingTable


class Redirect(msgspec.Struct, frozen=True):
    """The exact URL that a moving one stands for now, until when at least, and the cache tags to purge it by.

    `until` is in seconds since the epoch, of one routing table. `common` is set where tenants share the answer.
    """

    location: str
    tags: tuple[str, ...]
    until: float
    common: Common | None = None


class ResolutionDocument(msgspec.Struct, frozen=True, omit_defaults=False):
    """The body of `/t/{tenant}/{product}.json`. `next_change` is in UTC by RFC 3339, or null."""

    product: Product
    tenant: Tenant
    environment: Environment
    version: Version
    reason: Reason
    passed: tuple[Passed, ...]
    next_change: str | None
    revision: int
    files: tuple[FileLink, ...]


def refuse_withdrawn(table: RoutingTable | None, target: ExactFile) -> None:
    """Raises 410 for a build that nobody may get, and 404 for one that is retired, still known or not."""
    routes = None if table is None else table.products.get(target.product)
    if routes is None:
        return
    if target.version in routes.blocks:
        raise gone(f"{target.product}@{target.version} is blocked: nobody may get it")
    if target.version in routes.retired:
        raise not_found(f"{target.product}@{target.version} was retired")


def redirect(table: RoutingTable | None, target: MovingFile | TenantFile, now: int) -> Redirect:
    """Where a moving URL points now. Raises 404 for what resolves to nothing, 503 before the first snapshot."""
    if isinstance(target, TenantFile):
        return _tenant_redirect(table, target, now)
    routes = _routes(_known(table), target.product)
    if target.channel is not None and target.channel in routes.channels:
        resolved = resolve_channel(routes, target.channel)
        tags: tuple[str, ...] = (f"product:{target.product}", f"channel:{target.product}/{target.channel}")
    elif target.range is not None:
        resolved = resolve_range(routes, target.range)
        tags = (f"product:{target.product}", *_range_tags(routes, target.product))
    else:
        raise not_found(f"{target.product} has no channel {target.channel!r}")
    return Redirect(exact_url(target.product, _build(resolved, target.product), target.path), tags, math.inf)


def resolution(table: RoutingTable | None, target: TenantResolution, now: int) -> tuple[Version, Resolution]:
    """The build that a tenant gets, and the whole resolution. Raises as `redirect` does."""
    resolved = _resolve(table, target, now)
    return _build(resolved, target.product), resolved


def resolution_document(
    target: TenantResolution,
    version: Version,
    resolved: Resolution,
    revision: int,
    files: tuple[FileLink, ...],
) -> bytes:
    """The resolution's JSON."""
    changes = resolved.next_change
    return msgspec.json.encode(
        ResolutionDocument(
            product=target.product,
            tenant=target.tenant,
            environment=target.environment,
            version=version,
            reason=resolved.reason,
            passed=resolved.passed,
            next_change=None if changes is None else datetime.fromtimestamp(changes, UTC).isoformat(),
            revision=revision,
            files=files,
        )
    )


def tenant_tags(tenant: Tenant, product: Product) -> tuple[str, ...]:
    """The cache tags of what one tenant gets of one product."""
    return f"product:{product}", tenant_tag(tenant)


def _resolve(table: RoutingTable | None, target: TenantFile | TenantResolution, now: int) -> Resolution:
    known = _known(table)
    routes = _routes(known, target.product)
    return resolve_tenant(routes, target.tenant, target.environment, now=now, known=known.tenants)


def _tenant_redirect(table: RoutingTable | None, target: TenantFile, now: int) -> Redirect:
    resolved = _resolve(table, target, now)
    build = _build(resolved, target.product)
    return Redirect(
        exact_url(target.product, build, target.path),
        tenant_tags(target.tenant, target.product),
        math.inf if resolved.next_change is None else resolved.next_change,
        common_of(build, f"{target.product}/{target.path}", target.tenant),
    )


def _range_tags(routes: ProductRoutes, product: Product) -> Iterable[str]:
    return (f"channel:{product}/{name}" for name in sorted(routes.channels))


def _known(table: RoutingTable | None) -> RoutingTable:
    if table is None:
        raise unavailable("this origin has no verified snapshot yet")
    return table


def _routes(table: RoutingTable, product: Product) -> ProductRoutes:
    routes = table.products.get(product)
    if routes is None:
        raise not_found(f"nothing of a product {product!r} has been released")
    return routes


def _build(resolved: Resolution, product: Product) -> Version:
    if resolved.build is None:
        raise not_found(f"no build of {product} is released to you")
    return resolved.build

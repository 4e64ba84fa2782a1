"""Who gets another build by a change, and who gets a given one: for tenants that are known by name."""

from collections.abc import Iterable, Iterator

import msgspec

from bundles.core.version import Version
from release.core.names import PRODUCTION, Channel, Environment, Tenant
from release.core.resolve import Reason, resolve_tenant
from release.core.routing import PinKey, ProductRoutes, parse_pin_key


class Move(msgspec.Struct, frozen=True):
    """A tenant that gets another build; None where it gets none."""

    tenant: Tenant
    environment: Environment
    before: Version | None
    after: Version | None


class Holder(msgspec.Struct, frozen=True):
    """A tenant that gets a build, and why."""

    tenant: Tenant
    environment: Environment
    reason: Reason


def known_askers(routes: ProductRoutes, tenants: Iterable[Tenant]) -> list[PinKey]:
    """These tenants and those that the routes name, each in production and where it has a pin; sorted."""
    pinned = [parse_pin_key(key) for key in routes.pins]
    named = {*tenants, *(key.tenant for key in pinned), *_canaries(routes)}
    return sorted({*pinned, *(PinKey(tenant, PRODUCTION) for tenant in named)})


def moves(
    before: ProductRoutes, after: ProductRoutes, askers: Iterable[PinKey], channel: Channel, now: int
) -> list[Move]:
    """Those of the askers who get another build of the channel after a change."""
    resolved = (
        Move(
            asker.tenant,
            asker.environment,
            resolve_tenant(before, asker.tenant, asker.environment, channel, now=now).build,
            resolve_tenant(after, asker.tenant, asker.environment, channel, now=now).build,
        )
        for asker in askers
    )
    return [move for move in resolved if move.before != move.after]


def holders(
    routes: ProductRoutes, version: Version, askers: Iterable[PinKey], channel: Channel, now: int
) -> list[Holder]:
    """Those of the askers who get this build of the channel."""
    resolved = (
        (asker, resolve_tenant(routes, asker.tenant, asker.environment, channel, now=now)) for asker in askers
    )
    return [
        Holder(asker.tenant, asker.environment, resolution.reason)
        for asker, resolution in resolved
        if resolution.build == version
    ]


def _canaries(routes: ProductRoutes) -> Iterator[Tenant]:
    for state in routes.channels.values():
        if state.rollout is not None:
            yield from state.rollout.plan.canary_tenants

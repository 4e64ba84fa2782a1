"""Who gets another build by a change: for tenants that are known by name."""

from collections.abc import Iterable, Iterator

import msgspec

from bundles.core.names import Product
from bundles.core.version import Version
from release.core.names import PRODUCTION, STABLE, Channel, Environment, Tenant
from release.core.resolve import Resolution, first_reached, resolve_tenant
from release.core.routing import PinKey, RoutingTable


class Move(msgspec.Struct, frozen=True):
    """A tenant that gets another build; None where it gets none."""

    tenant: Tenant
    environment: Environment
    before: Version | None
    after: Version | None


class StageAhead(msgspec.Struct, frozen=True):
    """A stage of a rollout, and the tenants whom it is the first to reach in production."""

    stage: str
    tenants: tuple[Tenant, ...]


def resolve_in(table: RoutingTable, product: Product, channel: Channel, asker: PinKey, now: int) -> Resolution:
    """What a known asker gets."""
    routes = table.routes(product)
    return resolve_tenant(routes, asker.tenant, asker.environment, channel, now=now, known=table.tenants)


def moves(
    before: RoutingTable,
    after: RoutingTable,
    product: Product,
    channel: Channel,
    askers: Iterable[PinKey],
    now: int,
) -> list[Move]:
    """Those of the askers who get another build of the channel after a change."""
    resolved = (
        Move(
            asker.tenant,
            asker.environment,
            resolve_in(before, product, channel, asker, now).build,
            resolve_in(after, product, channel, asker, now).build,
        )
        for asker in askers
    )
    return [move for move in resolved if move.before != move.after]


def changed_channels(before: RoutingTable, after: RoutingTable) -> Iterator[tuple[Product, Channel]]:
    """The channels whose tenants may get another build by a change.

    What is not of one channel, such as a pin, is looked at on `stable`: that is what tenants' own URLs serve.
    """
    for product in sorted(before.products.keys() | after.products.keys()):
        old, new = before.routes(product), after.routes(product)
        is_touched = old != new or before.tenants != after.tenants
        for channel in sorted(old.channels.keys() | new.channels.keys() | {STABLE}):
            if old.channels.get(channel) != new.channels.get(channel) or (is_touched and channel == STABLE):
                yield product, channel


def stages_ahead(
    table: RoutingTable, product: Product, channel: Channel, askers: Iterable[PinKey], now: int
) -> list[StageAhead]:
    """Each stage of the channel's rollout, live or scheduled, with the askers whom it reaches first, then `done`.

    Who is pinned is reached by none.
    """
    routes = table.routes(product)
    state = routes.channels.get(channel)
    coming = None if state is None else state.coming
    if coming is None:
        return []
    names = coming.plan.stage_names
    reached: dict[str, list[Tenant]] = {name: [] for name in names}
    for asker in askers:
        if asker.environment == PRODUCTION:
            place = first_reached(routes, coming.plan, coming.salt, asker, table.tenants, now)
            if place is not None:
                reached[names[place]].append(asker.tenant)
    return [StageAhead(name, tuple(tenants)) for name, tenants in reached.items()]

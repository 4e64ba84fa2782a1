"""What a change would do, as its users see it."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import msgspec

from bundles.core.names import Product
from release.core.askers import known_to
from release.core.moves import Move, StageAhead, changed_channels, moves, stages_ahead
from release.core.names import Channel, Tenant

if TYPE_CHECKING:
    from release.change import Previewed


class ChannelPlanView(msgspec.Struct, frozen=True):
    """What a change would do on one channel: of so many known tenants and environments, those that move.

    `stages` are those of the rollout that the change leaves there, with the tenants that each reaches first.
    """

    product: Product
    channel: Channel
    known: int
    moves: list[Move]
    stages: list[StageAhead]


class PlanView(msgspec.Struct, frozen=True):
    """What a change would do, from this revision. Nothing was changed."""

    revision: int
    channels: list[ChannelPlanView]


def plan_of(tried: "Previewed", known: Sequence[Tenant], now: int, only: Tenant | None = None) -> PlanView:
    """Whom the change would move at `now`, in seconds since the epoch: of these tenants and those that the routing
    table names, before the change or after it. With `only` it is for that tenant: no other is told of, and none of
    the rollout's stages.
    """
    channels = []
    for product, channel in changed_channels(tried.before, tried.after):
        askers = list(known_to(tried.after, product).after(None, [*known, *_named_before(tried, product)]))
        if only is not None:
            askers = [asker for asker in askers if asker.tenant == only]
        moved = moves(tried.before, tried.after, product, channel, askers, now)
        ahead = [] if only is not None else stages_ahead(tried.after, product, channel, askers, now)
        if moved or ahead:
            channels.append(ChannelPlanView(product, channel, len(askers), moved, ahead))
    return PlanView(tried.before.revision, channels)


def _named_before(tried: "Previewed", product: Product) -> list[Tenant]:
    return [asker.tenant for asker in known_to(tried.before, product).after(None, ())]

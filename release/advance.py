"""What the controller does at each tick: mend the snapshot, and promote rollouts whose bake time has passed."""

from collections.abc import Iterator

import msgspec

from bundles.core.errors import Refused
from bundles.core.names import Product
from release.change import Author, Control
from release.core.names import Channel
from release.core.routing import ChannelState, Rollout, RoutingTable
from release.core.transition import Promote
from release.rollouts import command_channel
from release.snapshot import sync_snapshot

AUTHOR = Author(actor="controller", reason="bake time has passed")


class Advanced(msgspec.Struct, frozen=True):
    """A promotion that the controller made."""

    product: Product
    channel: Channel
    revision: int
    state: ChannelState


async def advance(control: Control) -> list[Advanced]:
    """Promote each rollout that is due, by one stage. One that a person changed meanwhile is left alone."""
    table = await sync_snapshot(control.ledger, control.snapshots, control.signing_key, control.trusted)
    advanced = []
    for product, channel, rollout in _due(table, control.clock.now()):
        try:
            promoted = await command_channel(control, product, channel, Promote(seen=rollout), AUTHOR)
        except Refused:
            continue
        advanced.append(Advanced(product, channel, promoted.revision, promoted.state))
    return advanced


def _due(table: RoutingTable, now: int) -> Iterator[tuple[Product, Channel, Rollout]]:
    for product, routes in table.products.items():
        for name, state in routes.channels.items():
            rollout = state.rollout
            if rollout is None or rollout.bakes_until is None or rollout.candidate in routes.blocks:
                continue
            if now >= rollout.bakes_until:
                yield product, name, rollout

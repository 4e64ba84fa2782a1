"""What the controller does at each tick: mend the snapshot, abort what checks say to, begin what is scheduled and
promote what has baked.
"""

from collections.abc import Iterator

import msgspec

from bundles.core.errors import Refused
from bundles.core.names import Product
from release.change import Author, Control
from release.checks import failed_checks
from release.core.audit import CONTROLLER
from release.core.commands import Abort, Begin, Promote
from release.core.names import Channel
from release.core.routing import RoutingTable
from release.ports import Leadership
from release.rollouts import ChannelAt, command_channel

_BAKED = Author(actor=CONTROLLER, reason="bake time has passed")
_SCHEDULED = Author(actor=CONTROLLER, reason="its time has come")
_STEPS = {Abort: "aborted", Begin: "begun", Promote: "promoted"}


class Advanced(msgspec.Struct, frozen=True):
    """A step that the controller took."""

    product: Product
    channel: Channel
    step: str
    at: ChannelAt


async def advance(control: Control, leadership: Leadership | None = None) -> list[Advanced]:
    """Abort each rollout that a check says to, begin each scheduled one whose time has come, and promote each that
    has baked, by one stage.

    One that a person, or another controller, changed meanwhile is left alone; one that may not go on, in a freeze,
    unapproved or held by a check, waits. Where the leadership is lost on the way, the rest is left to who has it.
    """
    await control.sync()
    table = await control.overview.look(control.ledger)
    advanced = []
    failed = [
        (live.product, live.channel, Abort(of=live.rollout.identity), Author(actor=CONTROLLER, reason=why))
        for live, why in await failed_checks(control, table)
    ]
    for product, channel, command, author in [*failed, *_due(table, control.clock.now())]:
        if leadership is not None and not await leadership.holds():
            break
        try:
            changed = await command_channel(control, product, channel, command, author)
        except Refused:
            continue
        advanced.append(Advanced(product, channel, _STEPS[type(command)], changed))
    return advanced


def _due(table: RoutingTable, now: int) -> Iterator[tuple[Product, Channel, Begin | Promote, Author]]:
    for product, routes in table.products.items():
        for name, state in routes.channels.items():
            rollout, scheduled = state.rollout, state.scheduled
            if scheduled is not None and now >= scheduled.at and scheduled.candidate not in routes.blocks:
                yield product, name, Begin(seen=scheduled), _SCHEDULED
            if rollout is None or rollout.bakes_until is None or rollout.candidate in routes.blocks:
                continue
            if now >= rollout.bakes_until:
                yield product, name, Promote(seen=rollout), _BAKED

"""A rollout as it goes on, and its end, as its users see it."""

from typing import TYPE_CHECKING

import msgspec

from api.times import format_time
from api.views.channel import ChannelView, view_channel
from bundles.core.names import Product
from bundles.core.version import Version
from release.core.ending import How
from release.core.names import Channel

if TYPE_CHECKING:
    from release.endings import Ending
    from release.rollouts import ChannelAt


class EndingView(msgspec.Struct, frozen=True):
    """How the rollout ended, and by which change; `at` is RFC 3339 in UTC."""

    how: How
    revision: int
    at: str
    actor: str
    reason: str


class WatchView(msgspec.Struct, frozen=True):
    """A rollout at a moment. `seconds_left` is how long its stage still bakes, null where a person promotes;
    `ended` is null while the rollout is live or scheduled.
    """

    candidate: Version
    seconds_left: int | None
    ended: EndingView | None
    channel: ChannelView


def view_rollout(
    product: Product, channel: Channel, candidate: Version, at: "ChannelAt", ended: "Ending | None", now: int
) -> WatchView:
    """The rollout of a candidate for its users."""
    rollout = at.state.rollout
    left = None if rollout is None or rollout.bakes_until is None else max(0, rollout.bakes_until - now)
    end = None
    if ended is not None:
        end = EndingView(ended.how, ended.revision, format_time(ended.at), ended.actor, ended.reason)
        left = None
    return WatchView(candidate, left, end, view_channel(product, channel, at))

"""Which builds clients most probably hold."""

from bundles.core.version import Version
from release.core.names import Channel
from release.core.routing import ChannelState, ProductRoutes


def held_builds(routes: ProductRoutes, channel: Channel, count: int) -> list[Version]:
    """At most so many builds of a channel, the likeliest first: its stable build, its candidate, the ones before.

    A blocked build is not among them: nobody was meant to have it.
    """
    state = routes.channels.get(channel, ChannelState())
    candidate = [state.rollout.candidate] if state.rollout is not None else []
    newest_first = list(reversed(state.history))
    held = dict.fromkeys([*newest_first[:1], *candidate, *newest_first[1:]])
    return [version for version in held if version not in routes.blocks][:count]

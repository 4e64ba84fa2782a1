"""Which builds the routes need: those that somebody may get, now or after one step of a release engineer."""

from collections.abc import Collection, Iterable, Iterator, Mapping

import msgspec

from bundles.core.version import Version, precedence
from release.core.routing import Block, ChannelState, ProductRoutes


def needed_builds(routes: ProductRoutes, keep: int, now: int) -> dict[Version, str]:
    """What each needed build is, in words that go on from "it is"; the weightiest where it is several things.

    `keep` is how many builds before the stable one a channel may be rolled back to, and how many a range pin may
    fall back to. Times are in seconds since the epoch.
    """
    needs: dict[Version, str] = {}
    for version, role in _roles(routes, keep, now):
        needs.setdefault(version, role)
    return needs


def without(state: ChannelState, retired: Collection[Version]) -> ChannelState:
    """The channel once these builds are no earlier stable builds of it any more."""
    return msgspec.structs.replace(
        state, history=tuple(version for version in state.history if version not in retired)
    )


def _roles(routes: ProductRoutes, keep: int, now: int) -> Iterator[tuple[Version, str]]:
    for name, state in routes.channels.items():
        if state.stable is not None:
            yield state.stable, f"the stable build of channel {name}"
        if state.rollout is not None:
            yield state.rollout.candidate, f"the candidate of the rollout on channel {name}"
        if state.scheduled is not None:
            yield state.scheduled.candidate, f"the candidate of the rollout that is scheduled on channel {name}"
    yield from _pinned(routes, keep, now)
    for name, state in routes.channels.items():
        for version in _rollback_targets(state, routes.blocks, keep):
            yield version, f"a build that channel {name} may be rolled back to"
    for line, version in _newest_of_each_line(routes.released):
        yield version, f"the newest release of {line}"


def _pinned(routes: ProductRoutes, keep: int, now: int) -> Iterator[tuple[Version, str]]:
    """A blocked build counts: it is the pin's again once the block is cleared."""
    released = routes.released
    for key, pin in routes.pins.items():
        if pin.expires_at is not None and now >= pin.expires_at:
            continue
        if pin.target is None:
            continue
        if pin.target.exact is not None:
            yield pin.target.exact, f"the build that {key} is pinned to"
            continue
        admitted = [version for version in released if pin.target.admits(version)]
        for version in admitted[: keep + 1]:
            yield version, f"a build that {key} may get by its pin to {pin.target.text}"


def _rollback_targets(state: ChannelState, blocks: Mapping[Version, Block], keep: int) -> Iterator[Version]:
    """The newest of the channel's stable builds, until so many before the stable one are not blocked."""
    left = keep
    for version in reversed(state.history[:-1]):
        if left == 0:
            return
        yield version
        left -= version not in blocks


def _newest_of_each_line(newest_first: Iterable[Version]) -> Iterator[tuple[str, Version]]:
    """The newest release of each MAJOR.MINOR: what a range in a customer's page resolves to.

    A range that ends within a line (`<1.2.4`) may resolve to an older build afterwards, or to none.
    """
    lines: set[str] = set()
    for version in newest_first:
        parsed = precedence(version)
        line = f"{parsed.major}.{parsed.minor}"
        if parsed.prerelease is None and line not in lines:
            lines.add(line)
            yield line, version

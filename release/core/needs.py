"""Which builds the routes need: those that somebody may get, now or after one step of a release engineer.

A blocked build is needed as if it were not, since a block may be cleared, and stands in for no other one.
"""

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
        for version in _newest(reversed(state.history), routes.blocks, keep + 1):
            yield version, f"a build that channel {name} may be rolled back to"
    for line, versions in _lines(routes.released_or_blocked()).items():
        for version in _newest(versions, routes.blocks, 1):
            yield version, f"the newest release of {line}"


def _pinned(routes: ProductRoutes, keep: int, now: int) -> Iterator[tuple[Version, str]]:
    released = routes.released_or_blocked()
    for key, pin in routes.pins.items():
        if pin.expires_at is not None and now >= pin.expires_at:
            continue
        if pin.target is None:
            continue
        if pin.target.exact is not None:
            yield pin.target.exact, f"the build that {key} is pinned to"
            continue
        admitted = [version for version in released if pin.target.admits(version)]
        for version in _newest(admitted, routes.blocks, keep + 1):
            yield version, f"a build that {key} may get by its pin to {pin.target.text}"


def _newest(newest_first: Iterable[Version], blocks: Mapping[Version, Block], count: int) -> Iterator[Version]:
    """The first of these builds, until so many are not blocked."""
    left = count
    for version in newest_first:
        if left == 0:
            return
        yield version
        left -= version not in blocks


def _lines(newest_first: Iterable[Version]) -> dict[str, list[Version]]:
    """The releases of each MAJOR.MINOR, whose newest is what a range in a customer's page resolves to.

    A range that ends within a line (`<1.2.4`) may resolve to an older build afterwards, or to none.
    """
    lines: dict[str, list[Version]] = {}
    for version in newest_first:
        parsed = precedence(version)
        if parsed.prerelease is None:
            lines.setdefault(f"{parsed.major}.{parsed.minor}", []).append(version)
    return lines

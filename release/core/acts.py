"""What a person could do so that a tenant gets another build: each act is tried on the routing table."""

from collections.abc import Iterator, Mapping
from enum import StrEnum
from functools import reduce
from typing import TypeVar

import msgspec

from bundles.core.errors import HeadraceError
from bundles.core.version import Range, Version
from release.core.ahead import Turn
from release.core.commands import Abort, Command, Promote, Resume, Rollback
from release.core.names import Channel
from release.core.resolve import Known, Resolution, resolve_tenant
from release.core.routing import ChannelState, Pin, PinKey, ProductRoutes, Progress
from release.core.transition import Circumstances, transition

Name = TypeVar("Name", bound=str)
Entry = TypeVar("Entry")


class ActKind(StrEnum):
    """What is done."""

    CLEAR_PIN = "pin clear"
    PIN = "pin set"
    CLEAR_BLOCK = "block clear"
    PROMOTE = "rollout promote"
    RESUME_AND_PROMOTE = "rollout resume, rollout promote"
    ABORT = "rollout abort"
    ROLLBACK = "rollback"


class Act(msgspec.Struct, frozen=True):
    """An act, and the build that the tenant gets by it, None for nothing. `name` is a stage's or a build's."""

    kind: ActKind
    build: Version | None
    name: str | None = None


def acts_of(
    routes: ProductRoutes,
    channel: Channel,
    asker: PinKey,
    present: Resolution,
    ahead: list[Turn],
    now: int,
    known: Known,
) -> list[Act]:
    """The acts by which this asker gets another build of the channel than the present one.

    Whether a freeze, an approval or a limit forbids one now, the policy says, which is not looked at.
    """
    found = []
    for kind, name, changed in _tried(routes, channel, asker, ahead, now):
        after = resolve_tenant(changed, asker.tenant, asker.environment, channel, now=now, known=known)
        if after.build != present.build:
            found.append(Act(kind, after.build, name))
    return found


def _tried(
    routes: ProductRoutes, channel: Channel, asker: PinKey, ahead: list[Turn], now: int
) -> Iterator[tuple[ActKind, str | None, ProductRoutes]]:
    """Each act with the routes that it would leave."""
    state = routes.channels.get(channel, ChannelState())
    coming = state.coming
    pin = routes.pins.get(str(asker))
    if pin is not None:
        yield ActKind.CLEAR_PIN, None, _with(routes, pins=_without(routes.pins, str(asker)))
    if coming is not None:
        at_candidate = Pin(Range(coming.candidate), "", "")
        yield ActKind.PIN, coming.candidate, _with(routes, pins={**routes.pins, str(asker): at_candidate})
    exact = None if pin is None or pin.target is None else pin.target.exact
    for version in dict.fromkeys((exact, None if coming is None else coming.candidate, state.stable)):
        if version is not None and version in routes.blocks:
            yield ActKind.CLEAR_BLOCK, version, _with(routes, blocks=_without(routes.blocks, version))
    around = Circumstances(now, routes.blocks)
    for kind, name, commands in _commands(state, channel, ahead):
        try:
            changed = reduce(lambda at, command: transition(at, command, around), commands, state)
        except HeadraceError:
            continue
        yield kind, name, _with(routes, channels={**routes.channels, channel: changed})


def _commands(
    state: ChannelState, channel: Channel, ahead: list[Turn]
) -> Iterator[tuple[ActKind, str | None, tuple[Command, ...]]]:
    if state.rollout is None:
        yield ActKind.ROLLBACK, None, (Rollback(),)
        return
    for turn in ahead:
        if turn.channel == channel and turn.stage is not None:
            if state.rollout.progress is Progress.PAUSED:
                yield ActKind.RESUME_AND_PROMOTE, turn.stage, (Resume(), Promote(to=turn.stage))
            else:
                yield ActKind.PROMOTE, turn.stage, (Promote(to=turn.stage),)
    yield ActKind.ABORT, None, (Abort(),)


def _with(routes: ProductRoutes, **changed: object) -> ProductRoutes:
    return msgspec.structs.replace(routes, **changed)


def _without(entries: Mapping[Name, Entry], name: Name) -> dict[Name, Entry]:
    return {each: entry for each, entry in entries.items() if each != name}

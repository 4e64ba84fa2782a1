"""What would change by itself what a tenant gets, and when at the earliest, by the routing table alone.

What it does not know holds a rollout up: freezes, approvals, smoke tests, gates and checks (`release/holds.py`).
"""

from collections.abc import Iterator
from enum import StrEnum

import msgspec

from bundles.core.version import Version, precedence
from release.core.names import Channel, serves_ranges
from release.core.resolve import Known, Passed, Reason, Resolution, first_reached, resolve_tenant
from release.core.routing import ChannelState, Pin, PinKey, ProductRoutes, Progress, Rollout, Scheduled
from release.core.targeting import NOTHING_KNOWN

_PIN_FAULTS = frozenset({Passed.PIN_EXPIRED, Passed.PIN_BLOCKED, Passed.PIN_UNSATISFIABLE})


class TurnKind(StrEnum):
    """What would happen."""

    PIN_ENDS = "pin-ends"
    REACHED = "rollout-reaches-it"
    HOLD_BACK_ENDS = "hold-back-ends"
    RELEASED_IN_RANGE = "released-in-its-range"


class Turn(msgspec.Struct, frozen=True, kw_only=True):
    """A change to come: `build` is what the tenant would get, None for nothing.

    `at` is the earliest time, in seconds since the epoch, if the controller runs and nothing holds the rollout;
    None where it waits for a person at the stage `waits_at`. `channel` and `stage` are the rollout's and the one
    that reaches the tenant, `begins_at` the time of a rollout that is scheduled.
    """

    kind: TurnKind
    build: Version | None
    at: int | None
    channel: Channel | None = None
    stage: str | None = None
    waits_at: str | None = None
    begins_at: int | None = None


def turns_ahead(
    routes: ProductRoutes, channel: Channel, asker: PinKey, present: Resolution, now: int, known: Known
) -> list[Turn]:
    """What would change what this asker gets of the channel, which is `present` now; the soonest first."""
    pin = routes.pins.get(str(asker))
    if pin is not None and _PIN_FAULTS.intersection(present.passed):
        pin = None
    found = list(_of_pin(routes, channel, asker, pin, known))
    if pin is not None and present.reason is Reason.PIN:
        found.extend(_in_range(routes, pin, present.build, now))
    reached = _reached(routes, channel, asker, pin, now, known)
    if reached is not None and reached.build != present.build:
        found.append(reached)
    return sorted(found, key=lambda turn: (turn.at is None, turn.at))


def _of_pin(
    routes: ProductRoutes, channel: Channel, asker: PinKey, pin: Pin | None, known: Known
) -> Iterator[Turn]:
    """Its end, with what the asker would get then if nothing else had changed."""
    if pin is not None and pin.expires_at is not None:
        after = resolve_tenant(routes, asker.tenant, asker.environment, channel, now=pin.expires_at, known=known)
        yield Turn(kind=TurnKind.PIN_ENDS, build=after.build, at=pin.expires_at)


def _in_range(routes: ProductRoutes, pin: Pin, present: Version | None, now: int) -> Iterator[Turn]:
    """The candidates that a range pin would come to, once they are stable builds, before the pin ends."""
    if pin.target is None or pin.target.exact is not None or present is None:
        return
    for name, state in routes.channels.items():
        coming = state.coming
        if coming is None or not serves_ranges(name) or coming.candidate in routes.blocks:
            continue
        if pin.target.admits(coming.candidate) and precedence(coming.candidate) > precedence(present):
            turn = _arrival(TurnKind.RELEASED_IN_RANGE, name, coming, len(coming.plan.stages), now)
            if pin.expires_at is None or turn.at is None or turn.at < pin.expires_at:
                yield turn


def _reached(
    routes: ProductRoutes, channel: Channel, asker: PinKey, pin: Pin | None, now: int, known: Known
) -> Turn | None:
    """The first stage of the channel's rollout that reaches the asker, if that is yet to come.

    Who is pinned to a build is reached no sooner than the pin ends; who is opted in, as such until then.
    """
    state = routes.channels.get(channel, ChannelState())
    coming = state.coming
    if coming is None:
        return None
    ends = None if pin is None else pin.expires_at
    turn = _first_stage(routes, channel, coming, asker, now, now, known)
    if ends is not None and (turn is None or (turn.at is not None and turn.at >= ends)):
        turn = _first_stage(routes, channel, coming, asker, now, ends, known)
        if turn is not None and turn.at is not None:
            turn = msgspec.structs.replace(turn, at=max(turn.at, ends))
    return turn


def _first_stage(
    routes: ProductRoutes,
    channel: Channel,
    coming: Rollout | Scheduled,
    asker: PinKey,
    now: int,
    pin_time: int,
    known: Known,
) -> Turn | None:
    """The first stage that reaches who asks as the pin is at its time; None where it is reached, or pinned."""
    place = first_reached(routes, coming.plan, coming.salt, asker, known, pin_time)
    if place is None or (isinstance(coming, Rollout) and place <= coming.stage_index):
        return None
    about = known.get(asker.tenant, NOTHING_KNOWN)
    is_held = place > 0 and coming.plan.targeting.holds_back(asker.tenant, about, place - 1)
    return _arrival(TurnKind.HOLD_BACK_ENDS if is_held else TurnKind.REACHED, channel, coming, place, now)


def _arrival(kind: TurnKind, channel: Channel, coming: Rollout | Scheduled, place: int, now: int) -> Turn:
    """When the rollout comes to the stage in this place, by the bake times before it."""
    at: int | None
    begins_at: int | None
    waits_at = None
    if isinstance(coming, Rollout):
        stages = coming.plan.stages[coming.stage_index : place]
        at, begins_at = coming.stage_since, None
        if coming.progress is Progress.PAUSED:
            at, waits_at, stages = None, str(coming.stage), ()
    else:
        stages = coming.plan.stages[:place]
        at, begins_at = max(coming.at, now), coming.at
    for stage in stages:
        if stage.bake_seconds is None:
            at, waits_at = None, str(stage)
            break
        at = max((at or 0) + stage.bake_seconds, now)
    return Turn(
        kind=kind,
        build=coming.candidate,
        at=at,
        channel=channel,
        stage=coming.plan.stage_names[place],
        waits_at=waits_at,
        begins_at=begins_at,
    )


def held_by_table(routes: ProductRoutes, channel: Channel) -> list[str]:
    """What keeps the channel's rollout where it is that the routing table itself says, in words."""
    state = routes.channels.get(channel, ChannelState())
    coming = state.coming
    found = []
    if coming is not None and coming.candidate in routes.blocks:
        found.append(
            f"{coming.candidate} is blocked: {routes.blocks[coming.candidate].reason or 'no reason given'}"
        )
    if state.rollout is not None and state.rollout.progress is Progress.PAUSED:
        found.append(f"the rollout is paused at {state.rollout.stage}")
    return found

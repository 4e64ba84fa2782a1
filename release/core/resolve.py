"""Resolution: which build a tenant gets, and why. Block > pin > rollout cohort > stable."""

from enum import StrEnum

import msgspec

from bundles.core.version import Range, Version
from release.core.bucket import bucket_of, is_in_cohort
from release.core.names import PRODUCTION, STABLE, STAGING, Channel, Environment, Tenant
from release.core.plan import Plan, StageKind
from release.core.routing import ChannelState, Pin, PinKey, ProductRoutes, Rollout, pin_name
from release.core.targeting import Attributes


class Reason(StrEnum):
    """The rule that chose the build."""

    PIN = "pin"
    RANGE = "range"
    STAGING = "staging"
    OPT_IN = "opt-in"
    CANARY = "canary"
    FIRST = "first"
    COHORT = "cohort"
    STABLE = "stable"
    EARLIER_STABLE = "earlier-stable"
    NOTHING = "nothing"


class Passed(StrEnum):
    """A rule of higher rank that would have chosen, and why it did not."""

    PIN_EXPIRED = "pin-expired"
    PIN_BLOCKED = "pin-blocked"
    PIN_UNSATISFIABLE = "pin-unsatisfiable"
    CANDIDATE_BLOCKED = "candidate-blocked"
    STABLE_BLOCKED = "stable-blocked"
    HELD_BACK = "held-back"


class Asker(msgspec.Struct, frozen=True):
    """Who asks, as a rollout's plan sees it."""

    tenant: Tenant
    environment: Environment
    bucket: int
    is_opted_in: bool
    about: Attributes


class Resolution(msgspec.Struct, frozen=True):
    """The build, the rule that chose it, the rules that were passed over, and when it may next change by itself.

    `build` is None where `reason` is NOTHING. `next_change` is in seconds since the epoch, None if only a
    person's act can change the answer. `bucket` is set where a live rollout was looked at.
    """

    build: Version | None
    reason: Reason
    passed: tuple[Passed, ...] = ()
    next_change: int | None = None
    bucket: int | None = None


def resolve_tenant(
    routes: ProductRoutes,
    tenant: Tenant,
    environment: Environment = PRODUCTION,
    channel: Channel = STABLE,
    *,
    now: int,
    about: Attributes,
) -> Resolution:
    """What this tenant, of whom this is known, gets of a channel in this environment at `now`."""
    passed: list[Passed] = []
    pin = routes.pins.get(pin_name(tenant, environment))
    opted_in = False
    opt_in_ends = None
    if pin is not None:
        build, fault = _pinned(routes, pin, now)
        if build is not None and fault is None:
            return Resolution(build, Reason.PIN, next_change=pin.expires_at)
        if fault is not None:
            passed.append(fault)
        else:
            opted_in, opt_in_ends = True, pin.expires_at
    state = routes.channels.get(channel, ChannelState())
    if state.rollout is None:
        return _stable(routes, state, passed)
    asker = Asker(tenant, environment, bucket_of(state.rollout.salt, tenant), opted_in, about)
    changes = [at for at in (state.rollout.bakes_until, opt_in_ends) if at is not None and at > now]
    return _rolling(routes, state, state.rollout, asker, passed, min(changes, default=None))


def resolve_channel(routes: ProductRoutes, channel: Channel) -> Resolution:
    """What `product@channel` is for someone who names no tenant: always a stable build, never a candidate."""
    return _stable(routes, routes.channels.get(channel, ChannelState()), [])


def resolve_range(routes: ProductRoutes, wanted: Range) -> Resolution:
    """What `product@range` is: the newest released build in it. A build in the midst of a rollout is not one."""
    build = routes.newest(wanted)
    return Resolution(build, Reason.NOTHING if build is None else Reason.RANGE)


def _pinned(routes: ProductRoutes, pin: Pin, now: int) -> tuple[Version | None, Passed | None]:
    """Its build, or why there is none; neither for one that is opted in to candidates."""
    if pin.expires_at is not None and now >= pin.expires_at:
        return None, Passed.PIN_EXPIRED
    if pin.target is None:
        return None, None
    if pin.target.exact is not None:
        blocked = pin.target.exact in routes.blocks
        return pin.target.exact, Passed.PIN_BLOCKED if blocked else None
    build = routes.newest(pin.target)
    return build, Passed.PIN_UNSATISFIABLE if build is None else None


def _rolling(
    routes: ProductRoutes,
    state: ChannelState,
    rollout: Rollout,
    asker: Asker,
    passed: list[Passed],
    next_change: int | None,
) -> Resolution:
    reason = reached(rollout.plan, rollout.stage_index, asker)
    if reason is None and is_held_back(rollout.plan, rollout.stage_index, asker):
        passed.append(Passed.HELD_BACK)
    if reason is not None and rollout.candidate in routes.blocks:
        passed.append(Passed.CANDIDATE_BLOCKED)
        reason = None
    if reason is not None:
        return Resolution(rollout.candidate, reason, tuple(passed), next_change, asker.bucket)
    stable = _stable(routes, state, passed)
    return msgspec.structs.replace(stable, next_change=next_change, bucket=asker.bucket)


def reached(plan: Plan, place: int, asker: Asker) -> Reason | None:
    """Which part of a plan has reached the asker at the stage in this place, or None.

    What one stage reached, later ones keep.
    """
    if asker.environment == STAGING:
        return Reason.STAGING
    stage = plan.stages[place]
    if stage.kind is StageKind.STAGING:
        return None
    if asker.tenant in plan.canary:
        return Reason.CANARY
    if asker.is_opted_in:
        return Reason.OPT_IN
    if plan.targeting.holds_back(asker.tenant, asker.about, place):
        return None
    if plan.targeting.is_first(asker.about):
        return Reason.FIRST
    if is_in_cohort(asker.bucket, stage.share):
        return Reason.CANARY if stage.kind is StageKind.CANARY else Reason.COHORT
    return None


def first_reached(
    routes: ProductRoutes, plan: Plan, salt: str, asker: PinKey, about: Attributes, now: int
) -> int | None:
    """The place of the first stage that reaches the asker, one past the last where only `done` does.

    None for one who is pinned to a build.
    """
    pin = routes.pins.get(str(asker))
    build, fault = (None, None) if pin is None else _pinned(routes, pin, now)
    if build is not None and fault is None:
        return None
    opted_in = pin is not None and fault is None
    bucket = bucket_of(salt, asker.tenant)
    as_seen = Asker(asker.tenant, asker.environment, bucket, opted_in, about)
    places = (place for place in range(len(plan.stages)) if reached(plan, place, as_seen) is not None)
    return next(places, len(plan.stages))


def is_held_back(plan: Plan, place: int, asker: Asker) -> bool:
    """True where the asker's bucket is reached, but not the asker."""
    return is_in_cohort(asker.bucket, plan.stages[place].share) and reached(plan, place, asker) is None


def _stable(routes: ProductRoutes, state: ChannelState, passed: list[Passed]) -> Resolution:
    """The stable build, or the last one before it that is not blocked."""
    reason = Reason.STABLE
    for build in reversed(state.history):
        if build not in routes.blocks:
            return Resolution(build, reason, tuple(passed))
        if reason is Reason.STABLE:
            passed.append(Passed.STABLE_BLOCKED)
            reason = Reason.EARLIER_STABLE
    return Resolution(None, Reason.NOTHING, tuple(passed))

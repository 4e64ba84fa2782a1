"""Resolution: which build a tenant gets, and why. Block > pin > rollout cohort > stable."""

from enum import StrEnum

import msgspec

from bundles.core.version import Range, Version
from release.core.bucket import bucket_of, is_in_cohort
from release.core.names import PRODUCTION, STABLE, STAGING, Channel, Environment, Tenant
from release.core.plan import StageKind
from release.core.routing import ChannelState, Pin, PinKey, ProductRoutes, Rollout


class Reason(StrEnum):
    """The rule that chose the build."""

    PIN = "pin"
    RANGE = "range"
    STAGING = "staging"
    CANARY = "canary"
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
) -> Resolution:
    """What this tenant gets of a channel in this environment at `now`."""
    passed: list[Passed] = []
    pin = routes.pins.get(str(PinKey(tenant, environment)))
    if pin is not None:
        build, fault = _pinned(routes, pin, now)
        if fault is None:
            return Resolution(build, Reason.PIN, next_change=pin.expires_at)
        passed.append(fault)
    state = routes.channels.get(channel, ChannelState())
    if state.rollout is None:
        return _stable(routes, state, passed)
    return _rolling(routes, state, state.rollout, tenant, environment, passed)


def resolve_channel(routes: ProductRoutes, channel: Channel) -> Resolution:
    """What `product@channel` is for someone who names no tenant: always a stable build, never a candidate."""
    return _stable(routes, routes.channels.get(channel, ChannelState()), [])


def resolve_range(routes: ProductRoutes, wanted: Range) -> Resolution:
    """What `product@range` is: the newest released build in it. A build in the midst of a rollout is not one."""
    build = routes.newest(wanted)
    return Resolution(build, Reason.NOTHING if build is None else Reason.RANGE)


def _pinned(routes: ProductRoutes, pin: Pin, now: int) -> tuple[Version | None, Passed | None]:
    if pin.expires_at is not None and now >= pin.expires_at:
        return None, Passed.PIN_EXPIRED
    if pin.target.exact is not None:
        blocked = pin.target.exact in routes.blocks
        return pin.target.exact, Passed.PIN_BLOCKED if blocked else None
    build = routes.newest(pin.target)
    return build, Passed.PIN_UNSATISFIABLE if build is None else None


def _rolling(
    routes: ProductRoutes,
    state: ChannelState,
    rollout: Rollout,
    tenant: Tenant,
    environment: Environment,
    passed: list[Passed],
) -> Resolution:
    bucket = bucket_of(rollout.salt, tenant)
    reason = _reached(rollout, tenant, environment, bucket)
    if reason is not None and rollout.candidate in routes.blocks:
        passed.append(Passed.CANDIDATE_BLOCKED)
        reason = None
    if reason is not None:
        return Resolution(rollout.candidate, reason, tuple(passed), rollout.bakes_until, bucket)
    stable = _stable(routes, state, passed)
    return msgspec.structs.replace(stable, next_change=rollout.bakes_until, bucket=bucket)


def _reached(rollout: Rollout, tenant: Tenant, environment: Environment, bucket: int) -> Reason | None:
    """Which part of the rollout has reached the tenant, or None. What one stage reached, later ones keep."""
    if environment == STAGING:
        return Reason.STAGING
    stage = rollout.stage
    if stage.kind is not StageKind.STAGING and tenant in rollout.plan.canary:
        return Reason.CANARY
    if is_in_cohort(bucket, stage.share):
        return Reason.CANARY if stage.kind is StageKind.CANARY else Reason.COHORT
    return None


def _stable(routes: ProductRoutes, state: ChannelState, passed: list[Passed]) -> Resolution:
    """The stable build, or the last one before it that is not blocked."""
    if state.stable in routes.blocks:
        passed.append(Passed.STABLE_BLOCKED)
    build = next((version for version in reversed(state.history) if version not in routes.blocks), None)
    if build is None:
        return Resolution(None, Reason.NOTHING, tuple(passed))
    reason = Reason.STABLE if build == state.stable else Reason.EARLIER_STABLE
    return Resolution(build, reason, tuple(passed))

"""Resolution: which build a tenant gets, and why. Block > pin > rollout cohort > stable.

What is the same for all who ask is prepared once for each channel of a table (`Choice`), at its first use: what
is left for a request is a look-up, a hash and a comparison.
"""

from collections.abc import Callable, Mapping
from enum import StrEnum

import msgspec

from bundles.core.version import Range, Version
from release.core.bucket import bucket_of, cohort_size
from release.core.names import PRODUCTION, STABLE, STAGING, Channel, Environment, Tenant
from release.core.plan import Plan, StageKind
from release.core.routing import ChannelState, Pin, PinKey, ProductRoutes, Rollout, pin_name
from release.core.targeting import NOTHING_KNOWN, Attributes, Targeting


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


Known = Mapping[Tenant, Attributes]
"""What is known of all tenants. It is looked up only for a plan that goes by it."""


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


class Reach(msgspec.Struct, frozen=True):
    """Whom a plan reaches at one of its stages; what one stage reached, later ones keep.

    `cohort` is how many of all buckets it reaches, from the lowest on, for the reason `by_bucket`. `targeting` is
    None where nobody is first or held back.
    """

    place: int
    has_left_staging: bool
    canary: frozenset[Tenant]
    targeting: Targeting | None
    cohort: int
    by_bucket: Reason

    def reason(
        self, tenant: Tenant, environment: Environment, bucket: int, known: Known, opted_in: bool
    ) -> Reason | None:
        """By which rule it reaches this tenant; None where it does not."""
        if environment == STAGING:
            return Reason.STAGING
        if not self.has_left_staging:
            return None
        if tenant in self.canary:
            return Reason.CANARY
        if opted_in:
            return Reason.OPT_IN
        if self.targeting is not None:
            about = known.get(tenant, NOTHING_KNOWN)
            if self.targeting.holds_back(tenant, about, self.place):
                return None
            if self.targeting.is_first(about):
                return Reason.FIRST
        return self.by_bucket if bucket < self.cohort else None


class Rolling(msgspec.Struct, frozen=True):
    """A live rollout, for those who ask. Its candidate is None where it is blocked."""

    candidate: Version | None
    reach: Reach
    salt: str
    bakes_until: int | None


class Choice(msgspec.Struct, frozen=True):
    """A channel, for those who ask: what all get whom no rollout reaches, and the rollout, live or to begin."""

    stable: Resolution
    rolling: Rolling | None
    begins_at: int | None


def resolve_tenant(
    routes: ProductRoutes,
    tenant: Tenant,
    environment: Environment = PRODUCTION,
    channel: Channel = STABLE,
    *,
    now: int,
    known: Known,
) -> Resolution:
    """What this tenant gets of a channel in this environment at `now`; `known` is what is known of all tenants."""
    choice = routes.choices.get(channel) or _prepare(routes, channel)
    pin = routes.pins.get(pin_name(tenant, environment))
    passed: tuple[Passed, ...] = ()
    opted_in = False
    ends = None
    if pin is not None:
        build, fault = _pinned(routes, pin, now)
        if build is not None and fault is None:
            return Resolution(build, Reason.PIN, next_change=pin.expires_at)
        if fault is not None:
            passed = (fault,)
        else:
            opted_in, ends = True, pin.expires_at
    stable, rolling = choice.stable, choice.rolling
    if rolling is None:
        if choice.begins_at is not None and choice.begins_at > now:
            stable = msgspec.structs.replace(stable, next_change=choice.begins_at)
        return _passing(stable, passed)
    bucket = bucket_of(rolling.salt, tenant)
    reason = rolling.reach.reason(tenant, environment, bucket, known, opted_in)
    next_change = _next_change(now, rolling.bakes_until, ends)
    if reason is not None:
        if rolling.candidate is not None:
            return Resolution(rolling.candidate, reason, passed, next_change, bucket)
        passed = (*passed, Passed.CANDIDATE_BLOCKED)
    elif bucket < rolling.reach.cohort:
        passed = (*passed, Passed.HELD_BACK)
    return Resolution(stable.build, stable.reason, passed + stable.passed, next_change, bucket)


def resolve_channel(routes: ProductRoutes, channel: Channel) -> Resolution:
    """What `product@channel` is for someone who names no tenant: always a stable build, never a candidate."""
    return (routes.choices.get(channel) or _prepare(routes, channel)).stable


def resolve_range(routes: ProductRoutes, wanted: Range) -> Resolution:
    """What `product@range` is: the newest released build in it. A build in the midst of a rollout is not one."""
    build = routes.newest(wanted)
    return Resolution(build, Reason.NOTHING if build is None else Reason.RANGE)


def first_reached(
    routes: ProductRoutes, plan: Plan, salt: str, asker: PinKey, known: Known, now: int
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
    for place in range(len(plan.stages)):
        reach = _reach(plan, place)
        if reach.reason(asker.tenant, asker.environment, bucket, known, opted_in) is not None:
            return place
    return len(plan.stages)


def reached_at(plan: Plan, place: int, salt: str, known: Known) -> Callable[[Tenant], bool]:
    """Whether the stage in this place reaches a tenant in production that has no pin."""
    reach = _reach(plan, place)
    return lambda tenant: (
        reach.reason(tenant, PRODUCTION, bucket_of(salt, tenant), known, opted_in=False) is not None
    )


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


def _prepare(routes: ProductRoutes, channel: Channel) -> Choice:
    """The channel's choice, kept with the routes; what is asked for by names of no channel is without number."""
    state = routes.channels.get(channel, ChannelState())
    choice = Choice(
        stable=_stable(routes, state),
        rolling=None if state.rollout is None else _rolling(routes, state.rollout),
        begins_at=None if state.scheduled is None else state.scheduled.at,
    )
    if channel in routes.channels:
        routes.choices[channel] = choice
    return choice


def _rolling(routes: ProductRoutes, rollout: Rollout) -> Rolling:
    candidate = None if rollout.candidate in routes.blocks else rollout.candidate
    reach = _reach(rollout.plan, rollout.stage_index)
    return Rolling(candidate, reach, rollout.salt, rollout.bakes_until)


def _reach(plan: Plan, place: int) -> Reach:
    stage = plan.stages[place]
    return Reach(
        place=place,
        has_left_staging=stage.kind is not StageKind.STAGING,
        canary=plan.canary,
        targeting=None if plan.targeting == Targeting() else plan.targeting,
        cohort=cohort_size(stage.share),
        by_bucket=Reason.CANARY if stage.kind is StageKind.CANARY else Reason.COHORT,
    )


def _stable(routes: ProductRoutes, state: ChannelState) -> Resolution:
    """The stable build, or the last one before it that is not blocked."""
    if state.stable is None:
        return Resolution(None, Reason.NOTHING)
    if state.stable not in routes.blocks:
        return Resolution(state.stable, Reason.STABLE)
    earlier = next((build for build in reversed(state.history) if build not in routes.blocks), None)
    reason = Reason.NOTHING if earlier is None else Reason.EARLIER_STABLE
    return Resolution(earlier, reason, (Passed.STABLE_BLOCKED,))


def _passing(resolution: Resolution, passed: tuple[Passed, ...]) -> Resolution:
    return msgspec.structs.replace(resolution, passed=passed + resolution.passed) if passed else resolution


def _next_change(now: int, bakes_until: int | None, opt_in_ends: int | None) -> int | None:
    """The first of the two that is yet to come; an opt-in that has ended is none."""
    if bakes_until is not None and bakes_until <= now:
        bakes_until = None
    if bakes_until is None or opt_in_ends is None:
        return opt_in_ends if bakes_until is None else bakes_until
    return min(bakes_until, opt_in_ends)

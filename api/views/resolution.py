"""Which build a tenant gets, why, and what would change that, as its users see it."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

import msgspec

from api.times import format_time
from release.core.acts import Act, ActKind
from release.core.ahead import Turn, TurnKind
from release.core.askers import Holder
from release.core.bucket import format_share, fraction_of
from release.core.names import PRODUCTION, STABLE
from release.core.resolve import Passed, Reason

if TYPE_CHECKING:
    from release.why import Explanation

_OF_PINS = {ActKind.CLEAR_PIN, ActKind.PIN}


class TurnView(msgspec.Struct, frozen=True):
    """A change to come: the build that the tenant would get; `at` and `begins_at` are RFC 3339 in UTC.

    `at` is the earliest time, null where the rollout waits for a person at the stage `waits_at`.
    """

    what: TurnKind
    version: str | None
    at: str | None
    channel: str | None
    stage: str | None
    waits_at: str | None
    begins_at: str | None


class ActView(msgspec.Struct, frozen=True):
    """What a person could do, as it is typed one after the other, and the build that the tenant would get."""

    commands: tuple[str, ...]
    version: str | None


class ResolutionView(msgspec.Struct, frozen=True):
    """Which build a tenant gets. `bucket` lies in [0, 1); `next_change` is RFC 3339 in UTC.

    `pin_limits` is the command that says whether a pin is over the policy's limits. They decide which pins may be
    set, never what a tenant gets, and origins do not know them.

    `ahead` is what would change the answer by itself, the soonest first. `held` is what keeps the channel's
    rollout from its next step; `held_is_whole` is false where the control database, which knows the policy, gates
    and checks, can't be read or has gone on, and for a customer, who is not told. `acts` is what a person of the
    vendor's could do.
    """

    product: str
    tenant: str
    environment: str
    channel: str
    revision: int
    version: str | None
    reason: Reason
    rule: str
    passed: tuple[Passed, ...]
    bucket: float | None
    next_change: str | None
    pin_limits: str | None
    ahead: tuple[TurnView, ...]
    held: tuple[str, ...]
    held_is_whole: bool
    acts: tuple[ActView, ...]


class HoldersView(msgspec.Struct, frozen=True):
    """Of so many known tenants and environments, those that get a build; `next` as of any list."""

    product: str
    version: str
    channel: str
    revision: int
    known: int
    holders: tuple[Holder, ...]
    next: str | None = None


def view_resolution(
    explanation: "Explanation",
    product: str,
    tenant: str,
    environment: str,
    channel: str,
    held: list[str] | None,
) -> ResolutionView:
    """The explanation for its users; `held` is what the control database knows of that, None for nothing."""
    resolution = explanation.resolution
    return ResolutionView(
        product=product,
        tenant=tenant,
        environment=environment,
        channel=channel,
        revision=explanation.revision,
        version=resolution.build,
        reason=resolution.reason,
        rule=_rule(explanation),
        passed=resolution.passed,
        bucket=None if resolution.bucket is None else fraction_of(resolution.bucket),
        next_change=None if resolution.next_change is None else format_time(resolution.next_change),
        pin_limits=None if explanation.pin is None else f"headrace pin list {product} --warned",
        ahead=tuple(_view_turn(turn) for turn in explanation.ahead),
        held=(*explanation.held, *(held or ())),
        held_is_whole=held is not None,
        acts=tuple(_view_act(act, product, tenant, environment, channel) for act in explanation.acts),
    )


def without_what_is_the_vendors(view: ResolutionView) -> ResolutionView:
    """The same for a customer: who holds a rollout up, and what the vendor could do, are none of its affairs."""
    return msgspec.structs.replace(view, pin_limits=None, held=(), held_is_whole=False, acts=())


def _rule(explanation: "Explanation") -> str:
    """The rule that chose, in words."""
    channel, pin = explanation.channel, explanation.pin
    stage = channel.rollout.stage if channel.rollout else None
    match explanation.resolution.reason:
        case Reason.PIN if pin is not None:
            return f"pinned to {pin.text} by {pin.author}" + (f": {pin.reason}" if pin.reason else "")
        case Reason.OPT_IN if pin is not None:
            return f"opted in to candidates by {pin.author}" + (f": {pin.reason}" if pin.reason else "")
        case Reason.STAGING:
            return "a staging environment gets the candidate from a rollout's start"
        case Reason.FIRST:
            return "the rollout reaches it first, by what is known of it"
        case Reason.CANARY:
            return "a canary tenant of the rollout"
        case Reason.COHORT if stage is not None:
            return f"its bucket is below the rollout's {format_share(stage.share)}"
        case Reason.EARLIER_STABLE:
            return "the newest earlier stable build that is not blocked"
        case Reason.NOTHING:
            return "no build is released to it"
        case _:
            return "the channel's stable build"


def _view_turn(turn: Turn) -> TurnView:
    return TurnView(
        what=turn.kind,
        version=turn.build,
        at=None if turn.at is None else format_time(turn.at),
        channel=turn.channel,
        stage=turn.stage,
        waits_at=turn.waits_at,
        begins_at=None if turn.begins_at is None else format_time(turn.begins_at),
    )


def _view_act(act: Act, product: str, tenant: str, environment: str, channel: str) -> ActView:
    return ActView(tuple(_commands(act, product, tenant, environment, channel)), act.build)


def _commands(act: Act, product: str, tenant: str, environment: str, channel: str) -> Iterator[str]:
    for verb in act.kind.split(", "):
        words = ["headrace", verb]
        words += [tenant, product] if act.kind in _OF_PINS else [product]
        if act.name is not None and verb == "rollout promote":
            words += ["--to", act.name]
        elif act.name is not None and verb != "rollout resume":
            words.append(act.name)
        if act.kind in _OF_PINS and environment != PRODUCTION:
            words += ["--environment", environment]
        if act.kind not in _OF_PINS and act.kind is not ActKind.CLEAR_BLOCK and channel != STABLE:
            words += ["--channel", channel]
        yield " ".join(words)

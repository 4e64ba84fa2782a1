"""Where a rollout's gate keeps what it knows, and what that says of going on."""

import msgspec

from bundles.core.errors import Failed
from bundles.core.names import Product
from release.core.gate import Verdict
from release.core.health import Watch, begin_watch, judge_watch, why_held
from release.core.health_rule import HealthRule
from release.core.names import Channel
from release.core.plan import StageKind
from release.core.policy import Policy, first_for
from release.core.routing import ChannelState, Rollout
from release.ports import Kind, Transaction

WATCHES = Kind("watch", Watch)


class UnreadableWatch(Failed):
    """What a gate knows was kept by another version of Headrace, and is not understood."""


class _Owner(msgspec.Struct, frozen=True):
    """Of a watch of whatever version, whose it is."""

    rollout: str


_OWNERS = Kind(WATCHES.name, _Owner)


def watch_name(product: Product, channel: Channel) -> str:
    """What a channel's watch is kept by: that of its rollout, or of its last one."""
    return f"{product} {channel}"


async def watch_of(transaction: Transaction, product: Product, channel: Channel, rollout: Rollout) -> Watch | None:
    """What the gate of this rollout knows; None before its first look, and where there is no gate.

    Raises `UnreadableWatch`. Nobody goes on by it then, and to begin it anew would spend alpha again.
    """
    name = watch_name(product, channel)
    try:
        owner = await transaction.document(_OWNERS, name)
        if owner is None or owner.rollout != rollout.identity:
            return None
        return await transaction.document(WATCHES, name)
    except msgspec.MsgspecError as error:
        raise UnreadableWatch(
            f"what the gate of {product} {channel} knows was kept by another version of Headrace ({error}): let"
            " that one's controller go on, or abort the rollout and begin it anew"
        ) from None


async def begun_watch(
    transaction: Transaction, policy: Policy, product: Product, channel: Channel, rollout: Rollout
) -> Watch | None:
    """The same, or a new one by the policy in force; None where there is no gate."""
    watch = await watch_of(transaction, product, channel, rollout)
    if watch is not None:
        return watch
    rule: HealthRule | None = first_for(policy.gate, product, channel)
    return None if rule is None else begin_watch(rollout.identity, rule, rollout.stage_since)


async def why_gate_holds(
    transaction: Transaction, policy: Policy, product: Product, channel: Channel, state: ChannelState, now: int
) -> str | None:
    """Why the rollout's gate lets its candidate not go on at this time; None where it does, or there is none.

    Nothing is known of a candidate in staging: smoke tests are its gate. A channel's first build has no stable
    build to be compared with.
    """
    rollout = state.rollout
    if rollout is None or rollout.stage.kind is StageKind.STAGING or state.stable is None:
        return None
    try:
        watch = await begun_watch(transaction, policy, product, channel, rollout)
    except UnreadableWatch as fault:
        return str(fault)
    return None if watch is None else why_held(watch, now)


async def may_go_on_unproven(
    transaction: Transaction, policy: Policy, product: Product, channel: Channel, rollout: Rollout, now: int
) -> bool:
    """True where the gate could not tell for as long as its rule lets it, and a person may.

    A gate that was never looked at could not tell either; one that is about to take the candidate back could.
    """
    try:
        watch = await begun_watch(transaction, policy, product, channel, rollout)
    except UnreadableWatch:
        return False
    return (
        watch is not None
        and judge_watch(watch).verdict is not Verdict.ABORT
        and now - rollout.stage_since >= watch.longest_hold_seconds
    )

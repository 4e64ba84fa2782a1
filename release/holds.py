"""Why a rollout that has left staging may not go on: what its health gate and its checks say."""

from bundles.core.names import Product
from release.change import Author
from release.checks import why_checks_hold
from release.core.audit import CONTROLLER
from release.core.names import Channel
from release.core.policy import Policy
from release.core.routing import ChannelState
from release.ports import Transaction
from release.watches import may_go_on_unproven, why_gate_holds


async def why_held(
    transaction: Transaction,
    policy: Policy,
    product: Product,
    channel: Channel,
    state: ChannelState,
    author: Author,
    now: int,
) -> str | None:
    """Why this author may not promote the channel's live rollout now; None where it may."""
    if state.rollout is None or author.breaks_glass:
        return None
    gate = await why_gate_holds(transaction, policy, product, channel, state, now)
    if gate is not None and author.actor != CONTROLLER and author.reason:
        # A person may, once the gate could not tell for long.
        unproven = await may_go_on_unproven(transaction, product, channel, state.rollout, now)
        gate = None if unproven else gate
    checks = await why_checks_hold(transaction, policy, product, channel, state.rollout, now)
    found = [f"its health gate: {gate}"] if gate is not None else []
    return "; ".join(found if checks is None else [*found, checks]) or None

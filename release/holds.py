"""Why a rollout may not go on: what its health gate, its checks and the policy say."""

from bundles.core.names import Product
from release.change import Author
from release.checks import why_checks_hold
from release.core.audit import CONTROLLER
from release.core.names import Channel
from release.core.plan import StageKind
from release.core.policy import Policy
from release.core.routing import ChannelState, Rollout
from release.core.smoke import why_unproven
from release.policies import frozen_words, policy_in_force
from release.ports import Ledger, Transaction
from release.smoke import smoke_of
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
        unproven = await may_go_on_unproven(transaction, policy, product, channel, state.rollout, now)
        gate = None if unproven else gate
    checks = await why_checks_hold(transaction, policy, product, channel, state.rollout, now)
    found = [f"its health gate: {gate}"] if gate is not None else []
    return "; ".join(found if checks is None else [*found, checks]) or None


async def holds_ahead(
    ledger: Ledger, product: Product, channel: Channel, seen: ChannelState, now: int
) -> list[str] | None:
    """All that keeps the controller from the next step of the rollout, live or scheduled, that was seen, in words.

    A freeze counts that holds when the step is due. None where the ledger has another rollout by now.
    """
    async with ledger.transaction() as transaction:
        state = await transaction.channel(product, channel) or ChannelState()
        if _identity(state) != _identity(seen):
            return None
        policy, rollout = await policy_in_force(transaction), state.rollout
        due = state.scheduled.at if state.scheduled is not None else rollout.bakes_until if rollout else None
        found = [frozen_words(policy, product, channel, max(now, due or now))]
        if rollout is not None:
            if policy.needs_approval(product, channel) and rollout.approved_by is None:
                found.append(f"it waits for an approval, by someone else than {rollout.author}")
            found.append(await _unproven_words(transaction, product, channel, state, rollout))
            controller = Author(actor=CONTROLLER)
            found.append(await why_held(transaction, policy, product, channel, state, controller, now))
    return [why for why in found if why is not None]


async def _unproven_words(
    transaction: Transaction, product: Product, channel: Channel, state: ChannelState, rollout: Rollout
) -> str | None:
    if rollout.stage.kind is not StageKind.STAGING:
        return None
    latest = await smoke_of(transaction, product, channel, state)
    why = why_unproven(rollout.plan.smoke_tests, latest, None)
    return None if why is None else f"its smoke tests: {why}"


def _identity(state: ChannelState) -> object:
    return state.scheduled if state.rollout is None else state.rollout.identity

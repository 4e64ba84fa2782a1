"""Checks of live rollouts as they are kept: what is known of them, and what they hold or end."""

from collections.abc import Iterable, Mapping, Sequence

import msgspec

from bundles.core.names import Product
from bundles.core.version import Version
from release.change import Control
from release.core.check_rule import CheckRule
from release.core.checks import CheckAt, CheckState, conclude, is_checked, known
from release.core.codec import decode_document
from release.core.gate import Verdict
from release.core.names import Channel
from release.core.policy import Policy
from release.core.routing import Rollout, RoutingTable
from release.core.smoke import clean_finding
from release.policies import policy_in_force
from release.ports import Kind, Transaction

STATES = Kind("check_state", CheckState)
_AS_KEPT = Kind(STATES.name, msgspec.Raw)


class Live(msgspec.Struct, frozen=True):
    """A live rollout of a channel, and the channel's stable build."""

    product: Product
    channel: Channel
    stable: Version | None
    rollout: Rollout

    def state_name(self, rule: CheckRule) -> str:
        """What its state by this rule is kept as."""
        return state_name(self.product, self.channel, rule.name)


def state_name(product: Product, channel: Channel, check: str) -> str:
    """What a check's state is kept as: of a channel one for each check, of its present rollout or the last one."""
    return f"{product} {channel} {check}"


async def kept_states(transaction: Transaction) -> Mapping[str, CheckState | None]:
    """All that is kept of checks, by name; None for what another version of Headrace kept and is not understood.

    That says nothing: the check holds until it is asked again.
    """
    return {name: _understood(kept) for name, kept in (await transaction.documents(_AS_KEPT)).items()}


async def kept_state(transaction: Transaction, name: str) -> CheckState | None:
    """What is kept by this name, and is understood."""
    kept = await transaction.document(_AS_KEPT, name)
    return None if kept is None else _understood(kept)


def _understood(kept: msgspec.Raw) -> CheckState | None:
    try:
        return decode_document(bytes(kept), CheckState)
    except msgspec.MsgspecError:
        return None


async def checks_at(
    transaction: Transaction, policy: Policy, product: Product, channel: Channel, rollout: Rollout | None, now: int
) -> Sequence[CheckAt]:
    """The checks of a channel's live rollout and what follows from each; none while it is in staging."""
    if rollout is None or not is_checked(rollout):
        return ()
    found = []
    for rule in policy.checks(product, channel):
        kept = await kept_state(transaction, state_name(product, channel, rule.name))
        found.append(conclude(known(kept, rule, rollout), rule, rollout, now))
    return found


async def why_checks_hold(
    transaction: Transaction, policy: Policy, product: Product, channel: Channel, rollout: Rollout, now: int
) -> str | None:
    """Why the rollout may not be promoted now; None where no check holds it."""
    found = await checks_at(transaction, policy, product, channel, rollout, now)
    holding = [f"check {at.rule.name}: {at.reason}" for at in found if at.verdict is not Verdict.PROMOTE]
    return "; ".join(holding) or None


def live_rollouts(table: RoutingTable) -> list[Live]:
    """The rollouts that checks are asked about: production tenants have the candidate, of paused ones too."""
    return [
        Live(product, channel, state.stable, state.rollout)
        for product, routes in table.products.items()
        for channel, state in routes.channels.items()
        if state.rollout is not None and is_checked(state.rollout) and state.rollout.candidate not in routes.blocks
    ]


def conclude_all(
    policy: Policy, kept: Mapping[str, CheckState | None], rollouts: Iterable[Live], now: int
) -> list[tuple[Live, CheckAt]]:
    """All checks of these rollouts, by all that is kept: one look at the ledger for however many there are."""
    found = []
    for live in rollouts:
        for rule in policy.checks(live.product, live.channel):
            state = known(kept.get(live.state_name(rule)), rule, live.rollout)
            found.append((live, conclude(state, rule, live.rollout, now)))
    return found


async def failed_checks(control: Control, table: RoutingTable) -> list[tuple[Live, str]]:
    """Of this table's live rollouts those that checks say to abort, each with the first one's reason."""
    rollouts = live_rollouts(table)
    if not rollouts:
        return []
    async with control.ledger.transaction() as transaction:
        policy, kept = await policy_in_force(transaction), await kept_states(transaction)
    failed: dict[tuple[Product, Channel], tuple[Live, str]] = {}
    for live, at in conclude_all(policy, kept, rollouts, control.clock.now()):
        if at.verdict is Verdict.ABORT:
            reason = clean_finding(f"check {at.rule.name}: {at.reason}")
            failed.setdefault((live.product, live.channel), (live, reason))
    return list(failed.values())

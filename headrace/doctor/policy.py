"""The policy: calendars that end, and gates that nothing is reported to."""

from bundles.core.errors import Failed
from bundles.core.names import Product
from headrace.doctor.finding import Finding, ok, skipped, warning
from headrace.doctor.setup import Setup
from release.core.counts import SLOT_SECONDS, Slot, slot_of
from release.core.freeze import calendars_ending
from release.core.health import SETTLE_SECONDS
from release.core.names import PRODUCTION, Channel
from release.core.plan import StageKind
from release.core.policy import Policy, first_for
from release.core.routing import Rollout, RoutingTable
from release.policies import policy_in_force

NAME = "policy"
_SLOTS = 30


async def check_policy(setup: Setup) -> Finding:
    """What the policy needs and does not get."""
    found = await _read(setup)
    if found is None:
        return skipped(NAME, "there is no control database to read it from here")
    policy, table = found
    ends = calendars_ending(policy.freeze, setup.now)
    if ends:
        return warning(NAME, "; ".join(map(str, ends)), "`headrace apply` it with a newer calendar")
    silent = [
        f"{product} {channel}"
        for product, channel, rollout in _gated(policy, table)
        if not await _has_reports(setup, product, rollout)
    ]
    if silent:
        return warning(
            NAME,
            f"no reports in the last {_SLOTS * SLOT_SECONDS} s for the health gates of {', '.join(silent)}",
            "see that `headrace collect` runs, and that the SDK sends beacons (docs/beacons.md)",
        )
    rules = len(policy.rollout) + len(policy.freeze) + len(policy.gate) + len(policy.check)
    return ok(NAME, f"{rules} rules for rollouts, freezes, gates and checks; nothing ends soon")


async def has_gate(setup: Setup) -> bool:
    """Whether a health gate is known to be in force."""
    try:
        found = await _read(setup)
    except Failed:  # of a control database that its own check tells of
        return False
    return found is not None and bool(found[0].gate)


async def _read(setup: Setup) -> tuple[Policy, RoutingTable] | None:
    async with setup.ledger() as ledger:
        if ledger is None:
            return None
        return await policy_in_force(ledger), await ledger.table(with_tenants=False)


def _gated(policy: Policy, table: RoutingTable) -> list[tuple[Product, Channel, Rollout]]:
    """The rollouts that a gate looks at now."""
    return [
        (product, channel, state.rollout)
        for product, routes in table.products.items()
        for channel, state in routes.channels.items()
        if state.rollout is not None
        and state.rollout.stage.kind is not StageKind.STAGING
        and first_for(policy.gate, product, channel) is not None
    ]


async def _has_reports(setup: Setup, product: Product, rollout: Rollout) -> bool:
    from beacons.adapters.sql_health import SqlHealth

    file = setup.health_file
    if file is not None and not file.exists():
        return False
    until = slot_of(setup.now - SETTLE_SECONDS)
    async with setup.health() as database:
        slots = await SqlHealth(database).slots(
            product, PRODUCTION, {rollout.candidate}, Slot(until - _SLOTS), until
        )
    return bool(slots)

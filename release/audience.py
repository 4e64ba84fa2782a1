"""Whose reports a rollout's gate goes by: tenants that were chosen by the plan, not by themselves."""

from collections.abc import Mapping

from bundles.core.names import Product
from release.change import Control
from release.core.counts import SLOT_SECONDS, Slot
from release.core.health import (
    Baseline,
    Side,
    Watch,
    Who,
    baseline_of,
    expected_odds,
)
from release.core.names import PRODUCTION, Tenant
from release.core.resolve import reached_at
from release.core.routing import ChannelState, Rollout, pin_name
from release.core.targeting import Attributes, Targeting
from release.ports import TENANTS, Health

_HOUR = 3600 // SLOT_SECONDS
_AGO = (7 * 24 * _HOUR, 24 * _HOUR)
"""At such times tenants were as awake as they are now: a week ago, or else a day."""


class Audience:
    """The tenants of one rollout. What follows from its stage and the ledger's revision is worked out once."""

    def __init__(self, control: Control, health: Health, product: Product, rollout: Rollout) -> None:
        self._control = control
        self._health = health
        self._product = product
        self._candidate = rollout.candidate
        self._baseline: Baseline | None = None
        self._usual: dict[int, dict[Tenant, int]] = {}
        self._odds: dict[tuple[int, int], float] = {}
        self._revision: int | None = None
        self._pinned: frozenset[str] = frozenset()
        self._known: Mapping[Tenant, Attributes] = {}

    async def at(self, revision: int, rollout: Rollout) -> None:
        """Look at who has a pin and what is known of tenants, unless nothing was changed since the last look."""
        if revision == self._revision:
            return
        async with self._control.ledger.transaction() as transaction:
            self._pinned = frozenset(await transaction.pins(self._product))
            if rollout.plan.targeting != Targeting():
                known = await transaction.documents(TENANTS)
                self._known = {Tenant(tenant): about for tenant, about in known.items()}
        self._revision = revision
        self._odds.clear()

    def sides(self, state: ChannelState, rollout: Rollout) -> tuple[Side, Side]:
        """The candidate's tenants as the present stage has them, and the stable build's."""
        is_reached = self._reached(rollout)
        return (
            Side(rollout.candidate, lambda tenant: self._is_counted(tenant) and is_reached(tenant)),
            Side(state.stable, self._is_counted),
        )

    async def baseline(self, watch: Watch, state: ChannelState) -> Baseline:
        """What tenants usually report, from before the rollout.

        A candidate that was taken back counts for nothing: who had it first would be known for its errors.
        """
        if self._baseline is None:
            since = Slot(watch.begun - watch.baseline_seconds // SLOT_SECONDS)
            history = await self._health.history(
                self._product, PRODUCTION, self._candidate, since, watch.begun, of=state.history
            )
            self._baseline = baseline_of(history)
        return self._baseline

    async def odds(self, slots: range, rollout: Rollout) -> dict[Slot, float]:
        """Of each slot, the odds that a unit is by a tenant that the stage reaches, by what tenants reported at
        such a time before.
        """
        return {Slot(slot): await self._odds_at(slot // _HOUR, rollout) for slot in slots}

    async def _odds_at(self, hour: int, rollout: Rollout) -> float:
        key = hour, rollout.stage_index
        if key not in self._odds:
            is_reached = self._reached(rollout)
            self._odds[key] = expected_odds(await self._usual_at(hour), is_reached, self._is_counted)
        return self._odds[key]

    async def _usual_at(self, hour: int) -> dict[Tenant, int]:
        """How many units each tenant had in the same hour before."""
        if hour not in self._usual:
            units: dict[Tenant, int] = {}
            for ago in _AGO:
                since = Slot(hour * _HOUR - ago)
                until = Slot(since + _HOUR)
                history = await self._health.history(self._product, PRODUCTION, self._candidate, since, until)
                units = {tenant: counts.units for tenant, counts in history.items()}
                if units:
                    break
            self._usual = {hour: units}
        return self._usual[hour]

    def _reached(self, rollout: Rollout) -> Who:
        return reached_at(rollout.plan, rollout.stage_index, rollout.salt, self._known)

    def _is_counted(self, tenant: Tenant) -> bool:
        """Who has a pin has chosen for itself, be it a build or candidates: it is not compared with others."""
        return pin_name(tenant, PRODUCTION) not in self._pinned

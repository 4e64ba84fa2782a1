"""Rollouts of tenants whose pages differ: what one broken page does, and what unlike tenants do."""

import random
from collections.abc import Iterator, Mapping

import msgspec

from benchmarks.gate.world import USUAL_RATE, poisson
from release.core.names import Tenant
from release.core.reports import Report, Stretch, relative_rates, weigh

_TENANTS = 200
_UNITS_EACH = 25
_HISTORY = 400
_BROKEN_RATE = 0.5


class Pages(msgspec.Struct, frozen=True):
    """Two hundred tenants of 25 units a stretch, a tenth of them with a candidate that is as the stable build.

    `spread` is how unlike their pages' error rates are (the standard deviation of their logarithms). The gate
    knows the pages as far as `knows_history`. With `one_broken`, the page of one with the candidate breaks by
    itself.
    """

    spread: float = 0.0
    knows_history: bool = False
    one_broken: bool = False

    def stretches(self, chance: random.Random) -> Iterator[tuple[Stretch, float]]:
        """Stretch after stretch without end, each with the odds that were to be expected of a unit."""
        rates = {
            Tenant(f"tenant-{number}-{chance.random()}"): USUAL_RATE * chance.lognormvariate(0, self.spread)
            for number in range(_TENANTS)
        }
        early = list(rates)[: _TENANTS // 10]
        known = relative_rates(_reports(chance, rates, _HISTORY)) if self.knows_history else {}
        if self.one_broken:
            rates[early[0]] = _BROKEN_RATE
        candidate = {tenant: rates.pop(tenant) for tenant in early}
        while True:
            sides = (weigh(_reports(chance, side, 1), known) for side in (candidate, rates))
            yield Stretch(*sides), len(candidate) / len(rates)


def _reports(chance: random.Random, rates: Mapping[Tenant, float], stretches: int) -> dict[Tenant, Report]:
    units = _UNITS_EACH * stretches
    return {tenant: Report(units, min(units, poisson(chance, units * rate))) for tenant, rate in rates.items()}

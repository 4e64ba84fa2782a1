"""The rollouts that are simulated: plans, and what the error rate does meanwhile."""

import math
from collections.abc import Callable, Mapping
from functools import partial

from benchmarks.gate.tenants import Pages
from benchmarks.gate.world import USUAL_RATE, Rollout

STRETCHES = 300


def alike() -> Mapping[str, Rollout]:
    """Candidates that are as their stable builds: whoever takes one of them back is wrong."""
    steady = _steady(USUAL_RATE)
    return {
        "1% of the units": Rollout(5_000, _steady(0.01), steady),
        "10%": Rollout(5_000, _steady(0.1), steady),
        "50%": Rollout(5_000, _steady(0.5), steady),
        "1, 5, 25, 50% in stages": Rollout(5_000, _stages, steady),
        "stages, and the rate drifts": Rollout(5_000, _stages, _drift),
        "stages, and bursts of errors": Rollout(5_000, _stages, _bursts),
    }


def unlike_tenants() -> Mapping[str, Pages]:
    """The same, of tenants whose pages differ, or break by themselves."""
    return {
        "one tenant's page breaks": Pages(one_broken=True),
        "unlike pages, unknown": Pages(spread=1.2),
        "unlike pages, known": Pages(spread=1.2, knows_history=True),
    }


TO_SEE = {10.0: 1_250, 3.0: 12_500}
"""Within how many of its units a candidate is to be taken back that fails so many times as often as is usual."""


def worse(rate_ratio: float, share: float) -> Rollout:
    """A candidate that fails so many times as often as is usual, looked at after every hundredth of its units."""
    return Rollout(round(TO_SEE[rate_ratio] / 100 / share), _steady(share), _steady(USUAL_RATE), rate_ratio)


def _steady(value: float) -> Callable[[int], float]:
    return partial(_constant, value)


def _constant(value: float, _: int) -> float:
    return value


def _stages(stretch: int) -> float:
    return (0.01, 0.05, 0.25, 0.5)[min(3, 4 * stretch // STRETCHES)]


def _drift(stretch: int) -> float:
    """Up to three times the usual rate and down to a third of it."""
    return USUAL_RATE * math.exp(math.log(3) * math.sin(stretch / 40))


def _bursts(stretch: int) -> float:
    """A stretch of twenty times the usual rate, again and again: an outage of what all builds call."""
    return USUAL_RATE * (20 if stretch % 30 == 29 else 1)

"""Simulated rollouts: what the SDK would report, stretch by stretch, of builds whose error rates are known."""

import math
import random
from collections.abc import Callable, Iterator

import msgspec

from release.core.reports import FOLDS, Fold, Side, Stretch

USUAL_RATE = 0.001


class Rollout(msgspec.Struct, frozen=True):
    """A rollout's reports: so many units a stretch, a part of them with the candidate, by stretch.

    `rate` is the stable build's error rate at a stretch, and the candidate's is `rate_ratio` times that.
    """

    units: int
    share: Callable[[int], float]
    rate: Callable[[int], float]
    rate_ratio: float = 1.0

    def stretches(self, chance: random.Random) -> Iterator[tuple[Stretch, float]]:
        """Stretch after stretch without end, each with the odds that were to be expected of a unit."""
        number = 0
        while True:
            share, rate = self.share(number), self.rate(number)
            candidate = _side(chance, self.units * share, min(1.0, rate * self.rate_ratio))
            stable = _side(chance, self.units * (1 - share), rate)
            yield Stretch(candidate, stable), share / (1 - share)
            number += 1


def poisson(chance: random.Random, mean: float) -> int:
    """A Poisson variate: by exponential gaps for few, by a normal distribution's for many."""
    if mean > 50:
        return max(0, round(chance.gauss(mean, math.sqrt(mean))))
    number, passed = 0, chance.expovariate(1.0)
    while passed < mean:
        number += 1
        passed += chance.expovariate(1.0)
    return number


def _side(chance: random.Random, units: float, rate: float) -> Side:
    """Each error is some other tenant's."""
    errors = poisson(chance, units * rate)
    by_fold: dict[Fold, float] = {}
    for _ in range(errors):
        fold = Fold(str(chance.randrange(FOLDS)))
        by_fold[fold] = by_fold.get(fold, 0.0) + 1.0
    return Side(units, float(errors), units, by_fold)

"""How strongly reports say that one build does worse than another, true at every look.

An e-process: bets on each error, at fair odds if the builds are alike. Their capital stays small then, and grows
without bound if they are not. By Ville's inequality it ever reaches 1/alpha with a probability of at most alpha
if they are alike, however often one looks and whatever the error rate does meanwhile. One thing is assumed: that
an error that came in a stretch of time came from each build in proportion to what was exposed to it in that
stretch. The capital is spread over several rate ratios (a mixture, as Robbins' of 1970; see Howard, Ramdas,
McAuliffe and Sekhon 2021).
"""

import math
from functools import cache, cached_property

import msgspec

RATE_RATIOS = (1.25, 1.5, 2.0, 3.0, 5.0, 10.0, 20.0, 50.0)
"""What is bet on."""
PARTS = (0.03, 0.03, 0.12, 0.26, 0.14, 0.36, 0.04, 0.02)
"""The part of the capital that is bet on each: most on three and ten times the rate, so that those are seen
soonest.
"""

Gains = tuple[float, ...]
"""By how much the logarithm of each bet's capital has grown."""


class Question(msgspec.Struct, frozen=True, dict=True):
    """Whether the rate of one side, divided by the other's, is on the far side of `null_ratio`.

    The bets are on `null_ratio` times each of `ratios`: with values above 1 it is asked whether the rate is
    higher, with values below 1 whether it is lower.
    """

    null_ratio: float
    ratios: tuple[float, ...]

    @cached_property
    def logs(self) -> tuple[float, ...]:
        """The ratios' logarithms."""
        return tuple(math.log(ratio) for ratio in self.ratios)

    def bets(self, odds: float) -> "Bets":
        """What to bet on events of which one is the one side's at these odds, if the rates are at `null_ratio`."""
        null = odds * self.null_ratio
        base = math.log1p(null)
        return Bets(self.logs, tuple(math.log1p(null * ratio) - base for ratio in self.ratios))


class Bets(msgspec.Struct, frozen=True):
    """Of each bet, the logarithm of what its capital is multiplied by: `win` less `stake` for an event of the one
    side, and less `stake` for one of the other.
    """

    win: tuple[float, ...]
    stake: tuple[float, ...]

    def gains(self, of_one: float, of_both: float) -> Gains:
        """What is gained by so many events of the one side, among so many of both."""
        return tuple(of_one * win - of_both * stake for win, stake in zip(self.win, self.stake, strict=True))


NOTHING: Gains = (0.0,) * len(RATE_RATIOS)


@cache
def is_higher(tolerated: float) -> Question:
    """Is the one side's rate above the other's by more than this part of it?"""
    return Question(1 + tolerated, RATE_RATIOS)


@cache
def is_lower(margin: float) -> Question:
    """Is the one side's rate above the other's by less than this part of it, or below it?"""
    return Question(1 + margin, tuple(1 / ratio for ratio in RATE_RATIOS))


def add(gains: Gains, more: Gains) -> Gains:
    """Both together."""
    return tuple(a + b for a, b in zip(gains, more, strict=True))


def without(gains: Gains, part: Gains) -> Gains:
    """What was gained but for this part of it."""
    return tuple(a - b for a, b in zip(gains, part, strict=True))


def log_e_value(gains: Gains) -> float:
    """The logarithm of the e-value: of what one unit of capital, spread over the bets, has become."""
    most = max(gains)
    return most + math.log(math.fsum(p * math.exp(gain - most) for p, gain in zip(PARTS, gains, strict=True)))

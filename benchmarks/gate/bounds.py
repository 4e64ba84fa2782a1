"""What a simulated frequency says of the probability behind it."""

import math


def upper_bound(hits: int, runs: int, confidence: float = 0.99) -> float:
    """The highest probability under which so few hits are not too unlikely (Clopper and Pearson, 1934)."""
    low, high = hits / runs, 1.0
    while high - low > 1e-7:
        middle = (low + high) / 2
        if _at_most(hits, runs, middle) > 1 - confidence:
            low = middle
        else:
            high = middle
    return high


def lower_bound(hits: int, runs: int, confidence: float = 0.99) -> float:
    """The lowest probability under which so many hits are not too unlikely."""
    return 1 - upper_bound(runs - hits, runs, confidence)


def _at_most(hits: int, runs: int, probability: float) -> float:
    """The probability of at most so many hits."""
    if hits >= runs or probability <= 0:
        return 1.0
    if probability >= 1:
        return 0.0
    return math.fsum(
        math.exp(
            math.lgamma(runs + 1)
            - math.lgamma(hit + 1)
            - math.lgamma(runs - hit + 1)
            + hit * math.log(probability)
            + (runs - hit) * math.log1p(-probability)
        )
        for hit in range(hits + 1)
    )

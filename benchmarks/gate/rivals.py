"""What others do, on the same reports: each says at a stretch whether it takes the candidate back."""

import math
from collections.abc import Callable
from statistics import NormalDist

from release.core.evidence import log_e_value
from release.core.gate import Awaited, Evidence, GateRule, Verdict, judge, observe
from release.core.health import Metric, rule_for
from release.core.reports import Stretch

Gate = Callable[[Stretch, float], bool]


def headrace(rule: GateRule) -> Gate:
    """The gate itself, by its errors' part of alpha."""
    rule = rule_for(rule, Metric.ERRORS)
    # Judged where it may abort: the rest of a verdict takes longer and changes nothing here.
    return _by_evidence(
        rule, lambda evidence: log_e_value(evidence.worse) > 0 and judge(evidence, rule).verdict is Verdict.ABORT
    )


def without_folds(rule: GateRule) -> Gate:
    """The gate's first test alone, blind to whose the errors are."""
    return _by_evidence(rule, lambda evidence: log_e_value(evidence.worse) >= -math.log(rule.alpha))


def peeked_z_test(alpha: float) -> Gate:
    """The textbooks' test of two proportions, which is right for one look; here at every stretch."""
    critical = NormalDist().inv_cdf(1 - alpha)
    totals = [0.0] * 4

    def looks(stretch: Stretch, _: float) -> bool:
        sides = stretch.candidate, stretch.stable
        for place, more in enumerate(part for side in sides for part in (side.units, side.errors)):
            totals[place] += more
        ours, our_errors, theirs, their_errors = totals
        pooled = (our_errors + their_errors) / (ours + theirs)
        deviation = math.sqrt(pooled * (1 - pooled) * (1 / ours + 1 / theirs))
        return deviation > 0 and (our_errors / ours - their_errors / theirs) / deviation > critical

    return looks


def failed_checks(most_rate: float, most_failures: int) -> Gate:
    """As Flagger's `threshold` and Argo Rollouts' `failureLimit` have it: so many checks of one stretch each, in
    which the candidate's rate is above a fixed one.
    """
    failures = 0

    def looks(stretch: Stretch, _: float) -> bool:
        nonlocal failures
        failures += stretch.candidate.errors > most_rate * stretch.candidate.units
        return failures >= most_failures

    return looks


def _by_evidence(rule: GateRule, aborts: Callable[[Evidence], bool]) -> Gate:
    evidence = Evidence()

    def looks(stretch: Stretch, expected_odds: float) -> bool:
        nonlocal evidence
        awaited = Awaited(expected_odds, stretch.candidate.units, stretch.stable.units)
        evidence = observe(evidence, rule, stretch, awaited)
        return aborts(evidence)

    return looks

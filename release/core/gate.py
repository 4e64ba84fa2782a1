"""The health gate: whether a candidate is to be taken back, to wait, or to go on, from what the SDK reports.

Three tests share `alpha`, the probability that a candidate like the stable build is ever taken back: its errors
beside the stable build's (an e-process), its errors against an absolute limit (Wald's sequential probability
ratio test of 1945, with strict limits), and its units that are missing, as of an SDK that dies before it can
report. One process runs through all stages of a rollout: to begin anew at each would spend alpha again.
"""

import math
from collections.abc import Mapping
from enum import StrEnum

import msgspec

from bundles.core.errors import Invalid
from release.core.evidence import NOTHING, Gains, Question, add, is_higher, is_lower, log_e_value, without
from release.core.reports import Fold, Side, Stretch

# Each test's part of alpha. The first is to see a broken build soon; the others need less, for what they see is
# gross.
_ERRORS_PART, _LIMIT_PART, _MISSING_PART = 0.98, 0.01, 0.01
_GUARD = math.log(5)
"""What must be left of the evidence, as the logarithm of an e-value, without any one fold of tenants."""
_MISSING = is_higher(4.0)
"""Fewer than a fifth of the units that were to be expected are missing: less can be a quiet night."""


class Verdict(StrEnum):
    """What to do with a candidate."""

    ABORT = "abort"
    HOLD = "hold"
    PROMOTE = "promote"


class GateRule(msgspec.Struct, frozen=True, kw_only=True):
    """How sure the gate is to be.

    `alpha`: of a candidate that is no worse, the most probable it may be that it is ever taken back. `tolerated`:
    by what part of the stable build's its error rate may be higher and still count as no worse. `beta` and
    `margin`: of a candidate whose rate is higher by this part, the most probable it may be that it ever goes on.
    `usual` and `most`: the absolute error rates that are as usual, and that are never borne; without them there
    is no absolute limit.
    """

    alpha: float = 0.01
    tolerated: float = 0.0
    beta: float = 0.05
    margin: float = 1.0
    usual: float | None = None
    most: float | None = None

    def __post_init__(self) -> None:
        if not (0 < self.alpha <= 0.5 and 0 < self.beta <= 0.5):
            raise Invalid("alpha and beta are probabilities, above 0 and up to 0.5")
        if not (0 <= self.tolerated < self.margin <= 100):
            raise Invalid("what is tolerated is 0 or more, and less than the margin, which is at most 100")
        if (self.usual is None) != (self.most is None):
            raise Invalid("an absolute limit needs both rates: the usual one, and the most that is borne")
        if self.usual is not None and self.most is not None and not 0 < self.usual < self.most < 1:
            raise Invalid("of the two absolute rates the usual one is the lower, and both are between 0 and 1")


class Evidence(msgspec.Struct, frozen=True):
    """All that is known of a rollout's candidate by its gate. It begins with nothing.

    `worse` and `no_worse` are what was gained on these two questions, and `…_by_fold` each fold's part of it.
    `limit` is the logarithm of the likelihood ratio of the absolute rates, `limit_by_fold` what the errors of each
    fold have added to it, and `missing` what was gained on missing units.
    """

    candidate_units: float = 0.0
    candidate_errors: float = 0.0
    stable_units: float = 0.0
    stable_errors: float = 0.0
    worse: Gains = NOTHING
    worse_by_fold: Mapping[Fold, Gains] = {}
    no_worse: Gains = NOTHING
    no_worse_by_fold: Mapping[Fold, Gains] = {}
    limit: float = 0.0
    limit_by_fold: Mapping[Fold, float] = {}
    missing: Gains = NOTHING

    def __post_init__(self) -> None:
        by_fold = (*self.worse_by_fold.values(), *self.no_worse_by_fold.values())
        if any(len(gains) != len(NOTHING) for gains in (self.worse, self.no_worse, self.missing, *by_fold)):
            raise Invalid(f"evidence is of {len(NOTHING)} bets")


class Judgement(msgspec.Struct, frozen=True):
    """A verdict with its reason, and how far the evidence is.

    `log_e` is the logarithm of the e-value that the candidate is worse, and `log_limit` where it is taken back.
    `units_needed` is about how many more of the candidate's units it takes to let a candidate go on that is as the
    stable build; None where that is not known.
    """

    verdict: Verdict
    reason: str
    log_e: float
    log_limit: float
    units_needed: int | None = None


class Awaited(msgspec.Struct, frozen=True):
    """Units of a stretch by tenants that the candidate reaches, of either build, and by all others.

    `odds` are those that a unit is one of the former, by what tenants have reported before: known before the
    stretch, not from it. Where the others are `few`, no unit of theirs speaks against the candidate.
    """

    odds: float
    reached: float
    others: float
    few: bool = False

    def gains(self) -> Gains:
        """What is gained on the question whether most of the units to be expected are missing."""
        gains = _MISSING.bets(1 / self.odds).gains(self.others, self.reached + self.others)
        # A bet whose wins are not paid out is no less fair to the candidate.
        return tuple(min(gain, 0.0) for gain in gains) if self.few else gains


def observe(evidence: Evidence, rule: GateRule, stretch: Stretch, awaited: Awaited | None) -> Evidence:
    """The evidence after one more stretch; None where it is not known how many units were to be expected."""
    ours, theirs = stretch.candidate, stretch.stable
    worse, worse_by_fold = _asked(is_higher(rule.tolerated), stretch)
    no_worse, no_worse_by_fold = _asked(is_lower(rule.margin), stretch)
    return Evidence(
        candidate_units=evidence.candidate_units + ours.units,
        candidate_errors=evidence.candidate_errors + ours.errors,
        stable_units=evidence.stable_units + theirs.units,
        stable_errors=evidence.stable_errors + theirs.errors,
        worse=add(evidence.worse, worse),
        worse_by_fold=_added(evidence.worse_by_fold, worse_by_fold),
        no_worse=add(evidence.no_worse, no_worse),
        no_worse_by_fold=_added(evidence.no_worse_by_fold, no_worse_by_fold),
        limit=evidence.limit + _limit_gain(rule, ours.units, ours.errors),
        limit_by_fold=_limit_by_fold(evidence.limit_by_fold, rule, ours),
        missing=evidence.missing if awaited is None else add(evidence.missing, awaited.gains()),
    )


def judge(evidence: Evidence, rule: GateRule, rate: str = "error rate") -> Judgement:
    """What the evidence comes to. `rate` is what it is of, for the reason."""
    log_e, log_limit = log_e_value(evidence.worse), -math.log(rule.alpha * _ERRORS_PART)

    def judgement(verdict: Verdict, reason: str, units_needed: int | None = None) -> Judgement:
        return Judgement(verdict, reason, log_e, log_limit, units_needed)

    if evidence.limit >= -math.log(rule.alpha * _LIMIT_PART):
        if evidence.limit - max(evidence.limit_by_fold.values()) >= _GUARD:
            return judgement(Verdict.ABORT, f"its {rate} is above the limit of {rule.most:.2%}")
        return judgement(Verdict.HOLD, f"its {rate} is above the limit of {rule.most:.2%} with few tenants only")
    if log_e_value(evidence.missing) >= -math.log(rule.alpha * _MISSING_PART):
        return judgement(Verdict.ABORT, "most of the reports that were to be expected are missing")
    if log_e >= log_limit:
        if _least_without_one(evidence.worse, evidence.worse_by_fold) >= _GUARD:
            return judgement(Verdict.ABORT, f"its {rate} is above the stable build's")
        return judgement(Verdict.HOLD, f"its {rate} is above the stable build's with few tenants only")
    if _is_no_worse(evidence, rule):
        return judgement(Verdict.PROMOTE, f"its {rate} is not above the stable build's by {rule.margin:.0%}")
    if rule.usual is not None and evidence.limit <= math.log(rule.beta / (1 - rule.alpha * _LIMIT_PART)):
        return judgement(Verdict.PROMOTE, f"its {rate} is not above {rule.most:.2%}")
    return judgement(Verdict.HOLD, "there are too few reports to tell", _units_needed(evidence, rule))


def _asked(question: Question, stretch: Stretch) -> tuple[Gains, dict[Fold, Gains]]:
    """What is gained on a question, and each fold's part of it; nothing where only one build was in use."""
    ours, theirs = stretch.candidate, stretch.stable
    if not ours.exposure or not theirs.exposure:
        return NOTHING, {}
    bets = question.bets(ours.exposure / theirs.exposure)
    by_fold = {}
    for fold in ours.errors_by_fold.keys() | theirs.errors_by_fold.keys():
        of_candidate = ours.errors_by_fold.get(fold, 0.0)
        by_fold[fold] = bets.gains(of_candidate, of_candidate + theirs.errors_by_fold.get(fold, 0.0))
    return bets.gains(ours.errors, ours.errors + theirs.errors), by_fold


def _added(by_fold: Mapping[Fold, Gains], more: Mapping[Fold, Gains]) -> Mapping[Fold, Gains]:
    return {**by_fold, **{fold: add(by_fold.get(fold, NOTHING), gains) for fold, gains in more.items()}}


def _limit_gain(rule: GateRule, units: float, errors: float) -> float:
    if rule.usual is None or rule.most is None:
        return 0.0
    well = math.log((1 - rule.most) / (1 - rule.usual))
    return errors * math.log(rule.most / rule.usual) + (units - errors) * well


def _limit_by_fold(by_fold: Mapping[Fold, float], rule: GateRule, ours: Side) -> Mapping[Fold, float]:
    more = {fold: _limit_gain(rule, errors, errors) for fold, errors in ours.errors_by_fold.items()}
    return {**by_fold, **{fold: by_fold.get(fold, 0.0) + gain for fold, gain in more.items()}}


def _least_without_one(gains: Gains, by_fold: Mapping[Fold, Gains]) -> float:
    return min((log_e_value(without(gains, part)) for part in by_fold.values()), default=log_e_value(gains))


def _is_no_worse(evidence: Evidence, rule: GateRule) -> bool:
    return (
        log_e_value(evidence.no_worse) >= -math.log(rule.beta)
        and _least_without_one(evidence.no_worse, evidence.no_worse_by_fold) >= _GUARD
    )


def _units_needed(evidence: Evidence, rule: GateRule) -> int | None:
    """How many more of the candidate's units it takes, if it is as the stable build and all goes on as it was."""
    errors = evidence.candidate_errors + evidence.stable_errors
    if not errors or not evidence.candidate_units or not evidence.stable_units:
        return None
    odds = evidence.candidate_units / evidence.stable_units
    per_error = max(is_lower(rule.margin).bets(odds).gains(odds / (1 + odds), 1.0))
    if per_error <= 0:  # the margin is finer than the bets are
        return None
    missing = max(
        -math.log(rule.beta) - log_e_value(evidence.no_worse),
        _GUARD - _least_without_one(evidence.no_worse, evidence.no_worse_by_fold),
    )
    return math.ceil(missing / per_error * evidence.candidate_units / errors)

"""A rollout's health gate as its users see it."""

import math

import msgspec

from release.core.counts import SLOT_SECONDS
from release.core.gate import Verdict
from release.core.health import Metric, Watch, interval, judge_watch, slots_needed


class RateView(msgspec.Struct, frozen=True):
    """How many of a build's units failed, weighed, and within which bounds the rate is with 95% confidence."""

    errors: float
    units: float
    rate: float | None
    low: float
    high: float


class GateView(msgspec.Struct, frozen=True):
    """What the gate knows. The candidate is taken back where `e_value` reaches `taken_back_at`.

    A hold says about how many more of the candidate's units are needed to go on, and in how many seconds they are
    expected; null where that is not known.
    """

    verdict: Verdict
    reason: str
    e_value: float
    taken_back_at: float
    candidate: RateView
    stable: RateView
    units_needed: int | None
    seconds_needed: int | None


def view_gate(watch: Watch) -> GateView:
    """The gate for its users."""
    judgement = judge_watch(watch)
    slots = slots_needed(watch, judgement)
    errors = watch.of(Metric.ERRORS)
    return GateView(
        verdict=judgement.verdict,
        reason=judgement.reason,
        e_value=math.exp(min(judgement.log_e, 700)),
        taken_back_at=math.exp(judgement.log_limit),
        candidate=_rate(errors.candidate_errors, errors.candidate_units),
        stable=_rate(errors.stable_errors, errors.stable_units),
        units_needed=judgement.units_needed,
        seconds_needed=None if slots is None else slots * SLOT_SECONDS,
    )


def _rate(errors: float, units: float) -> RateView:
    low, high = interval(errors, units)
    return RateView(errors, units, errors / units if units else None, low, high)

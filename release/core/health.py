"""A rollout's health: what its gate has seen slot by slot, and what that comes to.

Each metric has an e-process of its own; they share alpha. One process runs from when the rollout leaves staging
to its end, under the rule that was in force when it began: to change the rule or begin anew would spend alpha
again.
"""

import math
from collections.abc import Callable, Mapping
from enum import StrEnum
from statistics import NormalDist

import msgspec

from bundles.core.version import Version
from release.core.counts import SLOT_SECONDS, Counts, Slot
from release.core.gate import Awaited, Evidence, GateRule, Judgement, Verdict, judge, observe
from release.core.health_rule import HealthRule
from release.core.names import Tenant
from release.core.plan import parse_duration
from release.core.reports import Report, Stretch, evened, relative_rates, weigh

SETTLE_SECONDS = 5
"""A slot is looked at so long after its end: by then it is written."""
STALE_SECONDS = 180
"""A gate that has seen nothing newer than this lets nobody go on."""
FEW_TENANTS = 10
"""Of fewer tenants, silence says nothing: they can be asleep."""

_LEAST_UNITS = 5
_MANY_UNITS = 1_000
_LONGEST_STRETCH = 3600 // SLOT_SECONDS
_PACE_SLOTS = 30

Rows = Mapping[Version, Mapping[Tenant, Counts]]
"""What was reported in a stretch of time, by build and tenant."""
Who = Callable[[Tenant], bool]


class Metric(StrEnum):
    """What is counted as a failure, each by itself: rare errors are not to drown in frequent dropped renders."""

    ERRORS = "errors"
    RENDER_DROPPED = "render-dropped"


ALPHA_PARTS = {Metric.ERRORS: 0.98, Metric.RENDER_DROPPED: 0.02}
"""Each metric's part of alpha. What drops a render mostly is an error too, which the first sees sooner."""
_WORDS = {Metric.ERRORS: "error rate", Metric.RENDER_DROPPED: "rate of dropped renders"}


class Watch(msgspec.Struct, frozen=True, omit_defaults=True):
    """What the gate of one rollout knows. `rollout` is the rollout's identity.

    All slots from `begun` until before `through` are in `evidence`; those until before `looked` have been seen.
    `pace` is about how many of the candidate's units come in a slot.
    """

    rollout: str
    rule: GateRule
    baseline_seconds: int
    longest_hold_seconds: int
    begun: Slot
    through: Slot
    looked: Slot
    evidence: Mapping[Metric, Evidence] = {}
    pace: float = 0.0

    def of(self, metric: Metric) -> Evidence:
        """The evidence of a metric."""
        return self.evidence.get(metric, Evidence())


class Baseline(msgspec.Struct, frozen=True):
    """Of each tenant, how often it usually fails beside all others, by metric."""

    rates: Mapping[Metric, Mapping[Tenant, float]]


class Side(msgspec.Struct, frozen=True):
    """Whose reports count: a build's, of some of the tenants."""

    build: Version | None
    who: Who

    def counts(self, rows: Rows) -> Mapping[Tenant, Counts]:
        """What they have reported."""
        found = {} if self.build is None else rows.get(self.build, {})
        return {tenant: counts for tenant, counts in found.items() if self.who(tenant)}


def begin_watch(rollout: str, rule: HealthRule, since: int) -> Watch:
    """A watch that has seen nothing, of a rollout that left staging at this time, in seconds since the epoch."""
    begun = Slot(since // SLOT_SECONDS)
    return Watch(
        rollout=rollout,
        rule=rule.rule(),
        baseline_seconds=parse_duration(rule.baseline),
        longest_hold_seconds=parse_duration(rule.longest_hold),
        begun=begun,
        through=begun,
        looked=begun,
    )


def rule_for(rule: GateRule, metric: Metric) -> GateRule:
    """The metric's part of the gate. The absolute limit is on errors."""
    alpha = rule.alpha * ALPHA_PARTS[metric]
    if metric is Metric.ERRORS:
        return msgspec.structs.replace(rule, alpha=alpha)
    return msgspec.structs.replace(rule, alpha=alpha, usual=None, most=None)


def baseline_of(history: Mapping[Tenant, Counts]) -> Baseline:
    """What tenants usually report, from what they have reported before the rollout."""
    return Baseline({metric: relative_rates(_reports(history, metric)) for metric in Metric})


def expected_odds(units: Mapping[Tenant, int], is_reached: Who, is_counted: Who) -> float:
    """The odds that a unit is by a tenant that is reached, of tenants who had so many units at such a time.

    0, which says nothing, where these or the others are few. No tenant counts for more than its share of them.
    """
    counted = {tenant: count for tenant, count in units.items() if count and is_counted(tenant)}
    ours = [count for tenant, count in counted.items() if is_reached(tenant)]
    theirs = [count for tenant, count in counted.items() if not is_reached(tenant)]
    if min(len(ours), len(theirs)) < FEW_TENANTS:
        return 0.0
    return evened(ours) / evened(theirs)


def see(
    watch: Watch,
    slots: Mapping[Slot, Rows],
    until: Slot,
    candidate: Side,
    stable: Side,
    baseline: Baseline,
    odds: Callable[[Slot], float],
) -> Watch:
    """The watch after all slots until before `until`.

    Slots with few units are joined, up to an hour, until both builds are in them: errors of one build that has
    no others beside it say nothing. When to close such a stretch follows from the numbers of units alone. A
    verdict to abort is final: nothing after it is looked at.
    """
    joined: dict[Version, dict[Tenant, Counts]] = {}
    for number in range(watch.through, until):
        slot = Slot(number)
        _join(joined, slots.get(slot, {}))
        ours, theirs = candidate.counts(joined), stable.counts(joined)
        length = slot + 1 - watch.through
        if not _is_closed(_units(ours), _units(theirs), length):
            continue
        awaited = _awaited(odds(watch.through), candidate.who, ours, theirs)
        watch = _observe(watch, ours, theirs, baseline, awaited, length)
        joined = {}
        if judge_watch(watch).verdict is Verdict.ABORT:
            return msgspec.structs.replace(watch, looked=watch.through)
    return msgspec.structs.replace(watch, looked=max(until, watch.looked))


def judge_watch(watch: Watch) -> Judgement:
    """What all metrics come to: the errors decide, and any other can take the candidate back or hold it."""
    judged = {metric: judge(watch.of(metric), rule_for(watch.rule, metric), _WORDS[metric]) for metric in Metric}
    errors = judged.pop(Metric.ERRORS)
    if errors.verdict is Verdict.ABORT:
        return errors
    return next((other for other in judged.values() if other.log_e >= other.log_limit), errors)


def slots_needed(watch: Watch, judgement: Judgement) -> int | None:
    """In about how many slots the units that a hold still needs will have come; None where that isn't known."""
    if judgement.units_needed is None or watch.pace <= 0:
        return None
    return int(judgement.units_needed / watch.pace) + 1


def why_held(watch: Watch, now: int) -> str | None:
    """Why the gate lets the candidate not go on at this time; None where it does."""
    since = now - watch.looked * SLOT_SECONDS
    if since > STALE_SECONDS:
        return f"its gate has not looked for {since} seconds: see that a controller and the health database work"
    if since < -STALE_SECONDS:
        return f"its gate has looked {-since} seconds ahead of this clock: see that all clocks are right"
    judgement = judge_watch(watch)
    if judgement.verdict is Verdict.PROMOTE:
        return None
    if judgement.units_needed is None:
        return judgement.reason
    slots = slots_needed(watch, judgement)
    when = "" if slots is None else f", in about {slots * SLOT_SECONDS // 60 + 1} min at the present pace"
    return f"{judgement.reason}: about {judgement.units_needed} more units are needed{when}"


def summary(watch: Watch, judgement: Judgement) -> str:
    """A judgement in a line, with the figures that it is made from."""
    errors = watch.of(Metric.ERRORS)
    e_value, limit = math.exp(min(judgement.log_e, 700)), math.exp(judgement.log_limit)
    ours = _share(errors.candidate_errors, errors.candidate_units)
    theirs = _share(errors.stable_errors, errors.stable_units)
    return (
        f"{judgement.reason} (e-value {e_value:.3g}, taken back at {limit:.3g}; errors: candidate {ours},"
        f" stable build {theirs})"
    )


def interval(errors: float, units: float) -> tuple[float, float]:
    """Within which bounds a rate is with 95% confidence (Wilson, 1927); it is for people, and decides nothing."""
    if not units:
        return 0.0, 1.0
    z, rate = NormalDist().inv_cdf(0.975), errors / units
    middle = rate + z * z / (2 * units)
    spread = z * math.sqrt(rate * (1 - rate) / units + z * z / (4 * units * units))
    return max(0.0, (middle - spread) / (1 + z * z / units)), min(1.0, (middle + spread) / (1 + z * z / units))


def _share(errors: float, units: float) -> str:
    return f"{errors:.0f} of {units:.0f}" + (f" ({errors / units:.2%})" if units else "")


def _observe(
    watch: Watch,
    ours: Mapping[Tenant, Counts],
    theirs: Mapping[Tenant, Counts],
    baseline: Baseline,
    awaited: Awaited | None,
    length: int,
) -> Watch:
    evidence = {}
    for metric in Metric:
        rates = baseline.rates.get(metric, {})
        stretch = Stretch(weigh(_reports(ours, metric), rates), weigh(_reports(theirs, metric), rates))
        asked = awaited if metric is Metric.ERRORS else None
        evidence[metric] = observe(watch.of(metric), rule_for(watch.rule, metric), stretch, asked)
    part = min(1.0, length / _PACE_SLOTS)
    return msgspec.structs.replace(
        watch,
        through=Slot(watch.through + length),
        evidence=evidence,
        pace=watch.pace * (1 - part) + _units(ours) / length * part,
    )


def _awaited(
    odds: float, is_reached: Who, ours: Mapping[Tenant, Counts], theirs: Mapping[Tenant, Counts]
) -> Awaited | None:
    """The stretch's units by who is reached. A tenant that still gets the stable build is not silent: its page
    names that build, or an edge has not followed the stage yet.
    """
    if not odds:
        return None
    reached = {tenant: counts.units for tenant, counts in ours.items()}
    others = []
    for tenant, counts in theirs.items():
        if is_reached(tenant):
            reached[tenant] = reached.get(tenant, 0) + counts.units
        else:
            others.append(counts.units)
    return Awaited(odds, evened(reached.values()), evened(others), few=len(others) < FEW_TENANTS)


def _reports(counts: Mapping[Tenant, Counts], metric: Metric) -> dict[Tenant, Report]:
    return {tenant: Report(each.units, _failed(each, metric)) for tenant, each in counts.items()}


def _failed(counts: Counts, metric: Metric) -> int:
    match metric:
        case Metric.ERRORS:
            return counts.errored + counts.integrity_failed
        case Metric.RENDER_DROPPED:
            return counts.render_dropped


def _units(counts: Mapping[Tenant, Counts]) -> int:
    return sum(each.units for each in counts.values())


def _is_closed(ours: int, theirs: int, length: int) -> bool:
    return min(ours, theirs) >= _LEAST_UNITS or ours + theirs >= _MANY_UNITS or length >= _LONGEST_STRETCH


def _join(joined: dict[Version, dict[Tenant, Counts]], rows: Rows) -> None:
    for build, by_tenant in rows.items():
        into = joined.setdefault(build, {})
        for tenant, counts in by_tenant.items():
            into[tenant] = counts if tenant not in into else into[tenant].plus(counts)

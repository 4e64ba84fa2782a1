"""The health gate: what it concludes from what tenants report."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bundles.core.errors import Invalid
from release.core.evidence import PARTS, Question, is_higher, is_lower, log_e_value
from release.core.gate import Awaited, Evidence, GateRule, Judgement, Verdict, judge, observe
from release.core.names import Tenant
from release.core.reports import LEAST_UNITS, Report, Stretch, fold_of, relative_rates, weigh

RULE = GateRule()
TENANTS = [Tenant(f"tenant-{number}") for number in range(400)]
EARLY, OTHERS = TENANTS[:100], TENANTS[100:]


def reports(tenants: list[Tenant], units: int, errors: int = 0) -> dict[Tenant, Report]:
    """Of each tenant so many units, with so many errors in all, spread over the tenants."""
    each, more = divmod(errors, len(tenants))
    return {tenant: Report(units, each + (place < more)) for place, tenant in enumerate(tenants)}


def stretch(ours: dict[Tenant, Report], theirs: dict[Tenant, Report]) -> Stretch:
    return Stretch(weigh(ours, {}), weigh(theirs, {}))


def judged(one: Stretch, times: int, rule: GateRule = RULE, expected_odds: float = 1 / 3) -> Judgement:
    """The verdict after so many of these stretches."""
    evidence = Evidence()
    for _ in range(times):
        evidence = observe(evidence, rule, one, Awaited(expected_odds, one.candidate.units, one.stable.units))
    return judge(evidence, rule)


def test_nothing_is_concluded_from_nothing() -> None:
    found = judge(Evidence(), RULE)
    assert (found.verdict, found.units_needed) == (Verdict.HOLD, None)
    assert found.log_e == pytest.approx(0)


def test_a_candidate_that_breaks_pages_is_taken_back() -> None:
    broken = stretch(reports(EARLY, 20, 20), reports(OTHERS, 20, 6))
    found = judged(broken, 3)
    assert found.verdict is Verdict.ABORT
    assert "above the stable build's" in found.reason
    assert found.log_e >= found.log_limit >= -math.log(RULE.alpha)


def test_a_candidate_that_is_shown_to_be_no_worse_goes_on() -> None:
    alike = stretch(reports(EARLY, 20, 5), reports(OTHERS, 20, 15))
    assert judged(alike, 1).verdict is Verdict.HOLD
    assert judged(alike, 40).verdict is Verdict.PROMOTE


def test_a_hold_says_about_how_many_units_it_still_takes() -> None:
    alike = stretch(reports(EARLY, 20, 5), reports(OTHERS, 20, 15))
    needed = [judged(alike, times).units_needed for times in (1, 2, 3)]
    assert all(units is not None and units > 0 for units in needed)
    assert needed == sorted(needed, key=lambda units: -(units or 0))


def test_no_errors_at_all_are_no_proof_without_an_absolute_limit() -> None:
    silent = stretch(reports(EARLY, 20), reports(OTHERS, 20))
    assert judged(silent, 50).verdict is Verdict.HOLD
    limited = GateRule(usual=0.001, most=0.005)
    assert judged(silent, 50, limited).verdict is Verdict.PROMOTE


def test_an_absolute_limit_takes_back_what_is_as_bad_as_the_stable_build() -> None:
    both_bad = stretch(reports(EARLY, 20, 40), reports(OTHERS, 20, 120))
    assert judged(both_bad, 5).verdict is not Verdict.ABORT
    found = judged(both_bad, 5, GateRule(usual=0.001, most=0.005))
    assert (found.verdict, found.reason) == (Verdict.ABORT, "its error rate is above the limit of 0.50%")


def test_an_sdk_that_dies_before_it_can_report_is_taken_back() -> None:
    found = judged(stretch({}, reports(OTHERS, 20, 6)), 1)
    assert (found.verdict, found.reason) == (
        Verdict.ABORT,
        "most of the reports that were to be expected are missing",
    )
    quiet = stretch(reports(EARLY, 8), reports(OTHERS, 20))
    assert judged(quiet, 200).verdict is Verdict.HOLD


def test_one_tenant_whose_page_breaks_by_itself_holds_the_rollout_and_aborts_nothing() -> None:
    ours = {**reports(EARLY, 20, 2), EARLY[0]: Report(20, 20)}
    found = judged(stretch(ours, reports(OTHERS, 20, 6)), 20)
    assert (found.verdict, found.log_e > found.log_limit) == (Verdict.HOLD, True)
    assert "few tenants" in found.reason


def test_nor_does_it_by_the_absolute_limit() -> None:
    ours = {**reports(EARLY, 20), EARLY[0]: Report(20, 20)}
    found = judged(stretch(ours, reports(OTHERS, 20, 6)), 20, GateRule(usual=0.001, most=0.005))
    assert (found.verdict, "limit of 0.50% with few tenants" in found.reason) == (Verdict.HOLD, True)


def test_a_margin_that_no_number_of_units_shows_says_so_by_no_number() -> None:
    alike = stretch(reports(EARLY, 20, 5), reports(OTHERS, 20, 15))
    found = judged(alike, 40, GateRule(margin=0.05))
    assert (found.verdict, found.units_needed) == (Verdict.HOLD, None)


def test_a_hold_for_the_sake_of_one_tenant_says_how_many_units_it_takes() -> None:
    ours, theirs = reports(EARLY, 20), {**reports(OTHERS, 20), OTHERS[0]: Report(20, 20)}
    found = [judged(stretch(ours, theirs), times) for times in range(1, 12)]
    held = [one for one in found if one.verdict is Verdict.HOLD]
    assert len(held) > 5
    assert all(one.units_needed is not None and one.units_needed > 0 for one in held)


@given(st.integers(1, 10_000_000), st.floats(0, 1))
def test_a_flood_from_one_tenant_counts_for_no_more_than_its_share(units: int, failing: float) -> None:
    flooded = {**reports(EARLY, 20, 5), EARLY[0]: Report(units, int(units * failing))}
    side = weigh(flooded, {})
    usual = 20 * (len(EARLY) - 1)
    assert side.units - usual <= max(LEAST_UNITS, 0.1 * side.units) + 1e-6
    assert side.units >= usual
    assert side.errors <= side.units
    assert sum(side.errors_by_fold.values()) == pytest.approx(side.errors)


def test_the_tenants_of_a_small_canary_count_though_each_is_much_of_it() -> None:
    side = weigh({EARLY[0]: Report(1_000, 10), EARLY[1]: Report(500, 0), EARLY[2]: Report(100, 0)}, {})
    assert side.units == pytest.approx(1_600)
    assert weigh({EARLY[0]: Report(1_000, 10)}, {}).units == pytest.approx(1_000)
    assert weigh({}, {}).units == 0


def test_a_page_that_always_failed_is_known_for_it() -> None:
    bad, others = EARLY[0], OTHERS
    rates = relative_rates({**reports(others, 1_000, 300), bad: Report(1_000, 50)})
    assert rates[bad] > 15
    assert max(rate for tenant, rate in rates.items() if tenant != bad) < 2
    known = Stretch(weigh({bad: Report(20, 1)}, rates), weigh(reports(others, 20, 6), rates))
    unknown = stretch({bad: Report(20, 1)}, reports(others, 20, 6))
    assert log_e(known) < log_e(unknown)


def log_e(one: Stretch) -> float:
    return judge(observe(Evidence(), RULE, one, None), RULE).log_e


def test_a_tenant_of_whom_little_is_known_is_taken_for_an_average_one() -> None:
    rates = relative_rates({**reports(OTHERS, 1_000, 300), EARLY[0]: Report(1, 1)})
    assert rates[EARLY[0]] < 2
    assert relative_rates(reports(OTHERS, 10)) == {}


def test_tenants_are_dealt_evenly_into_folds() -> None:
    counts = [sum(fold_of(Tenant(f"t{number}")) == str(fold) for number in range(6_400)) for fold in range(64)]
    assert all(50 < count < 160 for count in counts)


@given(st.floats(0.001, 1000), st.sampled_from([is_higher(0.0), is_higher(0.2), is_lower(1.0)]))
def test_a_bet_is_fair_where_the_rates_are_at_the_border(odds: float, question: Question) -> None:
    """An event multiplies each bet's capital by 1 in the mean: else Ville's inequality says nothing."""
    assert sum(PARTS) == pytest.approx(1)
    bets = question.bets(odds)
    share = odds * question.null_ratio / (1 + odds * question.null_ratio)
    for one, other in zip(bets.gains(1, 1), bets.gains(0, 1), strict=True):
        assert share * math.exp(one) + (1 - share) * math.exp(other) == pytest.approx(1)


def test_the_e_value_of_no_event_is_one() -> None:
    assert log_e_value(is_higher(0.0).bets(1.0).gains(0, 0)) == pytest.approx(0)


@pytest.mark.parametrize(
    ("options", "why"),
    [
        ({"alpha": 0.0}, "alpha and beta are probabilities"),
        ({"alpha": 0.6}, "alpha and beta are probabilities"),
        ({"beta": math.nan}, "alpha and beta are probabilities"),
        ({"tolerated": 1.0}, "less than the margin"),
        ({"tolerated": -0.1}, "less than the margin"),
        ({"usual": 0.001}, "needs both rates"),
        ({"usual": 0.005, "most": 0.001}, "the usual one is the lower"),
        ({"usual": 0.0, "most": 0.1}, "the usual one is the lower"),
    ],
)
def test_a_rule_that_makes_no_sense_is_refused(options: dict[str, float], why: str) -> None:
    with pytest.raises(Invalid, match=why):
        GateRule(**options)


def test_a_report_of_more_errors_than_units_is_refused() -> None:
    with pytest.raises(Invalid, match="of 3 units 4 can't have failed"):
        Report(3, 4)

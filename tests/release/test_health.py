"""A rollout's health: how a gate goes from slots of reports to a verdict."""

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bundles.core.errors import Invalid
from bundles.core.version import Version
from release.core.codec import decode_document, encode_document
from release.core.counts import SLOT_SECONDS, Counts, Slot
from release.core.gate import Verdict
from release.core.health import (
    STALE_SECONDS,
    Baseline,
    Metric,
    Rows,
    Side,
    Watch,
    baseline_of,
    begin_watch,
    expected_odds,
    interval,
    judge_watch,
    see,
    summary,
    why_held,
)
from release.core.health_rule import HealthRule
from release.core.names import Tenant

STABLE, CANDIDATE = Version("1.0.0"), Version("1.1.0")
TENANTS = [Tenant(f"tenant-{number}") for number in range(200)]
EARLY, OTHERS = TENANTS[:50], TENANTS[50:]
SINCE = 1_000_000
NO_BASELINE = Baseline({})


def rows(early: Counts | None, others: Counts | None) -> Rows:
    """A slot: so much of the candidate by each early tenant, and of the stable build by each other."""
    found = {}
    if early is not None:
        found[CANDIDATE] = dict.fromkeys(EARLY, early)
    if others is not None:
        found[STABLE] = dict.fromkeys(OTHERS, others)
    return found


def seen(watch: Watch, slots: list[Rows], odds: float = 0.0, baseline: Baseline = NO_BASELINE) -> Watch:
    """The watch after so many more slots."""
    numbered = {Slot(watch.looked + place): each for place, each in enumerate(slots)}
    return see(
        watch,
        numbered,
        Slot(watch.looked + len(slots)),
        Side(CANDIDATE, set(EARLY).__contains__),
        Side(STABLE, lambda _: True),
        baseline,
        lambda _: odds,
    )


def fresh(rule: HealthRule | None = None) -> Watch:
    return begin_watch("salt@1", rule or HealthRule(), SINCE)


def mixed(early_errors: int, other_errors: int) -> Rows:
    """Two units of each tenant; so many of the early and the other tenants fail once."""
    found = {build: dict(by_tenant) for build, by_tenant in rows(Counts(2), Counts(2)).items()}
    for build, tenants, errors in ((CANDIDATE, EARLY, early_errors), (STABLE, OTHERS, other_errors)):
        for tenant in tenants[:errors]:
            found[build][tenant] = Counts(2, errored=1)
    return found


def test_a_broken_candidate_is_taken_back_and_what_is_known_of_it_can_be_kept() -> None:
    watch = seen(fresh(), [mixed(20, 1)])
    assert judge_watch(watch).verdict is Verdict.ABORT
    assert decode_document(encode_document(watch), Watch) == watch
    said = summary(watch, judge_watch(watch))
    assert "candidate 20 of 100 (20.00%), stable build 1 of 300 (0.33%)" in said
    assert said.startswith("its error rate is above the stable build's (e-value ")


def test_a_verdict_to_abort_is_final() -> None:
    watch = seen(fresh(), [mixed(20, 1), *[mixed(0, 100)] * 50])
    assert judge_watch(watch).verdict is Verdict.ABORT
    assert watch.looked == watch.through == watch.begun + 1


def test_dropped_renders_are_a_metric_of_their_own_that_shares_alpha() -> None:
    dropping = rows(Counts(2, render_dropped=1), Counts(2))
    dropped_too = rows(Counts(2), Counts(2))
    watch = seen(fresh(), [dropping, dropped_too])
    found = judge_watch(watch)
    assert found.verdict is Verdict.ABORT
    assert found.reason == "its rate of dropped renders is above the stable build's"
    assert watch.of(Metric.ERRORS).candidate_errors == 0
    shares = [judge_watch(fresh()).log_limit, found.log_limit]
    assert sum(2.718281828**-limit for limit in shares) < 0.01


def test_integrity_failures_count_as_errors() -> None:
    watch = seen(fresh(), [rows(Counts(2, integrity_failed=1), Counts(2))])
    assert watch.of(Metric.ERRORS).candidate_errors == 50


def test_few_units_are_joined_until_both_builds_have_some() -> None:
    little = {CANDIDATE: {EARLY[0]: Counts(1)}}
    other = {STABLE: {OTHERS[0]: Counts(1, errored=1)}}
    watch = seen(fresh(), [little, other] * 4)
    assert (watch.through, watch.looked) == (watch.begun, watch.begun + 8)
    assert watch.evidence == {}
    numbered = {Slot(watch.begun + place): each for place, each in enumerate([little, other] * 5)}
    sides = Side(CANDIDATE, lambda _: True), Side(STABLE, lambda _: True)
    later = see(watch, numbered, Slot(watch.begun + 10), *sides, NO_BASELINE, lambda _: 0.0)
    assert later.through == watch.begun + 10
    assert later.of(Metric.ERRORS).stable_errors == 5
    assert later.of(Metric.ERRORS).worse[0] < 0 < later.of(Metric.ERRORS).no_worse[0]


@given(st.lists(st.tuples(st.integers(0, 40), st.integers(0, 100)), min_size=1, max_size=12), st.data())
def test_it_is_the_same_however_often_one_looks(errors: list[tuple[int, int]], data: st.DataObject) -> None:
    slots = [mixed(*each) for each in errors]
    at_once = seen(fresh(), slots)
    cut = data.draw(st.integers(0, len(slots)))
    watch = seen(fresh(), slots[:cut])
    if judge_watch(watch).verdict is not Verdict.ABORT:
        watch = seen(watch, slots[cut:])
    assert watch == at_once


def test_an_hour_without_a_word_from_the_candidate_is_a_stretch_too() -> None:
    quiet = {STABLE: dict.fromkeys(OTHERS[:10], Counts(1))}
    watch = seen(fresh(), [quiet, *[{}] * (3600 // SLOT_SECONDS - 1)], odds=20.0)
    assert watch.through == watch.begun + 3600 // SLOT_SECONDS
    found = judge_watch(watch)
    assert (found.verdict, found.reason) == (
        Verdict.ABORT,
        "most of the reports that were to be expected are missing",
    )


def test_a_tenant_that_still_gets_the_stable_build_is_not_silent() -> None:
    """Its page names that build itself, or an edge has not followed the stage yet."""
    still = {STABLE: dict.fromkeys(TENANTS, Counts(20))}
    assert judge_watch(seen(fresh(), [still] * 20, odds=1 / 3)).verdict is Verdict.HOLD
    silent = {STABLE: dict.fromkeys(OTHERS, Counts(20))}
    assert judge_watch(seen(fresh(), [silent], odds=1 / 3)).verdict is Verdict.ABORT


def test_one_tenant_awake_makes_nobody_silent() -> None:
    flood = {STABLE: {OTHERS[0]: Counts(100_000)}}
    assert judge_watch(seen(fresh(), [flood] * 20, odds=1.0)).verdict is Verdict.HOLD
    usual = {STABLE: dict.fromkeys(OTHERS, Counts(1)), CANDIDATE: dict.fromkeys(EARLY, Counts(1))}
    flooded = {**usual, STABLE: {**usual[STABLE], OTHERS[0]: Counts(100_000)}}
    assert judge_watch(seen(fresh(), [flooded] * 20, odds=1 / 3)).verdict is Verdict.HOLD


def test_odds_are_expected_of_many_tenants_only() -> None:
    units = dict.fromkeys(TENANTS, 100)
    early = set(EARLY)
    assert expected_odds(units, early.__contains__, lambda _: True) == pytest.approx(50 / 150)
    assert expected_odds(units, {EARLY[0]}.__contains__, lambda _: True) == 0
    assert expected_odds(units, {*EARLY, *OTHERS[9:]}.__contains__, lambda _: True) == 0
    flooded = {**units, EARLY[0]: 1_000_000, OTHERS[0]: 1_000_000}
    assert expected_odds(flooded, early.__contains__, lambda _: True) == pytest.approx(49 / 149)
    assert expected_odds(units, early.__contains__, lambda tenant: tenant not in early) == 0
    assert expected_odds(units, lambda _: True, lambda _: True) == 0
    assert expected_odds({}, early.__contains__, lambda _: True) == 0


def test_who_always_failed_is_known_for_it() -> None:
    history = {**dict.fromkeys(OTHERS, Counts(1_000, errored=1)), EARLY[0]: Counts(1_000, errored=300)}
    usual = baseline_of(history)
    bad = {CANDIDATE: {EARLY[0]: Counts(20, errored=6)}, STABLE: dict.fromkeys(OTHERS, Counts(20))}
    bad[STABLE][OTHERS[0]] = Counts(20, errored=3)
    known, unknown = (judge_watch(seen(fresh(), [bad] * 3, baseline=each)) for each in (usual, NO_BASELINE))
    assert known.log_e < unknown.log_e


def test_a_hold_says_how_many_units_it_needs_and_by_when() -> None:
    watch = seen(fresh(), [mixed(1, 3)])
    now = watch.looked * SLOT_SECONDS
    why = why_held(watch, now)
    assert why is not None
    assert "there are too few reports to tell: about " in why
    assert "more units are needed, in about " in why


def test_a_gate_that_does_not_look_lets_nobody_go_on() -> None:
    watch = seen(fresh(), [mixed(5, 15)] * 40)
    looked = watch.looked * SLOT_SECONDS
    assert judge_watch(watch).verdict is Verdict.PROMOTE
    assert why_held(watch, looked + STALE_SECONDS) is None
    stale = why_held(watch, looked + STALE_SECONDS + 1)
    assert stale is not None
    assert "its gate has not looked for 181 seconds" in stale


def test_what_was_seen_by_a_clock_that_was_ahead_lets_nobody_go_on() -> None:
    watch = seen(fresh(), [mixed(5, 15)] * 40)
    looked = watch.looked * SLOT_SECONDS
    assert why_held(watch, looked - STALE_SECONDS) is None  # as two machines may differ
    ahead = why_held(watch, looked - STALE_SECONDS - 1)
    assert ahead is not None
    assert "its gate has looked 181 seconds ahead of this clock" in ahead


def test_an_interval_holds_the_rate_and_narrows() -> None:
    assert interval(0, 0) == (0.0, 1.0)
    low, high = interval(10, 1_000)
    assert low < 0.01 < high
    assert interval(100, 10_000)[1] < high
    assert interval(0, 1_000)[0] == pytest.approx(0)
    assert interval(5, 5)[1] == pytest.approx(1)


@pytest.mark.parametrize(
    "rule",
    [
        {"alpha": 0},
        {"alpha": 0.6},
        {"margin": 0.1, "tolerated": 0.2},
        {"usual": 0.1},
        {"usual": 0.2, "most": 0.1},
        {"baseline": "31d"},
        {"baseline": "soon"},
        {"longest_hold": "x"},
    ],
)
def test_a_rule_that_makes_no_sense_is_refused(rule: dict[str, object]) -> None:
    with pytest.raises((Invalid, msgspec.ValidationError)):
        msgspec.convert(rule, HealthRule)

"""Which builds a policy lets go."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bundles.core.errors import Invalid, Refused
from bundles.core.retention import DAY_SECONDS, Decision, Policy, Verdict, decide, decide_named
from bundles.core.version import Version, precedence

NOW = 1_000 * DAY_SECONDS
versions = st.builds(
    lambda major, minor, patch: Version(f"{major}.{minor}.{patch}"),
    st.integers(0, 3),
    st.integers(0, 12),
    st.integers(0, 12),
)
ages = st.integers(-5 * DAY_SECONDS, 900 * DAY_SECONDS)
builds = st.dictionaries(versions, ages.map(lambda age: NOW - age), max_size=30)
policies = st.builds(Policy, keep=st.integers(1, 20), older_than=st.integers(0, 400 * DAY_SECONDS))
needs = st.dictionaries(versions, st.just("needed"))


def retired(decisions: list[Decision]) -> set[Version]:
    return {decision.version for decision in decisions if decision.verdict is Verdict.RETIRE}


@given(policies, builds, needs)
def test_what_is_needed_young_or_among_the_newest_stays_and_all_else_goes(
    policy: Policy, published_at: dict[Version, int], needed: dict[Version, str]
) -> None:
    decisions = decide(policy, published_at, needed, NOW)
    assert [decision.version for decision in decisions] == sorted(published_at, key=precedence, reverse=True)
    newest = [decision.version for decision in decisions][: policy.keep]
    young = {version for version, at in published_at.items() if NOW - at <= policy.older_than}
    assert retired(decisions) == published_at.keys() - needed.keys() - set(newest) - young
    assert all(decision.reason for decision in decisions)


@given(policies, builds, needs, st.integers(0, 500 * DAY_SECONDS))
def test_time_alone_never_brings_a_build_back(
    policy: Policy, published_at: dict[Version, int], needed: dict[Version, str], later: int
) -> None:
    before = retired(decide(policy, published_at, needed, NOW))
    assert before <= retired(decide(policy, published_at, needed, NOW + later))


@given(policies, builds, needs)
def test_once_all_that_may_go_is_gone_nothing_more_goes(
    policy: Policy, published_at: dict[Version, int], needed: dict[Version, str]
) -> None:
    gone = retired(decide(policy, published_at, needed, NOW))
    left = {version: at for version, at in published_at.items() if version not in gone}
    assert not retired(decide(policy, left, needed, NOW))


@pytest.mark.parametrize(
    ("needed", "keep", "age", "verdict", "reason"),
    [
        ({"1.0.0": "the stable build of channel stable"}, 1, 90, "keep", "the stable build of channel stable"),
        ({}, 2, 90, "keep", "one of the newest versions, of which 2 stay"),
        ({}, 1, 90, "keep", "published 90 days ago"),
        ({}, 1, 91, "retire", "published 91 days ago and needed by nothing"),
        ({}, 1, -1, "keep", "published -1 days ago"),
    ],
)
def test_a_decision_says_why(needed: dict[Version, str], keep: int, age: int, verdict: str, reason: str) -> None:
    published_at = {Version("2.0.0"): NOW, Version("1.0.0"): NOW - age * DAY_SECONDS}
    decision = decide(Policy(keep), published_at, needed, NOW)[1]
    assert (decision.version, decision.verdict, decision.reason) == ("1.0.0", verdict, reason)


def test_a_build_that_is_named_goes_whatever_its_age_but_not_if_it_is_needed() -> None:
    one, two, three = Version("1.0.0"), Version("2.0.0"), Version("3.0.0")
    published_at = {one: NOW, two: NOW, three: NOW}
    assert retired(decide_named([three, three], published_at, {one: "in use"})) == {three}
    with pytest.raises(Refused, match=r"nothing is retired: 1\.0\.0 is in use; 2\.0\.0 is too"):
        decide_named([three, one, two], published_at, {one: "in use", two: "too"})


@pytest.mark.parametrize("policy", [{"keep": 0}, {"keep": 10_001}, {"older_than": -1}])
def test_a_policy_that_would_keep_nothing_is_refused(policy: dict[str, int]) -> None:
    with pytest.raises(Invalid):
        Policy(**policy)

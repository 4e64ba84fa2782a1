"""What the health gate promises, proven anew by simulation: `python -m benchmarks.gate` prints all of it."""

from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from multiprocessing import get_context

import pytest

from benchmarks.gate.bounds import lower_bound, upper_bound
from benchmarks.gate.proof import simulate
from benchmarks.gate.rivals import headrace, peeked_z_test, without_folds
from benchmarks.gate.scenarios import STRETCHES, TO_SEE, alike, unlike_tenants, worse
from release.core.gate import GateRule

RULE = GateRule()
GATE = partial(headrace, RULE)


@pytest.fixture(scope="module")
def pool() -> Iterator[ProcessPoolExecutor]:
    with ProcessPoolExecutor(2, mp_context=get_context("spawn")) as made:
        yield made


def test_of_candidates_as_their_stable_builds_it_takes_back_no_more_than_alpha(pool: ProcessPoolExecutor) -> None:
    runs = 900
    aborted = sum(simulate(rollout, GATE, runs, STRETCHES, name, pool).count for name, rollout in alike().items())
    assert upper_bound(aborted, runs * len(alike())) <= RULE.alpha


def test_the_usual_test_looked_at_again_and_again_takes_back_many(pool: ProcessPoolExecutor) -> None:
    staged = alike()["1, 5, 25, 50% in stages"]
    aborts = simulate(staged, partial(peeked_z_test, RULE.alpha), 200, STRETCHES, "peeked", pool)
    assert lower_bound(aborts.count, 200) > 5 * RULE.alpha


@pytest.mark.parametrize("rate_ratio", TO_SEE)
@pytest.mark.parametrize("share", [0.01, 0.1])
def test_it_sees_a_broken_build_soon(rate_ratio: float, share: float, pool: ProcessPoolExecutor) -> None:
    runs = 1_000
    aborts = simulate(worse(rate_ratio, share), GATE, runs, 100, f"worse {rate_ratio} {share}", pool)
    assert aborts.within(TO_SEE[rate_ratio]) >= 0.94  # the promise is 0.95; a thousand runs are that sure


def test_one_broken_page_does_not_take_a_candidate_back_from_all(pool: ProcessPoolExecutor) -> None:
    broken = unlike_tenants()["one tenant's page breaks"]
    assert simulate(broken, partial(without_folds, RULE), 20, 100, "broken", pool).count == 20
    assert simulate(broken, GATE, 100, 100, "broken", pool).within(1e9) <= 0.1


def test_unlike_pages_that_are_known_are_not_taken_for_the_candidate_s_fault(pool: ProcessPoolExecutor) -> None:
    known, unknown = unlike_tenants()["unlike pages, known"], unlike_tenants()["unlike pages, unknown"]
    blind = simulate(unknown, partial(without_folds, RULE), 50, STRETCHES, "unlike", pool)
    assert blind.count > 5
    assert simulate(known, GATE, 50, STRETCHES, "unlike", pool).count <= 1

"""A controller and its origins through 1,000 seeds' faults, each twice: what must hold holds, to the same byte."""

import os
import subprocess
import sys
from collections import Counter
from concurrent.futures import ThreadPoolExecutor

from tests.system.simulation.replay import SIGNS

SEEDS = 1_000
AT_ONCE = 2


def run(first: int, last: int, hash_seed: str) -> list[str]:
    """A line for each seed, from a process of its own whose sets are in another order."""
    done = subprocess.run(
        [sys.executable, "-m", "tests.system.simulation.replay", str(first), str(last)],
        env={**os.environ, "PYTHONHASHSEED": hash_seed},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


def test_every_seed_holds_and_is_the_same_to_the_byte_when_it_is_run_again() -> None:
    half = SEEDS // 2
    jobs = [(1, half, "1"), (half + 1, SEEDS, "1"), (1, half, "2"), (half + 1, SEEDS, "2")]
    with ThreadPoolExecutor(AT_ONCE) as pool:
        first, second, first_again, second_again = pool.map(lambda job: run(*job), jobs)
    lines = first + second
    assert lines == first_again + second_again
    assert [int(line.split()[0]) for line in lines] == list(range(1, SEEDS + 1))
    met = Counter(sign for line in lines for sign in line.split()[2:])
    assert met.keys() == SIGNS.keys(), met

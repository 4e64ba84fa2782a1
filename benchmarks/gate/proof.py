"""Many simulated rollouts for each gate, on all cores: how often each takes the candidate back, and after how
many units.
"""

import random
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from itertools import islice
from typing import Protocol

import msgspec

from benchmarks.gate.rivals import Gate
from release.core.reports import Stretch

_CHUNKS = 16


class Simulated(Protocol):
    """A rollout as it is simulated."""

    def stretches(self, chance: random.Random) -> Iterator[tuple[Stretch, float]]:
        """Stretch after stretch without end, each with the odds that were to be expected of a unit."""
        ...


class Aborts(msgspec.Struct, frozen=True):
    """Of so many rollouts, the candidate's units at which each was taken back that was, in order."""

    runs: int
    units: list[float]

    @property
    def count(self) -> int:
        """How many were taken back."""
        return len(self.units)

    def within(self, units: float) -> float:
        """The part that was taken back by then."""
        return sum(each <= units for each in self.units) / self.runs

    def quantile(self, part: float) -> float | None:
        """By how many units this part of all was taken back; None where it never was."""
        place = round(part * self.runs) - 1
        return self.units[place] if place < len(self.units) else None


def simulate(
    rollout: Simulated, gate: Callable[[], Gate], runs: int, stretches: int, seed: str, pool: ProcessPoolExecutor
) -> Aborts:
    """So many rollouts of so many stretches. The same seed gives the same."""
    chunks = [range(start, runs, _CHUNKS) for start in range(_CHUNKS)]
    jobs = [pool.submit(_chunk, rollout, gate, chunk, stretches, seed) for chunk in chunks]
    return Aborts(runs, sorted(units for job in jobs for units in job.result()))


def _chunk(
    rollout: Simulated, gate: Callable[[], Gate], numbers: Sequence[int], stretches: int, seed: str
) -> list[float]:
    found = (_units_at_abort(rollout, gate(), stretches, f"{seed}/{number}") for number in numbers)
    return [units for units in found if units is not None]


def _units_at_abort(rollout: Simulated, looks: Gate, stretches: int, seed: str) -> float | None:
    units = 0.0
    for stretch, expected_odds in islice(rollout.stretches(random.Random(seed)), stretches):
        units += stretch.candidate.units
        if looks(stretch, expected_odds):
            return units
    return None

"""Changes that race, on each database: of those that expect one revision exactly one is made."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import anyio
import pytest

from headrace import wiring
from release.trail import check_trail
from tests.contract.racer import RACES

pytestmark = pytest.mark.anyio
PROCESSES = 4


def test_of_a_thousand_races_each_has_exactly_one_winner(database: str, tmp_path: Path) -> None:
    """Between 2 and 16 writers, tasks of four processes, ask for the change after each revision."""
    anyio.run(_open, tmp_path, database)
    racers = [
        subprocess.Popen(
            [sys.executable, "-m", "tests.contract.racer", str(tmp_path), database, str(number), str(PROCESSES)],
            stdout=subprocess.PIPE,
            text=True,
        )
        for number in range(PROCESSES)
    ]
    results: list[dict[str, Any]] = [json.loads(racer.communicate(timeout=600)[0]) for racer in racers]
    assert all(racer.returncode == 0 for racer in racers)
    won = sorted(revision for result in results for revision in result["won"])
    assert won == list(range(RACES))
    assert sum(result["lost"] for result in results) == sum(1 + race % 15 for race in range(RACES))
    assert sum(bool(result["won"]) for result in results) > 1, "nobody raced"
    anyio.run(_check, tmp_path, database)


async def _open(data: Path, database: str) -> None:
    async with wiring.control(data, database):
        pass


async def _check(data: Path, database: str) -> None:
    async with wiring.control(data, database) as control, control.ledger.reading() as reading:
        assert await reading.revision() == RACES
        assert await check_trail(reading, {}) == ()

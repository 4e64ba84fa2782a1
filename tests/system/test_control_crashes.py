"""The control plane is killed (-9) at every step of every kind of change; what is left is whole."""

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.postgresql import PostgresServer
from tests.system.control_changes import CHANGES

PATIENCE_SECONDS = 1_800
IN_MEMORY = Path("/dev/shm")
LEAST = 500
ON_POSTGRESQL = ("abort", "pin clear", "advance", "restore", "catch up", "migrate", "first start")
ON_SQLITE = tuple(change.name for change in CHANGES if change.name not in ("abort", "pin clear"))
"""What takes the same way through the code is tried on one of them; steps on PostgreSQL take thrice the time."""


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    """A folder in memory, where the machine has that: who is killed loses nothing there either, in less time."""
    if not os.access(IN_MEMORY, os.W_OK):
        yield tmp_path
        return
    with tempfile.TemporaryDirectory(prefix="headrace-crashes-", dir=IN_MEMORY) as made:
        yield Path(made)


class Sweep:
    """The harness at work, as a process of its own."""

    def __init__(self, folder: Path, database: str, kind: str, *changes: str) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.system.control_crash_harness", folder, database, kind, *changes],
            cwd=Path(__file__).parents[2],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def steps(self) -> dict[str, int]:
        """How many steps each change was broken off at, once nothing was found to be wrong after any of them."""
        out, err = self._process.communicate(timeout=PATIENCE_SECONDS)
        assert self._process.returncode == 0, err
        found: dict[str, Any] = json.loads(out)
        assert {name: result["faults"] for name, result in found.items() if result["faults"]} == {}
        return {name: result["steps"] for name, result in found.items()}


def test_no_kill_at_any_step_of_any_change_loses_halves_or_repeats_it(
    folder: Path, postgresql: PostgresServer
) -> None:
    """On both databases side by side."""
    on_sqlite = Sweep(folder / "sqlite", "sqlite", "killed", *ON_SQLITE)
    on_postgresql = Sweep(folder / "postgresql", postgresql.new_database(), "killed", *ON_POSTGRESQL)
    found = [on_sqlite.steps(), on_postgresql.steps()]
    assert {name for steps in found for name in steps} == {change.name for change in CHANGES}
    for steps in found:
        assert min(steps.values()) > 20
        assert sum(steps.values()) >= LEAST


def test_no_kill_within_a_commit_does_either(folder: Path, postgresql: PostgresServer) -> None:
    """Between the bytes that go to PostgreSQL, and between SQLite's own system calls."""
    wire = Sweep(folder, postgresql.new_database(), "wire", "promote")
    calls = Sweep(folder, "sqlite", "calls", "promote", "migrate")
    assert wire.steps()["promote"] > 50
    assert min(calls.steps().values()) > 20


def test_a_postgresql_that_is_killed_while_it_commits_has_all_of_a_change_or_nothing(folder: Path) -> None:
    steps = Sweep(folder, "", "server", "start", "advance", "smoke test").steps()
    assert min(steps.values()) >= 2

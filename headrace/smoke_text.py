"""Smoke tests as a person reads them."""

from collections.abc import Iterable

from rich.console import Console

from api.views.smoke import OutcomeView, SmokeTestView


def draw_tests(console: Console, tests: Iterable[SmokeTestView]) -> None:
    """A line for each test of a plan."""
    for test in tests:
        if test.passed is None:
            console.print(f"smoke test {test.name}: has not run: {test.what}")
        else:
            verdict = "passed" if test.passed else "failed"
            console.print(f"smoke test {test.name}: {verdict} in {test.seconds} s: {test.finding}")


def draw_outcomes(console: Console, outcomes: Iterable[OutcomeView]) -> None:
    """Each outcome, and below it what the test had to say."""
    for outcome in outcomes:
        verdict = "passed" if outcome.passed else "failed"
        console.print(f"{outcome.test} {verdict}: {outcome.finding}")
        console.print(
            f"  {outcome.candidate}, manifest {outcome.digest[:12]}, at {outcome.started_at}"
            f" in {outcome.seconds} s, by {outcome.actor}"
        )
        for line in outcome.output.splitlines():
            console.print(f"  | {line}")

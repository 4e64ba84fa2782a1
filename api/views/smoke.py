"""Smoke tests as their users see them."""

from collections.abc import Iterable, Mapping

import msgspec

from api.times import format_time
from bundles.core.digest import Digest
from bundles.core.version import Version
from release.core.smoke import AnySmokeTest, SmokeOutcome


class OutcomeView(msgspec.Struct, frozen=True):
    """What came of a test. Times are RFC 3339 in UTC; `digest` is that of the manifest of what was tested."""

    test: str
    candidate: Version
    digest: Digest
    passed: bool
    started_at: str
    seconds: float
    actor: str
    finding: str
    output: str


class SmokeTestView(msgspec.Struct, frozen=True):
    """A test of a live rollout's plan, what it is, and whether it has passed: null where it has not run yet."""

    name: str
    what: str
    timeout_seconds: int
    passed: bool | None
    started_at: str | None
    seconds: float | None
    finding: str | None


def view_outcome(outcome: SmokeOutcome) -> OutcomeView:
    """The outcome for its users."""
    return OutcomeView(
        test=outcome.test,
        candidate=outcome.candidate,
        digest=outcome.digest,
        passed=outcome.passed,
        started_at=format_time(outcome.started_at),
        seconds=outcome.seconds,
        actor=outcome.actor,
        finding=outcome.finding,
        output=outcome.output,
    )


def view_tests(tests: Iterable[AnySmokeTest], latest: Mapping[str, SmokeOutcome]) -> tuple[SmokeTestView, ...]:
    """A plan's tests, each with the last that came of it."""
    return tuple(_view_test(test, latest.get(test.name)) for test in tests)


def _view_test(test: AnySmokeTest, outcome: SmokeOutcome | None) -> SmokeTestView:
    return SmokeTestView(
        name=test.name,
        what=str(test),
        timeout_seconds=test.timeout_seconds,
        passed=None if outcome is None else outcome.passed,
        started_at=None if outcome is None else format_time(outcome.started_at),
        seconds=None if outcome is None else outcome.seconds,
        finding=None if outcome is None else outcome.finding,
    )

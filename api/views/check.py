"""Checks as their users see them."""

from collections.abc import Iterable

import msgspec

from api.times import format_time
from release.core.checks import CheckAt
from release.core.gate import Verdict


class CheckView(msgspec.Struct, frozen=True):
    """A check of a live rollout: whom it asks, and what follows from the answers and why.

    `bad` counts the bad answers since the last good one, and `failures` is how many of them abort the rollout.
    `asked_at` is RFC 3339 in UTC; null where it has not been asked yet.
    """

    name: str
    what: str
    verdict: Verdict
    reason: str
    bad: int
    failures: int
    asked_at: str | None


def view_checks(checks: Iterable[CheckAt]) -> tuple[CheckView, ...]:
    """The checks for their users."""
    return tuple(
        CheckView(
            name=at.rule.name,
            what=str(at.rule.source),
            verdict=at.verdict,
            reason=at.reason,
            bad=0 if at.state is None else at.state.bad,
            failures=at.rule.limit,
            asked_at=None if at.state is None else format_time(at.state.at),
        )
        for at in checks
    )

"""Retention: which of a product's builds may stop existing. Times are whole seconds since the Unix epoch."""

from collections.abc import Collection, Mapping
from enum import StrEnum

import msgspec

from bundles.core.errors import Invalid, Refused
from bundles.core.limits import DEFAULT_KEEP, MAX_KEEP
from bundles.core.version import Version, precedence

DAY_SECONDS = 86_400
DEFAULT_AGE_SECONDS = 90 * DAY_SECONDS


class Policy(msgspec.Struct, frozen=True):
    """How many builds stay however old they are, and how old, in seconds, any other must be to go."""

    keep: int = DEFAULT_KEEP
    older_than: int = DEFAULT_AGE_SECONDS

    def __post_init__(self) -> None:
        if not 1 <= self.keep <= MAX_KEEP:
            raise Invalid(f"a policy keeps 1 to {MAX_KEEP} builds, not {self.keep}")
        if self.older_than < 0:
            raise Invalid(f"an age can't be {self.older_than} seconds")


class Verdict(StrEnum):
    """What becomes of a build."""

    KEEP = "keep"
    RETIRE = "retire"


class Decision(msgspec.Struct, frozen=True):
    """A build's verdict and its reason."""

    version: Version
    published_at: int
    verdict: Verdict
    reason: str


def decide(
    policy: Policy, published_at: Mapping[Version, int], needs: Mapping[Version, str], now: int
) -> list[Decision]:
    """What becomes of each published build, the newest version first.

    `needs` says of each build that must not go what it is. Of the others, the newest versions and the young stay.
    """
    newest_first = sorted(published_at, key=precedence, reverse=True)
    newest = set(newest_first[: policy.keep])
    decisions = []
    for version in newest_first:
        age = now - published_at[version]
        verdict = Verdict.KEEP
        if version in needs:
            reason = needs[version]
        elif version in newest:
            reason = f"one of the newest versions, of which {policy.keep} stay"
        elif age <= policy.older_than:
            reason = f"published {age // DAY_SECONDS} days ago"
        else:
            verdict = Verdict.RETIRE
            reason = f"published {age // DAY_SECONDS} days ago and needed by nothing"
        decisions.append(Decision(version, published_at[version], verdict, reason))
    return decisions


def decide_named(
    named: Collection[Version], published_at: Mapping[Version, int], needs: Mapping[Version, str]
) -> list[Decision]:
    """The verdict on published builds that a person names, of any age. Raises `Refused` for needed ones."""
    if faults := [f"{version} is {needs[version]}" for version in named if version in needs]:
        raise Refused(f"nothing is retired: {'; '.join(faults)}")
    return [Decision(version, published_at[version], Verdict.RETIRE, "named") for version in dict.fromkeys(named)]

"""Checks: what is known of one while a rollout lives, and what follows from it.

What is not known holds: only a good answer, fresh and of the present stage, lets a candidate go on.
"""

import msgspec

from release.core.check_rule import Answer, CheckRule, Finding
from release.core.gate import Verdict
from release.core.plan import StageKind
from release.core.routing import Rollout

FRESH_TIMES = 3
"""A good answer counts for so many times as long as it is until the next one is asked for."""


class CheckState(msgspec.Struct, frozen=True):
    """What is known of a check of one rollout, by the rule as it was: the last answer, when that was asked for in
    seconds since the epoch, and how many bad ones there were since the last good one.
    """

    rollout: str
    rule: CheckRule
    answer: Answer
    at: int
    bad: int

    @property
    def failed(self) -> bool:
        """True once there were too many bad answers, and from then on."""
        return self.bad >= self.rule.limit


class CheckAt(msgspec.Struct, frozen=True):
    """A check of a rollout with all that is known of it, and what follows from that and why."""

    rule: CheckRule
    state: CheckState | None
    verdict: Verdict
    reason: str


def is_checked(rollout: Rollout) -> bool:
    """True once the rollout has left staging: production tenants may have its candidate."""
    return rollout.stage.kind is not StageKind.STAGING


def known(kept: CheckState | None, rule: CheckRule, rollout: Rollout) -> CheckState | None:
    """What is kept, if it is of this rollout and by this very rule: by another one it says nothing."""
    if kept is None or kept.rollout != rollout.identity or kept.rule != rule:
        return None
    return kept


def is_due(state: CheckState | None, rule: CheckRule, now: int) -> bool:
    """Whether the check is to be asked. One that has failed is not asked again."""
    if state is None:
        return True
    return not state.failed and not state.at <= now < state.at + rule.every_seconds


def answered(
    state: CheckState | None, rule: CheckRule, rollout: Rollout, answer: Answer, asked_at: int
) -> CheckState:
    """What is known after an answer. One that is not known leaves the count as it is."""
    before = 0 if state is None else state.bad
    if state is not None and state.failed:
        return state
    counts = {Finding.GOOD: 0, Finding.BAD: before + 1, Finding.UNKNOWN: before}
    return CheckState(rollout.identity, rule, answer, asked_at, counts[answer.finding])


def conclude(state: CheckState | None, rule: CheckRule, rollout: Rollout, now: int) -> CheckAt:
    """What follows from what is known: to abort, to hold, or to let the rollout go on."""

    def result(verdict: Verdict, reason: str) -> CheckAt:
        return CheckAt(rule, state, verdict, reason)

    if state is None:
        return result(Verdict.HOLD, "it has not been asked yet")
    reason = state.answer.reason
    if state.failed:
        times = f", {state.bad} times without a good answer between" if rule.limit > 1 else ""
        return result(Verdict.ABORT, reason + times)
    match state.answer.finding:
        case Finding.UNKNOWN:
            return result(Verdict.HOLD, reason)
        case Finding.BAD:
            return result(Verdict.HOLD, f"{reason} ({state.bad} of {rule.limit} until it aborts)")
        case Finding.GOOD if state.at <= rollout.stage_since:
            return result(Verdict.HOLD, "it has not been asked since the stage began")
        case Finding.GOOD if not state.at <= now <= state.at + FRESH_TIMES * rule.every_seconds:
            return result(Verdict.HOLD, "its last answer is too old")
    return result(Verdict.PROMOTE, reason)

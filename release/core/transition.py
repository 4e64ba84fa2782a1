"""The state machine of a channel: a command and a state in, the next state or a refusal out."""

from collections.abc import Collection

import msgspec

from bundles.core.errors import Invalid, Refused
from bundles.core.version import Version
from release.core.commands import Abort, Approve, Begin, Command, Pause, Promote, Resume, Rollback, Schedule, Start
from release.core.plan import Plan, StageKind
from release.core.routing import MAX_HISTORY, ChannelState, Progress, Rollout, Scheduled


class Circumstances(msgspec.Struct, frozen=True):
    """What decides beside the channel itself: the time in seconds since the epoch, and who asks.

    `frozen` says which freeze holds and until when; None where there is none. With `needs_approval` a second
    person must let a candidate out of staging. `held` says why its health gate or checks let it not go on.
    `revision` is the one that the command makes.
    """

    now: int
    blocked: Collection[Version] = ()
    actor: str = ""
    frozen: str | None = None
    needs_approval: bool = False
    held: str | None = None
    revision: int = 0


def transition(state: ChannelState, command: Command, around: Circumstances) -> ChannelState:
    """The channel after the command, or `Refused` with the reason.

    A freeze forbids what brings a candidate to more tenants, and never what takes it from them.
    """
    match command:
        case Start():
            return _start(state, command, around)
        case Schedule():
            return _schedule(state, command, around)
        case Begin():
            return _begin(state, command, around)
        case Promote():
            return _promote(state, command, around)
        case Approve():
            return _approve(state, command, around)
        case Pause():
            return _pause(state)
        case Resume():
            return _resume(state, around)
        case Abort():
            return _abort(state, command)
        case Rollback():
            return _rollback(state, command, around.blocked)


def _start(state: ChannelState, command: Start, around: Circumstances) -> ChannelState:
    _refuse_frozen(around)
    _refuse_candidate(state, command, around)
    _refuse_unapproved_plan(command.plan, around)
    replaced = _replaced(state, command)
    rollout = Rollout(
        candidate=command.candidate,
        plan=command.plan,
        salt=command.salt if replaced is None else replaced.salt,
        stage_index=0,
        stage_since=around.now,
        author=around.actor,
        begun=around.revision,
    )
    return ChannelState(history=state.history, rollout=rollout)


def _schedule(state: ChannelState, command: Schedule, around: Circumstances) -> ChannelState:
    start = command.start
    if start.supersede:
        raise Invalid("a rollout that supersedes another begins at once: leave the time out")
    if command.at <= around.now:
        raise Invalid("the time to begin has passed: name one that is yet to come")
    _refuse_candidate(state, start, around)
    _refuse_unapproved_plan(start.plan, around)
    _replaced(state, start)
    scheduled = Scheduled(start.candidate, start.plan, start.salt, command.at, around.actor)
    return ChannelState(history=state.history, scheduled=scheduled)


def _begin(state: ChannelState, command: Begin, around: Circumstances) -> ChannelState:
    seen = command.seen
    if state.scheduled != seen:
        raise Refused(f"the scheduled rollout of {seen.candidate} has changed since it was looked at")
    if around.now < seen.at:
        raise Refused(f"it is too early to begin the rollout of {seen.candidate}")
    start = Start(seen.candidate, seen.plan, seen.salt)
    as_scheduled = msgspec.structs.replace(around, actor=seen.author)
    return _start(ChannelState(history=state.history), start, as_scheduled)


def _promote(state: ChannelState, command: Promote, around: Circumstances) -> ChannelState:
    rollout = _live(state)
    if rollout.progress is Progress.PAUSED:
        raise Refused(f"the rollout of {rollout.candidate} is paused at {rollout.stage}: resume it first")
    if rollout.candidate in around.blocked:
        raise Refused(f"{rollout.candidate} is blocked: abort the rollout")
    if command.seen is not None and command.seen != rollout:
        raise Refused(f"the rollout of {command.seen.candidate} has changed since it was looked at")
    _refuse_frozen(around)
    if around.needs_approval and rollout.approved_by is None:
        raise Refused(
            f"the rollout of {rollout.candidate} waits for an approval: someone else than {rollout.author} gives"
            " it with `headrace rollout approve`"
        )
    if around.held is not None:
        raise Refused(
            f"the rollout of {rollout.candidate} stays at {rollout.stage}: {around.held}. What holds it is looked"
            " at again by itself; in an emergency, --break-glass with a reason goes past it"
        )
    following = _following(rollout, command.to)
    if following == len(rollout.plan.stages):
        return ChannelState(history=_with(state.history, rollout.candidate))
    promoted = msgspec.structs.replace(rollout, stage_index=following, stage_since=around.now)
    return msgspec.structs.replace(state, rollout=promoted)


def _following(rollout: Rollout, to: str | None) -> int:
    """The place in the plan to go to; one past its end where the rollout is done."""
    if to is None:
        return rollout.stage_index + 1
    following = rollout.plan.place_of(to)
    if following <= rollout.stage_index:
        raise Refused(f"the rollout of {rollout.candidate} is at {rollout.stage} already: name a later stage")
    return following


def _approve(state: ChannelState, command: Approve, around: Circumstances) -> ChannelState:
    rollout = _live(state)
    if command.candidate != rollout.candidate:
        raise Refused(f"the candidate is {rollout.candidate}, not {command.candidate}: look at what changed")
    if around.actor == rollout.author:
        raise Refused(f"{around.actor} began the rollout of {rollout.candidate}: someone else must approve it")
    if rollout.author in command.same:
        raise Refused(
            f"{rollout.author} began the rollout of {rollout.candidate}, and one of {around.actor} and it has made"
            " the other's token: someone else must approve it"
        )
    if rollout.approved_by is not None:
        raise Refused(f"the rollout of {rollout.candidate} was approved by {rollout.approved_by} already")
    return msgspec.structs.replace(state, rollout=msgspec.structs.replace(rollout, approved_by=around.actor))


def _pause(state: ChannelState) -> ChannelState:
    rollout = _live(state)
    if rollout.progress is Progress.PAUSED:
        raise Refused(f"the rollout of {rollout.candidate} is paused already")
    return msgspec.structs.replace(state, rollout=msgspec.structs.replace(rollout, progress=Progress.PAUSED))


def _resume(state: ChannelState, around: Circumstances) -> ChannelState:
    rollout = _live(state)
    if rollout.progress is Progress.RUNNING:
        raise Refused(f"the rollout of {rollout.candidate} is not paused")
    _refuse_frozen(around)
    resumed = msgspec.structs.replace(rollout, progress=Progress.RUNNING, stage_since=around.now)
    return msgspec.structs.replace(state, rollout=resumed)


def _abort(state: ChannelState, command: Abort) -> ChannelState:
    if command.of is not None and _live(state).identity != command.of:
        raise Refused("the rollout that was to be aborted has ended, and another has begun: look at it first")
    if state.scheduled is None:
        _live(state)
    return ChannelState(history=state.history)


def _rollback(state: ChannelState, command: Rollback, blocked: Collection[Version]) -> ChannelState:
    target = command.to or _before_latest_change(state, blocked)
    if target in blocked:
        raise Refused(f"{target} is blocked: roll back to another build, with --to")
    if target not in state.history:
        earlier = ", ".join(reversed(state.history[-5:])) or "none yet"
        raise Refused(
            f"{target} is no stable build that this channel can go back to; those are: {earlier}. What was rolled"
            " back, or never released, is released by a rollout"
        )
    if target == state.stable and state.rollout is None:
        raise Refused(f"{target} is the stable build already")
    last = len(state.history) - 1 - state.history[::-1].index(target)
    return ChannelState(history=state.history[: last + 1])


def _before_latest_change(state: ChannelState, blocked: Collection[Version]) -> Version:
    """What everyone had before the latest change; a blocked build is passed over."""
    known = state.history if state.rollout is not None else state.history[:-1]
    target = next((version for version in reversed(known) if version not in blocked), None)
    if target is None:
        advice = "abort ends the rollout" if state.rollout is not None else "block the build if nobody may get it"
        raise Refused(f"there is no earlier stable build to roll back to; {advice}")
    return target


def _refuse_frozen(around: Circumstances) -> None:
    if around.frozen is not None:
        raise Refused(f"{around.frozen}: wait, or go through it with --break-glass and a reason")


def _refuse_unapproved_plan(plan: Plan, around: Circumstances) -> None:
    """Where an approval is needed, no production tenant gets a candidate before it."""
    if around.needs_approval and plan.stages[0].kind is not StageKind.STAGING:
        raise Refused(
            "the channel needs an approval: let the plan begin with staging, where the rollout waits for it"
        )


def _refuse_candidate(state: ChannelState, start: Start, around: Circumstances) -> None:
    if start.candidate in around.blocked:
        raise Refused(f"{start.candidate} is blocked: clear the block first, or publish a mended build")
    if start.candidate == state.stable:
        raise Refused(f"{start.candidate} is the stable build already")


def _replaced(state: ChannelState, start: Start) -> Rollout | Scheduled | None:
    """What a new rollout takes the place of. A channel has one rollout, live or scheduled."""
    present = state.coming
    if start.supersede:
        if present is None:
            raise Refused("there is no rollout on this channel to supersede: start without it")
        if present.candidate == start.candidate:
            raise Refused(f"{start.candidate} is what is being rolled out: it can't supersede itself")
    elif state.rollout is not None:
        raise Refused(
            f"a rollout of {state.rollout.candidate} is at stage {state.rollout.stage}: promote it to its end,"
            " abort it, roll back first, or supersede it"
        )
    elif present is not None:
        raise Refused(f"a rollout of {present.candidate} is scheduled: abort it, or supersede it")
    return present


def _live(state: ChannelState) -> Rollout:
    if state.rollout is None:
        raise Refused("there is no live rollout on this channel: begin one with `headrace rollout start`")
    return state.rollout


def _with(history: tuple[Version, ...], version: Version) -> tuple[Version, ...]:
    """The history with one more build at its end. Coming back to an earlier build does not list it twice."""
    return (*(earlier for earlier in history if earlier != version), version)[-MAX_HISTORY:]

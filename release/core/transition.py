"""The state machine of a channel: a command and a state in, the next state or a refusal out."""

from collections.abc import Collection

import msgspec

from bundles.core.errors import Refused
from bundles.core.version import Version
from release.core.plan import Plan
from release.core.routing import MAX_HISTORY, ChannelState, Progress, Rollout


class Start(msgspec.Struct, frozen=True, tag="start"):
    """Begin to roll a candidate out, at the first stage of a plan. The salt is fixed here."""

    candidate: Version
    plan: Plan
    salt: str


class Promote(msgspec.Struct, frozen=True, tag="promote"):
    """Go to the next stage; after the last one, the candidate is the stable build.

    With `seen`, only if the rollout still is as it was seen: a decision on an old view promotes nothing.
    """

    seen: Rollout | None = None


class Pause(msgspec.Struct, frozen=True, tag="pause"):
    """Stay at this stage: who has the candidate keeps it, and nobody is added."""


class Resume(msgspec.Struct, frozen=True, tag="resume"):
    """Go on from a pause; the stage's bake time begins again."""


class Abort(msgspec.Struct, frozen=True, tag="abort"):
    """End the rollout: everyone is back at the stable build."""


class Rollback(msgspec.Struct, frozen=True, tag="rollback"):
    """One flip to an earlier stable build; ends a live rollout with it, from any state.

    `to` names the build. Without it, the channel goes back to what everyone had before the latest change: a live
    rollout's stable build, or else the stable build before the present one.
    """

    to: Version | None = None


Command = Start | Promote | Pause | Resume | Abort | Rollback


def transition(state: ChannelState, command: Command, blocked: Collection[Version], now: int) -> ChannelState:
    """The channel after the command, or `Refused` with the reason. `now` is in seconds since the epoch."""
    match command:
        case Start():
            return _start(state, command, blocked, now)
        case Promote():
            return _promote(state, command, blocked, now)
        case Pause():
            return _pause(state)
        case Resume():
            return _resume(state, now)
        case Abort():
            _live(state)
            return msgspec.structs.replace(state, rollout=None)
        case Rollback():
            return _rollback(state, command, blocked)


def _start(state: ChannelState, command: Start, blocked: Collection[Version], now: int) -> ChannelState:
    if state.rollout is not None:
        raise Refused(
            f"a rollout of {state.rollout.candidate} is at stage {state.rollout.stage}: promote it to its end,"
            " abort it, or roll back first"
        )
    if command.candidate in blocked:
        raise Refused(f"{command.candidate} is blocked: clear the block first, or publish a mended build")
    if command.candidate == state.stable:
        raise Refused(f"{command.candidate} is the stable build already")
    rollout = Rollout(
        candidate=command.candidate, plan=command.plan, salt=command.salt, stage_index=0, stage_since=now
    )
    return msgspec.structs.replace(state, rollout=rollout)


def _promote(state: ChannelState, command: Promote, blocked: Collection[Version], now: int) -> ChannelState:
    rollout = _live(state)
    if rollout.progress is Progress.PAUSED:
        raise Refused(f"the rollout of {rollout.candidate} is paused at {rollout.stage}: resume it first")
    if rollout.candidate in blocked:
        raise Refused(f"{rollout.candidate} is blocked: abort the rollout")
    if command.seen is not None and command.seen != rollout:
        raise Refused(f"the rollout of {command.seen.candidate} has changed since it was looked at")
    following = rollout.stage_index + 1
    if following == len(rollout.plan.stages):
        return ChannelState(history=_with(state.history, rollout.candidate))
    promoted = msgspec.structs.replace(rollout, stage_index=following, stage_since=now)
    return msgspec.structs.replace(state, rollout=promoted)


def _pause(state: ChannelState) -> ChannelState:
    rollout = _live(state)
    if rollout.progress is Progress.PAUSED:
        raise Refused(f"the rollout of {rollout.candidate} is paused already")
    return msgspec.structs.replace(state, rollout=msgspec.structs.replace(rollout, progress=Progress.PAUSED))


def _resume(state: ChannelState, now: int) -> ChannelState:
    rollout = _live(state)
    if rollout.progress is Progress.RUNNING:
        raise Refused(f"the rollout of {rollout.candidate} is not paused")
    resumed = msgspec.structs.replace(rollout, progress=Progress.RUNNING, stage_since=now)
    return msgspec.structs.replace(state, rollout=resumed)


def _rollback(state: ChannelState, command: Rollback, blocked: Collection[Version]) -> ChannelState:
    target = command.to or _before_latest_change(state, blocked)
    if target in blocked:
        raise Refused(f"{target} is blocked: roll back to another build, with --to")
    if target not in state.history:
        earlier = ", ".join(reversed(state.history[-5:])) or "none yet"
        raise Refused(f"{target} was never this channel's stable build; those that were: {earlier}")
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


def _live(state: ChannelState) -> Rollout:
    if state.rollout is None:
        raise Refused("there is no live rollout on this channel: begin one with `headrace rollout start`")
    return state.rollout


def _with(history: tuple[Version, ...], version: Version) -> tuple[Version, ...]:
    """The history with one more build at its end. Coming back to an earlier build does not list it twice."""
    return (*(earlier for earlier in history if earlier != version), version)[-MAX_HISTORY:]

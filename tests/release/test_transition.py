"""The state machine of a channel."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bundles.core.errors import Refused
from bundles.core.version import Version
from release.core.names import STABLE, Tenant
from release.core.plan import parse_plan
from release.core.resolve import resolve_tenant
from release.core.routing import Block, ChannelState, ProductRoutes, Progress
from release.core.transition import Abort, Command, Pause, Promote, Resume, Rollback, Start, transition
from tests.release.strategies import commands, versions

ONE, TWO, THREE = Version("1.0.0"), Version("1.1.0"), Version("1.2.0")
PLAN = parse_plan("staging,canary,5,100", [], "10m")
BEGIN = Start(candidate=TWO, plan=PLAN, salt="salt")


def walk(state: ChannelState, *steps: Command, now: int = 1_000) -> ChannelState:
    for step in steps:
        state = transition(state, step, (), now)
    return state


def reached(steps: list[Command], blocked: set[Version]) -> ChannelState:
    """Where a run of commands leads; those that are refused change nothing."""
    state = ChannelState()
    for now, step in enumerate(steps):
        try:
            state = transition(state, step, blocked, now)
        except Refused:
            continue
    return state


def test_a_rollout_walks_its_stages_and_ends_as_the_stable_build() -> None:
    state = walk(ChannelState((ONE,)), BEGIN)
    seen = []
    while state.rollout is not None:
        seen.append(str(state.rollout.stage))
        assert state.stable == ONE
        state = walk(state, Promote())
    assert seen == ["staging", "canary", "5%", "100%"]
    assert state.history == (ONE, TWO)


def test_each_stage_bakes_from_its_own_beginning() -> None:
    state = transition(walk(ChannelState((ONE,)), BEGIN, now=1_000), Promote(), (), 5_000)
    assert state.rollout is not None
    assert state.rollout.bakes_until == 5_600


def test_a_paused_rollout_is_not_promoted_and_bakes_anew_when_it_goes_on() -> None:
    paused = walk(ChannelState((ONE,)), BEGIN, Pause())
    assert paused.rollout is not None
    assert paused.rollout.bakes_until is None
    with pytest.raises(Refused, match="resume it first"):
        walk(paused, Promote())
    resumed = transition(paused, Resume(), (), 9_000)
    assert resumed.rollout is not None
    assert resumed.rollout.progress is Progress.RUNNING
    assert resumed.rollout.bakes_until == 9_600


def test_abort_leaves_the_stable_build_as_it_was() -> None:
    before = ChannelState((ONE,))
    assert walk(before, BEGIN, Promote(), Promote(), Abort()) == before


def test_a_decision_on_an_old_view_promotes_nothing() -> None:
    state = walk(ChannelState((ONE,)), BEGIN)
    seen = Promote(seen=state.rollout)
    moved = walk(state, seen)
    with pytest.raises(Refused, match="has changed"):
        walk(moved, seen)
    begun_again = walk(moved, Abort(), BEGIN, now=2_000)
    with pytest.raises(Refused, match="has changed"):
        walk(begun_again, seen)


def refused_cases() -> list[tuple[ChannelState, Command, str]]:
    idle, live = ChannelState((ONE,)), walk(ChannelState((ONE,)), BEGIN)
    return [
        (live, BEGIN, "at stage staging"),
        (idle, Start(candidate=ONE, plan=PLAN, salt="s"), "is the stable build already"),
        (idle, Promote(), "no live rollout"),
        (idle, Pause(), "no live rollout"),
        (idle, Resume(), "no live rollout"),
        (idle, Abort(), "no live rollout"),
        (live, Resume(), "is not paused"),
        (walk(live, Pause()), Pause(), "paused already"),
        (idle, Rollback(), "no earlier stable build"),
        (idle, Rollback(to=ONE), "is the stable build already"),
        (idle, Rollback(to=THREE), "was never this channel's stable build"),
        (walk(ChannelState(), BEGIN), Rollback(), "abort ends the rollout"),
    ]


@pytest.mark.parametrize(("state", "command", "why"), refused_cases())
def test_what_makes_no_sense_is_refused_with_the_reason(state: ChannelState, command: Command, why: str) -> None:
    with pytest.raises(Refused, match=why):
        transition(state, command, (), 1_000)


def test_a_blocked_candidate_is_neither_started_nor_promoted_nor_rolled_back_to() -> None:
    cases: list[tuple[ChannelState, Command]] = [
        (ChannelState((ONE,)), BEGIN),
        (walk(ChannelState((ONE,)), BEGIN), Promote()),
        (ChannelState((TWO, ONE)), Rollback(to=TWO)),
    ]
    for state, command in cases:
        with pytest.raises(Refused, match="blocked"):
            transition(state, command, {TWO}, 1_000)


def test_rollback_goes_to_what_everyone_had_before_the_latest_change() -> None:
    done = ChannelState((ONE, TWO, THREE))
    assert walk(done, Rollback()).history == (ONE, TWO)
    live = walk(ChannelState((ONE,)), BEGIN, Promote(), Promote(), Promote())
    assert walk(live, Rollback()) == ChannelState((ONE,))
    assert transition(done, Rollback(), {TWO}, 0).history == (ONE,)


def test_what_was_rolled_back_is_no_target_of_a_later_rollback() -> None:
    state = walk(ChannelState((ONE, TWO)), Rollback())
    with pytest.raises(Refused, match="never"):
        walk(state, Rollback(to=TWO))


@given(st.lists(commands, max_size=30), st.sets(versions, max_size=2), st.data())
def test_from_any_state_one_rollback_gives_everyone_the_target(
    steps: list[Command], blocked: set[Version], data: st.DataObject
) -> None:
    state = reached(steps, blocked)
    targets = [v for v in state.history if v not in blocked and (state.rollout or v != state.stable)]
    if not targets:
        return
    target = data.draw(st.sampled_from(targets))
    after = transition(state, Rollback(to=target), blocked, 10_000)
    routes = ProductRoutes({STABLE: after}, {}, {v: Block("sam", "") for v in blocked})
    for n in range(50):
        assert resolve_tenant(routes, Tenant(f"t{n}"), now=10_000).build == target


@given(st.lists(commands, max_size=30), st.sets(versions, max_size=2))
def test_a_plain_rollback_is_refused_only_where_there_is_nothing_to_go_back_to(
    steps: list[Command], blocked: set[Version]
) -> None:
    state = reached(steps, blocked)
    earlier = state.history if state.rollout else state.history[:-1]
    try:
        after = transition(state, Rollback(), blocked, 10_000)
    except Refused:
        assert not [version for version in earlier if version not in blocked]
    else:
        assert after.rollout is None
        assert after.stable in earlier
        assert after.stable not in blocked


@given(st.lists(commands, max_size=40), st.sets(versions, max_size=2))
def test_a_build_is_in_a_channels_history_once_and_got_there_through_a_rollout(
    steps: list[Command], blocked: set[Version]
) -> None:
    state = reached(steps, blocked)
    assert len(set(state.history)) == len(state.history)
    started = {step.candidate for step in steps if isinstance(step, Start)}
    assert started.issuperset(state.history)
    assert not blocked.intersection(state.history)


@pytest.mark.parametrize("command", [Pause(), Resume(), Promote(), Abort(), Rollback()], ids=repr)
def test_no_command_but_start_brings_a_build_to_an_empty_channel(command: Command) -> None:
    with pytest.raises(Refused):
        transition(ChannelState(), command, (), 0)

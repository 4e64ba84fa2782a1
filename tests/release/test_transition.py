"""The state machine of a channel."""

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bundles.core.errors import Invalid, Refused
from bundles.core.version import Version
from release.core.codec import encode_document
from release.core.commands import Abort, Approve, Begin, Command, Pause, Promote, Resume, Rollback, Schedule, Start
from release.core.names import STABLE, Tenant
from release.core.plan import parse_plan
from release.core.resolve import resolve_tenant
from release.core.routing import Block, ChannelState, ProductRoutes, Progress, Scheduled
from release.core.transition import Circumstances, transition
from tests.release.strategies import commands, starts, versions

ONE, TWO, THREE = Version("1.0.0"), Version("1.1.0"), Version("1.2.0")
PLAN = parse_plan("staging,canary,5,100", [], "10m")
BEGIN = Start(candidate=TWO, plan=PLAN, salt="salt")
MEND = Start(candidate=THREE, plan=parse_plan("5,100", [], None), salt="other", supersede=True)
LATER = Schedule(BEGIN, at=9_000)
FROZEN = Circumstances(1_000, frozen="the freeze 'year's end' holds until then")


def walk(state: ChannelState, *steps: Command, now: int = 1_000) -> ChannelState:
    for step in steps:
        state = transition(state, step, Circumstances(now))
    return state


def reached(steps: list[Command], blocked: set[Version]) -> ChannelState:
    """Where a run of commands leads; those that are refused change nothing."""
    state = ChannelState()
    for now, step in enumerate(steps):
        try:
            state = transition(state, step, Circumstances(now, blocked))
        except (Refused, Invalid):
            continue
        if state.scheduled is not None and now >= state.scheduled.at:
            state = transition(state, Begin(state.scheduled), Circumstances(now, blocked))
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
    state = transition(walk(ChannelState((ONE,)), BEGIN, now=1_000), Promote(), Circumstances(5_000))
    assert state.rollout is not None
    assert state.rollout.bakes_until == 5_600


def test_a_paused_rollout_is_not_promoted_and_bakes_anew_when_it_goes_on() -> None:
    paused = walk(ChannelState((ONE,)), BEGIN, Pause())
    assert paused.rollout is not None
    assert paused.rollout.bakes_until is None
    with pytest.raises(Refused, match="resume it first"):
        walk(paused, Promote())
    resumed = transition(paused, Resume(), Circumstances(9_000))
    assert resumed.rollout is not None
    assert resumed.rollout.progress is Progress.RUNNING
    assert resumed.rollout.bakes_until == 9_600


def test_abort_leaves_the_stable_build_as_it_was() -> None:
    before = ChannelState((ONE,))
    assert walk(before, BEGIN, Promote(), Promote(), Abort()) == before


def test_an_abort_of_one_rollout_aborts_no_other() -> None:
    before = ChannelState((ONE,))
    live = walk(before, BEGIN)
    assert live.rollout is not None
    of = Abort(of=live.rollout.identity)
    for later in (live, walk(live, Promote()), walk(live, Pause())):
        assert walk(later, of) == before
    scheduled = walk(before, LATER)  # of the same candidate, by the same salt
    again = transition(before, BEGIN, Circumstances(1_000, revision=9))
    mended = transition(live, MEND, Circumstances(1_000, revision=9))
    for other, why in (
        (before, "no live rollout"),
        (scheduled, "no live rollout"),
        (again, "another has begun"),
        (mended, "another has begun"),
    ):
        with pytest.raises(Refused, match=why):
            walk(other, of)


def test_an_abort_of_whatever_there_is_has_the_digest_that_it_always_had() -> None:
    assert encode_document(Abort()) == b'{"type":"abort"}'


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
        (idle, Rollback(to=THREE), "is no stable build that this channel can go back to"),
        (walk(ChannelState((ONE, TWO)), Rollback()), Rollback(to=TWO), "rolled back, or never released"),
        (idle, Approve(TWO), "no live rollout"),
        (live, Approve(THREE), "the candidate is 1.1.0, not 1.2.0"),
        (walk(ChannelState(), BEGIN), Rollback(), "abort ends the rollout"),
        (live, Promote(to="staging"), "at staging already"),
        (walk(live, Promote(), Promote()), Promote(to="canary"), "at 5% already"),
        (idle, MEND, "no rollout on this channel to supersede"),
        (live, msgspec.structs.replace(BEGIN, supersede=True), "can't supersede itself"),
        (walk(idle, LATER), BEGIN, "is scheduled: abort it"),
        (walk(idle, LATER), LATER, "is scheduled: abort it"),
        (live, LATER, "at stage staging"),
        (idle, Schedule(Start(ONE, PLAN, "s"), at=9_000), "is the stable build already"),
        (walk(idle, LATER), Promote(), "no live rollout"),
        (walk(idle, LATER), Begin(Scheduled(TWO, PLAN, "salt", 9_000, "")), "too early"),
        (walk(idle, LATER), Begin(Scheduled(TWO, PLAN, "other", 9_000, "")), "has changed"),
    ]


@pytest.mark.parametrize(("state", "command", "why"), refused_cases())
def test_what_makes_no_sense_is_refused_with_the_reason(state: ChannelState, command: Command, why: str) -> None:
    with pytest.raises(Refused, match=why):
        transition(state, command, Circumstances(1_000))


def test_a_blocked_candidate_is_neither_started_nor_promoted_nor_rolled_back_to() -> None:
    cases: list[tuple[ChannelState, Command]] = [
        (ChannelState((ONE,)), BEGIN),
        (walk(ChannelState((ONE,)), BEGIN), Promote()),
        (ChannelState((TWO, ONE)), Rollback(to=TWO)),
    ]
    for state, command in cases:
        with pytest.raises(Refused, match="blocked"):
            transition(state, command, Circumstances(1_000, {TWO}))


def test_rollback_goes_to_what_everyone_had_before_the_latest_change() -> None:
    done = ChannelState((ONE, TWO, THREE))
    assert walk(done, Rollback()).history == (ONE, TWO)
    live = walk(ChannelState((ONE,)), BEGIN, Promote(), Promote(), Promote())
    assert walk(live, Rollback()) == ChannelState((ONE,))
    assert transition(done, Rollback(), Circumstances(0, {TWO})).history == (ONE,)


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
    after = transition(state, Rollback(to=target), Circumstances(10_000, blocked))
    routes = ProductRoutes({STABLE: after}, {}, {v: Block("sam", "") for v in blocked})
    for n in range(50):
        assert resolve_tenant(routes, Tenant(f"t{n}"), now=10_000, known={}).build == target


@given(st.lists(commands, max_size=30), st.sets(versions, max_size=2))
def test_a_plain_rollback_is_refused_only_where_there_is_nothing_to_go_back_to(
    steps: list[Command], blocked: set[Version]
) -> None:
    state = reached(steps, blocked)
    earlier = state.history if state.rollout else state.history[:-1]
    try:
        after = transition(state, Rollback(), Circumstances(10_000, blocked))
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
    starts = [step.start if isinstance(step, Schedule) else step for step in steps]
    started = {step.candidate for step in starts if isinstance(step, Start)}
    assert started.issuperset(state.history)
    assert not blocked.intersection(state.history)


@pytest.mark.parametrize("command", [Pause(), Resume(), Promote(), Abort(), Rollback()], ids=repr)
def test_no_command_but_start_brings_a_build_to_an_empty_channel(command: Command) -> None:
    with pytest.raises(Refused):
        transition(ChannelState(), command, Circumstances(0))


def test_a_rollout_goes_straight_to_a_later_stage() -> None:
    live = walk(ChannelState((ONE,)), BEGIN)
    at_five = walk(live, Promote(to="5"))
    assert at_five.rollout is not None
    assert str(at_five.rollout.stage) == "5%"
    assert walk(live, Promote(to="5%")) == at_five
    assert walk(at_five, Promote(to="done")).history == (ONE, TWO)
    with pytest.raises(Invalid, match="its stages are staging, canary, 5%, 100%, done"):
        walk(live, Promote(to="25"))


@given(starts, st.data())
def test_going_straight_to_a_stage_is_walking_there(begin: Start, data: st.DataObject) -> None:
    state = walk(ChannelState((Version("0.1.0"),)), msgspec.structs.replace(begin, supersede=False))
    stages = [*(str(stage) for stage in begin.plan.stages), "done"]
    place = data.draw(st.integers(1, len(stages) - 1))
    assert walk(state, Promote(to=stages[place])) == walk(state, *[Promote()] * place)


def test_a_hotfix_takes_the_place_of_a_rollout_in_one_step_and_reaches_the_same_tenants_first() -> None:
    broken = walk(ChannelState((ONE,)), BEGIN, Promote(to="5"))
    for before in (broken, walk(broken, Pause()), walk(ChannelState((ONE,)), LATER)):
        mended = walk(before, MEND)
        assert (mended.history, mended.scheduled) == ((ONE,), None)
        assert mended.rollout is not None
        assert (mended.rollout.candidate, mended.rollout.salt) == (THREE, "salt")
    had_broken, have_mended = on_build(broken, TWO), on_build(walk(broken, MEND), THREE)
    assert had_broken == have_mended != set()


def on_build(state: ChannelState, version: Version) -> set[int]:
    routes = ProductRoutes({STABLE: state})
    return {n for n in range(300) if resolve_tenant(routes, Tenant(f"t{n}"), now=0, known={}).build == version}


def test_a_scheduled_rollout_begins_as_if_it_were_started_then_by_its_author() -> None:
    before = ChannelState((ONE,))
    waiting = transition(before, LATER, Circumstances(1_000, actor="sam"))
    assert waiting.scheduled is not None
    begun = transition(waiting, Begin(waiting.scheduled), Circumstances(9_500, actor="controller"))
    assert begun == transition(before, BEGIN, Circumstances(9_500, actor="sam"))


def test_a_scheduled_rollout_is_taken_away_by_an_abort_or_a_rollback() -> None:
    done = ChannelState((ONE, TWO))
    waiting = walk(done, Schedule(Start(THREE, PLAN, "s"), 9_000))
    assert walk(waiting, Abort()) == done
    assert walk(waiting, Rollback()) == ChannelState((ONE,))


@pytest.mark.parametrize(
    "command", [Schedule(BEGIN, at=1_000), Schedule(msgspec.structs.replace(BEGIN, supersede=True), at=9_000)]
)
def test_a_schedule_that_makes_no_sense_is_invalid(command: Schedule) -> None:
    with pytest.raises(Invalid):
        walk(ChannelState((ONE,)), command)


def test_a_freeze_holds_what_brings_a_candidate_to_more_tenants() -> None:
    idle, live = ChannelState((ONE,)), walk(ChannelState((ONE,)), BEGIN)
    waiting = walk(idle, Schedule(BEGIN, at=900), now=100)
    assert waiting.scheduled is not None
    held: list[tuple[ChannelState, Command]] = [
        (idle, BEGIN),
        (live, Promote()),
        (live, MEND),
        (walk(live, Pause()), Resume()),
        (waiting, Begin(waiting.scheduled)),
    ]
    for state, command in held:
        with pytest.raises(Refused, match="year's end"):
            transition(state, command, FROZEN)
        transition(state, command, Circumstances(1_000))


@given(st.lists(commands, max_size=30), st.sets(versions, max_size=2), commands)
def test_no_freeze_ever_holds_what_takes_a_candidate_away(
    steps: list[Command], blocked: set[Version], command: Command
) -> None:
    state = reached(steps, blocked)
    if isinstance(command, Pause | Abort | Rollback | Schedule):
        assert outcome(state, command, FROZEN) == outcome(state, command, Circumstances(1_000))


@given(st.lists(commands, max_size=30), st.sets(versions, max_size=2), commands)
def test_in_a_freeze_no_rollout_goes_forward(
    steps: list[Command], blocked: set[Version], command: Command
) -> None:
    state = reached(steps, blocked)
    after = outcome(state, command, msgspec.structs.replace(FROZEN, blocked=blocked))
    if isinstance(after, ChannelState) and after.rollout is not None:
        assert state.rollout is not None
        assert msgspec.structs.replace(after.rollout, progress=state.rollout.progress) == state.rollout


def outcome(state: ChannelState, command: Command, around: Circumstances) -> ChannelState | str:
    try:
        return transition(state, command, around)
    except (Refused, Invalid) as error:
        return str(error)


BY_SAM, BY_KIM = (Circumstances(1_000, actor=actor, needs_approval=True) for actor in ("sam", "kim"))


def test_a_candidate_leaves_staging_once_someone_else_approves() -> None:
    live = transition(ChannelState((ONE,)), BEGIN, BY_SAM)
    with pytest.raises(Refused, match="waits for an approval: someone else than sam"):
        transition(live, Promote(), BY_KIM)
    with pytest.raises(Refused, match="someone else must approve"):
        transition(live, Approve(TWO), BY_SAM)
    approved = transition(live, Approve(TWO), BY_KIM)
    assert approved.rollout is not None
    assert approved.rollout.approved_by == "kim"
    with pytest.raises(Refused, match="approved by kim already"):
        transition(approved, Approve(TWO), msgspec.structs.replace(BY_KIM, actor="lee"))
    assert transition(approved, Promote(to="done"), BY_SAM).history == (ONE, TWO)


def test_a_new_candidate_voids_an_approval() -> None:
    live = transition(ChannelState((ONE,)), BEGIN, BY_SAM)
    approved = transition(live, Approve(TWO), BY_KIM)
    in_staging = msgspec.structs.replace(MEND, plan=PLAN)
    superseded = transition(approved, in_staging, BY_SAM)
    with pytest.raises(Refused, match="waits for an approval"):
        transition(superseded, Promote(), BY_KIM)


@pytest.mark.parametrize(
    "command", [MEND, Schedule(Start(TWO, MEND.plan, "s"), at=9_000)], ids=["start", "schedule"]
)
def test_a_plan_without_staging_has_nowhere_to_wait_for_an_approval(command: Command) -> None:
    state = transition(ChannelState((ONE,)), BEGIN, BY_SAM) if command is MEND else ChannelState((ONE,))
    with pytest.raises(Refused, match="begin with staging"):
        transition(state, command, BY_SAM)


@given(st.lists(st.tuples(commands, st.sampled_from(["sam", "kim"])), max_size=30), st.data())
def test_no_production_tenant_gets_a_candidate_that_one_person_alone_has_let_out(
    steps: list[tuple[Command, str]], data: st.DataObject
) -> None:
    state, stable = ChannelState((Version("0.1.0"),)), {Version("0.1.0")}
    agreed: set[Version] = set()
    for now, (step, actor) in enumerate(steps):
        before = state
        try:
            state = transition(state, step, Circumstances(now, actor=actor, needs_approval=True))
        except (Refused, Invalid):
            continue
        if isinstance(step, Approve) and before.rollout is not None and actor != before.rollout.author:
            agreed.add(step.candidate)
        if state.scheduled is not None and now >= state.scheduled.at:
            around = Circumstances(now, actor="controller", needs_approval=True)
            state = transition(state, Begin(state.scheduled), around)
        tenant = Tenant(f"t{data.draw(st.integers(0, 5))}")
        build = resolve_tenant(ProductRoutes({STABLE: state}), tenant, now=now, known={}).build
        assert build in stable | agreed

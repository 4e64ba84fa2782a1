"""What would change what a tenant gets: beside a rollout that is walked to its end."""

import msgspec
from hypothesis import assume, given
from hypothesis import strategies as st

from bundles.core.version import Range, Version
from release.core.acts import ActKind, acts_of
from release.core.ahead import TurnKind, turns_ahead
from release.core.commands import Begin, Promote
from release.core.names import PRODUCTION, STABLE, STAGING, Tenant
from release.core.plan import Plan, parse_plan
from release.core.resolve import Known, resolve_tenant
from release.core.routing import ChannelState, Pin, PinKey, ProductRoutes, Progress, Rollout, Scheduled
from release.core.transition import Circumstances, transition
from tests.release.strategies import abouts, pins, plans, tenants

ONE, TWO = Version("1.0.0"), Version("1.1.0")
ACME = PinKey(Tenant("acme"), PRODUCTION)
NOW = 500


def rolling(stages: str, place: int = 0, **more: object) -> ProductRoutes:
    rollout = Rollout(TWO, parse_plan(stages, ["zeta"], None), "salt", place, stage_since=400, author="kim")
    return ProductRoutes({STABLE: ChannelState((ONE,), msgspec.structs.replace(rollout, **more))})


def walked(routes: ProductRoutes, now: int) -> ProductRoutes:
    """After all that a controller does now."""
    state = routes.channels[STABLE]
    while True:
        around = Circumstances(now)
        if state.scheduled is not None and state.scheduled.at <= now:
            state = transition(state, Begin(state.scheduled), around)
        elif state.rollout is not None and (state.rollout.bakes_until or now + 1) <= now:
            state = transition(state, Promote(), around)
        else:
            return msgspec.structs.replace(routes, channels={STABLE: state})


def first_time(routes: ProductRoutes, asker: PinKey, known: Known) -> int | None:
    """When the asker gets the candidate, if nobody does anything."""
    pin, now = routes.pins.get(str(asker)), NOW
    while True:
        routes = walked(routes, now)
        found = resolve_tenant(routes, asker.tenant, asker.environment, now=now, known=known)
        if found.build == TWO:
            return now
        state = routes.channels[STABLE]
        times = (
            None if state.scheduled is None else state.scheduled.at,
            None if state.rollout is None else state.rollout.bakes_until,
            None if pin is None else pin.expires_at,
        )
        ahead = [time for time in times if time is not None and time > now]
        if not ahead:
            return None
        now = min(ahead)


@given(plans(), tenants, pins | st.none(), abouts, st.sampled_from([PRODUCTION, STAGING]), st.data())
def test_the_soonest_turn_to_the_candidate_is_when_it_comes(
    plan: Plan,
    tenant: Tenant,
    pin: Pin | None,
    about: dict[str, str],
    environment: str,
    data: st.DataObject,
) -> None:
    asker = PinKey(tenant, PRODUCTION if environment == PRODUCTION else STAGING)
    place = data.draw(st.integers(-1, len(plan.stages) - 1))
    if place < 0:
        begins_at = data.draw(st.integers(0, 900))
        state = ChannelState((ONE,), scheduled=Scheduled(TWO, plan, "salt", begins_at, "kim"))
    else:
        since = data.draw(st.integers(1, 600))
        state = ChannelState((ONE,), Rollout(TWO, plan, "salt", place, since, author="kim"))
    routes = ProductRoutes({STABLE: state}, {} if pin is None else {str(asker): pin})
    known = {tenant: about}
    present = resolve_tenant(routes, tenant, asker.environment, now=NOW, known=known)
    assume(present.build != TWO)
    turns = turns_ahead(routes, STABLE, asker, present, NOW, known)
    predicted = [turn.at for turn in turns if turn.build == TWO and turn.at is not None]
    assert min(predicted, default=None) == first_time(routes, asker, known)
    acts = acts_of(routes, STABLE, asker, present, turns, NOW, known)
    assert all(act.build != present.build for act in acts)


def turn_of(routes: ProductRoutes, asker: PinKey = ACME) -> object:
    present = resolve_tenant(routes, asker.tenant, asker.environment, now=NOW, known={})
    (turn,) = turns_ahead(routes, STABLE, asker, present, NOW, {})
    return turn.kind, turn.build, turn.at, turn.stage, turn.waits_at


def test_a_stage_that_a_person_must_end_has_no_time() -> None:
    assert turn_of(rolling("staging@3m,canary@1h,100")) == (TurnKind.REACHED, TWO, 400 + 180 + 3600, "100%", None)
    assert turn_of(rolling("staging@3m,canary,100")) == (TurnKind.REACHED, TWO, None, "100%", "canary")
    paused = rolling("staging@3m,canary@1h,100", progress=Progress.PAUSED)
    assert turn_of(paused) == (TurnKind.REACHED, TWO, None, "100%", "staging")


def test_an_opt_in_that_ends_before_the_rollout_leaves_staging_speeds_nothing_up() -> None:
    """Else the canary would reach it, at 580."""
    opted_in = Pin(None, "sam", "", expires_at=550)
    routes = msgspec.structs.replace(rolling("staging@3m,canary@1h,100"), pins={str(ACME): opted_in})
    present = resolve_tenant(routes, ACME.tenant, now=NOW, known={})
    turns = turns_ahead(routes, STABLE, ACME, present, NOW, {})
    assert [(turn.kind, turn.build, turn.at) for turn in turns] == [
        (TurnKind.PIN_ENDS, ONE, 550),
        (TurnKind.REACHED, TWO, 400 + 180 + 3600),
    ]


def test_who_is_pinned_is_reached_no_sooner_than_the_pin_ends() -> None:
    pin = {str(ACME): Pin(Range(ONE), "sam", "", expires_at=20_000)}
    for place, expected in (
        (0, [(TurnKind.PIN_ENDS, ONE, 20_000), (TurnKind.REACHED, TWO, 20_000)]),
        (2, [(TurnKind.PIN_ENDS, TWO, 20_000)]),
    ):
        routes = msgspec.structs.replace(rolling("staging@3m,canary@1h,100", place), pins=pin)
        present = resolve_tenant(routes, ACME.tenant, now=NOW, known={})
        turns = turns_ahead(routes, STABLE, ACME, present, NOW, {})
        assert [(turn.kind, turn.build, turn.at) for turn in turns] == expected


def test_a_range_moves_once_the_candidate_is_released() -> None:
    routes = msgspec.structs.replace(
        rolling("staging@3m,canary@0s,100@1h"), pins={str(ACME): Pin(Range("^1"), "sam", "", None)}
    )
    assert turn_of(routes) == (TurnKind.RELEASED_IN_RANGE, TWO, 400 + 180 + 3600, "done", None)


def test_what_a_person_could_do_is_what_changes_the_answer() -> None:
    routes = rolling("staging,canary,100", progress=Progress.PAUSED)
    present = resolve_tenant(routes, ACME.tenant, now=NOW, known={})
    turns = turns_ahead(routes, STABLE, ACME, present, NOW, {})
    assert [(act.kind, act.build, act.name) for act in acts_of(routes, STABLE, ACME, present, turns, NOW, {})] == [
        (ActKind.PIN, TWO, TWO),
        (ActKind.RESUME_AND_PROMOTE, TWO, "100%"),
    ]
    done = ProductRoutes({STABLE: ChannelState((ONE, TWO))})
    present = resolve_tenant(done, ACME.tenant, now=NOW, known={})
    acts = acts_of(done, STABLE, ACME, present, [], NOW, {})
    assert [(act.kind, act.build) for act in acts] == [(ActKind.ROLLBACK, ONE)]

"""Resolution: block > pin > rollout cohort > stable."""

import cProfile
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bundles.core.version import Range, Version
from release.core.commands import Rollback
from release.core.names import PRODUCTION, STABLE, STAGING, Channel, Environment, Tenant
from release.core.plan import Plan, StageKind, parse_plan
from release.core.resolve import Passed, Reason, first_reached, resolve_channel, resolve_range, resolve_tenant
from release.core.routing import Block, ChannelState, Pin, PinKey, ProductRoutes, Rollout, Scheduled
from release.core.transition import Circumstances, transition
from tests.release.strategies import VERSIONS, abouts, pins, plans, tenants, versions

ONE, TWO = Version("1.0.0"), Version("1.1.0")
ACME = Tenant("acme")


def rolling(plan: Plan, stage_index: int, salt: str = "salt") -> ChannelState:
    return ChannelState((ONE,), Rollout(TWO, plan, salt, stage_index, stage_since=100))


def routes(channel: ChannelState, **more: object) -> ProductRoutes:
    return ProductRoutes(channels={STABLE: channel}, **more)  # type: ignore[arg-type]


def pinned(target: str, expires_at: int | None = None, environment: str = "production") -> dict[str, Pin]:
    return {f"acme~{environment}": Pin(Range(target), "sam", "tested", expires_at)}


def blocks(*blocked: Version) -> dict[Version, Block]:
    return {version: Block("sam", "leaks") for version in blocked}


@given(plans(), tenants, st.data())
def test_raising_a_percentage_never_moves_a_tenant_out(plan: Plan, tenant: Tenant, data: st.DataObject) -> None:
    environment = data.draw(st.sampled_from([Environment("production"), STAGING, Environment("dev")]))
    about = data.draw(abouts)
    reached = False
    for stage_index in range(len(plan.stages)):
        resolution = resolve_tenant(
            routes(rolling(plan, stage_index)), tenant, environment, now=0, known={tenant: about}
        )
        assert not reached or resolution.build == TWO
        reached = resolution.build == TWO
    assert reached or plan.targeting.holds_back(tenant, about, len(plan.stages) - 1)


@pytest.mark.parametrize("percent", ["1", "5", "25", "50"])
def test_the_share_of_tenants_on_the_candidate_is_within_sampling_error(percent: str) -> None:
    table = routes(rolling(parse_plan(f"{percent},100", [], None), 0))
    count, share = 20_000, float(percent) / 100
    got = sum(resolve_tenant(table, Tenant(f"tenant{n}"), now=0, known={}).build == TWO for n in range(count))
    assert abs(got - count * share) < 4 * math.sqrt(count * share * (1 - share))


@given(plans(), tenants, versions, st.data())
def test_an_exact_pin_always_wins_over_a_cohort(
    plan: Plan, tenant: Tenant, target: Version, data: st.DataObject
) -> None:
    stage_index = data.draw(st.integers(0, len(plan.stages) - 1))
    pin = {f"{tenant}~production": Pin(Range(target), "sam", "")}
    resolution = resolve_tenant(routes(rolling(plan, stage_index), pins=pin), tenant, now=0, known={})
    assert (resolution.build, resolution.reason) == (target, Reason.PIN)


@given(plans(), pins, st.sets(versions), st.lists(versions, unique=True), st.integers(0, 3_000), st.data())
def test_nobody_ever_gets_a_blocked_build(
    plan: Plan, pin: Pin, blocked: set[Version], history: list[Version], now: int, data: st.DataObject
) -> None:
    stage_index = data.draw(st.integers(0, len(plan.stages) - 1))
    candidate = data.draw(versions)
    channel = ChannelState(tuple(history), Rollout(candidate, plan, "salt", stage_index, 0))
    table = routes(channel, pins={"acme~production": pin}, blocks=blocks(*blocked))
    for environment in (Environment("production"), STAGING):
        assert resolve_tenant(table, ACME, environment, now=now, known={}).build not in blocked
    assert resolve_channel(table, STABLE).build not in blocked
    assert resolve_range(table, Range("*")).build not in blocked


def test_a_block_is_over_a_pin_and_the_answer_says_so() -> None:
    table = routes(ChannelState((ONE,)), pins=pinned("1.1.0"), blocks=blocks(TWO))
    resolution = resolve_tenant(table, ACME, now=0, known={})
    assert (resolution.build, resolution.reason) == (ONE, Reason.STABLE)
    assert resolution.passed == (Passed.PIN_BLOCKED,)


def test_an_expired_pin_falls_through_and_says_so() -> None:
    table = routes(ChannelState((ONE,)), pins=pinned("1.1.0", expires_at=500))
    assert resolve_tenant(table, ACME, now=499, known={}).build == TWO
    assert resolve_tenant(table, ACME, now=499, known={}).next_change == 500
    expired = resolve_tenant(table, ACME, now=500, known={})
    assert (expired.build, expired.passed) == (ONE, (Passed.PIN_EXPIRED,))


def test_an_unsatisfiable_pin_falls_through_and_says_so() -> None:
    resolution = resolve_tenant(routes(ChannelState((ONE,)), pins=pinned("^9")), ACME, now=0, known={})
    assert (resolution.build, resolution.passed) == (ONE, (Passed.PIN_UNSATISFIABLE,))


def test_a_pin_holds_in_its_own_environment_only() -> None:
    table = routes(ChannelState((ONE,)), pins=pinned("1.1.0", environment="staging"))
    assert resolve_tenant(table, ACME, STAGING, now=0, known={}).build == TWO
    assert resolve_tenant(table, ACME, now=0, known={}).build == ONE


def test_a_range_takes_the_newest_released_build_and_never_a_candidate() -> None:
    table = routes(ChannelState(VERSIONS[:3], Rollout(VERSIONS[5], parse_plan("100", [], None), "s", 0, 0)))
    assert resolve_range(table, Range("^1.0")).build == VERSIONS[2]
    assert resolve_range(table, Range("~1.1")).build == VERSIONS[1]
    assert resolve_range(table, Range("^2")).build is None
    range_pin = ProductRoutes(table.channels, pinned("^1.0"))
    assert resolve_tenant(range_pin, ACME, now=0, known={}).build == VERSIONS[2]


def test_a_range_never_reaches_into_a_preview_channel() -> None:
    table = ProductRoutes(
        {
            STABLE: ChannelState((ONE,)),
            Channel("next"): ChannelState((Version("1.9.0"),)),
            Channel("2"): ChannelState((Version("2.0.0"),)),
        }
    )
    assert resolve_range(table, Range("^1")).build == ONE
    assert resolve_range(table, Range(">=1")).build == "2.0.0"


def test_a_rolled_back_build_is_gone_from_ranges() -> None:
    done = ChannelState((ONE, TWO))
    assert resolve_range(routes(done), Range("^1")).build == TWO
    assert resolve_range(routes(transition(done, Rollback(), Circumstances(0))), Range("^1")).build == ONE


def test_staging_environments_see_the_candidate_first_and_production_does_not() -> None:
    table = routes(rolling(parse_plan("staging,100", [], None), 0))
    assert resolve_tenant(table, ACME, STAGING, now=0, known={}).reason is Reason.STAGING
    for n in range(200):
        assert resolve_tenant(table, Tenant(f"t{n}"), now=0, known={}).build == ONE


def test_only_named_canary_tenants_see_the_candidate_at_canary() -> None:
    table = routes(rolling(parse_plan("canary,100", ["acme"], None), 0))
    assert resolve_tenant(table, ACME, now=0, known={}).reason is Reason.CANARY
    for n in range(200):
        assert resolve_tenant(table, Tenant(f"t{n}"), now=0, known={}).build == ONE


def test_who_names_no_tenant_gets_the_stable_build_until_the_rollout_is_done() -> None:
    table = routes(rolling(parse_plan("100", [], None), 0))
    assert resolve_channel(table, STABLE).build == ONE


def test_a_blocked_stable_build_gives_way_to_the_one_before_it() -> None:
    table = routes(ChannelState((ONE, TWO)), blocks=blocks(TWO))
    resolution = resolve_tenant(table, ACME, now=0, known={})
    assert (resolution.build, resolution.reason) == (ONE, Reason.EARLIER_STABLE)
    assert resolution.passed == (Passed.STABLE_BLOCKED,)


def test_nothing_is_released_where_nothing_was_rolled_out() -> None:
    assert resolve_tenant(ProductRoutes(), ACME, now=0, known={}).reason is Reason.NOTHING


def test_the_next_change_is_when_the_stage_has_baked() -> None:
    table = routes(rolling(parse_plan("5,100", [], "10m"), 0))
    assert resolve_tenant(table, ACME, now=0, known={}).next_change == 700


def test_the_next_change_is_when_a_scheduled_rollout_is_to_begin() -> None:
    waiting = ChannelState(
        (ONE,), scheduled=Scheduled(TWO, parse_plan("staging,100", [], None), "salt", 700, "sam")
    )
    table = routes(waiting)
    assert resolve_tenant(table, ACME, now=699, known={}).next_change == 700
    assert resolve_tenant(table, ACME, now=700, known={}).next_change is None


def test_many_pins_on_few_ranges_are_resolved_at_the_cost_of_few() -> None:
    """What a range admits is looked for once in a table; each pin after that is a look-up."""
    history = tuple(Version(f"1.{minor}.{patch}") for minor in range(20) for patch in range(50))
    table = routes(
        ChannelState(history), pins={f"t{n}~production": Pin(Range("~1.0"), "", "") for n in range(500)}
    )
    first, rest = _calls(table, range(1)), _calls(table, range(1, 500))
    assert rest / 499 < first / 50


def _calls(table: ProductRoutes, numbers: range) -> int:
    """How many functions are called to resolve these tenants."""
    profile = cProfile.Profile()
    profile.enable()
    for number in numbers:
        assert resolve_tenant(table, Tenant(f"t{number}"), now=0, known={}).build == "1.0.49"
    profile.disable()
    return sum(entry.callcount for entry in profile.getstats())


def opted_in(expires_at: int | None = None) -> dict[str, Pin]:
    return {"acme~production": Pin(None, "sam", "", expires_at)}


@given(plans(), st.integers(0, 3_000), st.none() | st.integers(1, 2_000), st.data())
def test_who_opted_in_gets_the_candidate_once_it_has_left_staging(
    plan: Plan, now: int, expires_at: int | None, data: st.DataObject
) -> None:
    stage_index = data.draw(st.integers(0, len(plan.stages) - 1))
    table = routes(rolling(plan, stage_index), pins=opted_in(expires_at))
    without = routes(rolling(plan, stage_index))
    has_left = plan.stages[stage_index].kind is not StageKind.STAGING
    holds = expires_at is None or now < expires_at
    build = resolve_tenant(table, ACME, now=now, known={}).build
    assert build == (TWO if has_left and holds else resolve_tenant(without, ACME, now=now, known={}).build)


def test_an_opt_in_ends_and_says_so() -> None:
    table = routes(rolling(parse_plan("canary,100", ["zeta"], "10m"), 0), pins=opted_in(500))
    early = resolve_tenant(table, ACME, now=100, known={})
    assert (early.build, early.reason, early.next_change) == (TWO, Reason.OPT_IN, 500)
    late = resolve_tenant(table, ACME, now=500, known={})
    assert (late.build, late.passed, late.next_change) == (ONE, (Passed.PIN_EXPIRED,), 700)
    assert resolve_tenant(table, ACME, now=700, known={}).next_change is None


def test_who_opted_in_gets_the_stable_build_where_no_rollout_is_live_or_its_candidate_is_blocked() -> None:
    idle = routes(ChannelState((ONE,)), pins=opted_in())
    assert resolve_tenant(idle, ACME, now=0, known={}).reason is Reason.STABLE
    table = routes(rolling(parse_plan("5,100", [], None), 0), pins=opted_in(), blocks=blocks(TWO))
    resolution = resolve_tenant(table, ACME, now=0, known={})
    assert (resolution.build, resolution.passed) == (ONE, (Passed.CANDIDATE_BLOCKED,))


@given(plans(), pins, tenants, st.integers(0, 3_000), st.data())
def test_an_answer_holds_until_it_says(
    plan: Plan, pin: Pin, tenant: Tenant, now: int, data: st.DataObject
) -> None:
    stage_index = data.draw(st.integers(0, len(plan.stages) - 1))
    table = routes(rolling(plan, stage_index), pins={f"{tenant}~production": pin})
    first = resolve_tenant(table, tenant, now=now, known={})
    end = 10_000 if first.next_change is None else first.next_change - 1
    assert now <= end
    later = data.draw(st.integers(now, max(end, now)))
    assert resolve_tenant(table, tenant, now=later, known={}).build == first.build


FIRST, LAST = ["tier=free,trial"], ["tier=enterprise@100", "slow@done"]
TIERS = parse_plan("staging,canary,50,100", ["zeta"], None, first=FIRST, last=LAST)


@pytest.mark.parametrize(
    ("tenant", "about", "reached_at"),
    [
        ("zeta", {}, "canary"),
        ("zeta", {"tier": "enterprise"}, "canary"),
        ("t1", {"tier": "trial"}, "canary"),
        ("t1", {"tier": "enterprise"}, "100%"),
        ("t1", {"tier": "enterprise", "region": "eu"}, "100%"),
        ("slow", {"tier": "free"}, "done"),
        ("slow", {}, "done"),
    ],
)
def test_some_are_reached_first_and_some_last(tenant: str, about: dict[str, str], reached_at: str) -> None:
    place = first_reached(
        ProductRoutes(), TIERS, "s", PinKey(Tenant(tenant), PRODUCTION), {Tenant(tenant): about}, 0
    )
    assert place is not None
    assert TIERS.stage_names[place] == reached_at


def test_who_is_held_back_is_told_so() -> None:
    plan = parse_plan("99.99,100", [], None, last=["acme"])
    held = resolve_tenant(routes(rolling(plan, 0)), ACME, now=0, known={})
    assert (held.build, held.passed) == (ONE, (Passed.HELD_BACK,))
    assert resolve_tenant(routes(rolling(plan, 1)), ACME, now=0, known={}).build == TWO
    assert resolve_tenant(routes(rolling(plan, 0)), ACME, STAGING, now=0, known={}).build == TWO
    opted = routes(rolling(plan, 0), pins=opted_in())
    assert resolve_tenant(opted, ACME, now=0, known={}).reason is Reason.OPT_IN


@given(plans(), tenants, abouts, st.none() | pins)
def test_a_tenants_place_is_foretold(plan: Plan, tenant: Tenant, about: dict[str, str], pin: Pin | None) -> None:
    held = {} if pin is None else {f"{tenant}~production": pin}
    foretold = first_reached(
        routes(ChannelState((ONE,)), pins=held), plan, "salt", key(tenant), {tenant: about}, 0
    )
    walked = [
        resolve_tenant(routes(rolling(plan, place), pins=held), tenant, now=0, known={tenant: about}).reason
        for place in range(len(plan.stages))
    ]
    candidates = [place for place, reason in enumerate(walked) if reason not in (Reason.PIN, Reason.STABLE)]
    if foretold is None:
        assert set(walked) == {Reason.PIN}
    else:
        assert foretold == next(iter(candidates), len(plan.stages))
        assert candidates == list(range(foretold, len(plan.stages)))


def key(tenant: Tenant) -> PinKey:
    return PinKey(tenant, PRODUCTION)

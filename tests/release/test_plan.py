"""Plans as release engineers write them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bundles.core.errors import Invalid
from release.core.plan import DEFAULT_STAGES, StageKind, parse_duration, parse_plan


def test_the_default_plan_walks_staging_canary_and_growing_cohorts() -> None:
    plan = parse_plan(DEFAULT_STAGES, [], None)
    assert [str(stage) for stage in plan.stages] == ["staging", "canary", "5%", "25%", "50%", "100%"]
    assert [stage.share for stage in plan.stages] == [0, 100, 500, 2500, 5000, 10_000]
    assert all(stage.bake_seconds is None for stage in plan.stages)


def test_named_canary_tenants_take_the_place_of_the_one_percent() -> None:
    plan = parse_plan("canary,100", ["acme", "globex", "acme"], None)
    assert plan.canary_tenants == ("acme", "globex")
    assert plan.stages[0].share == 0


def test_a_stage_may_have_a_bake_time_of_its_own() -> None:
    plan = parse_plan("staging@30s, 10@2h, 100", [], "10m")
    assert [stage.bake_seconds for stage in plan.stages] == [30, 7200, 600]


@pytest.mark.parametrize(
    ("stages", "fault"),
    [
        ("", "percentage"),
        ("5,25", "last stage must be 100"),
        ("staging", "last stage must be 100"),
        ("25,5,100", "must grow"),
        ("5,5,100", "must grow"),
        ("0.5,canary,100", "staging, then canary"),
        ("canary,staging,100", "staging, then canary"),
        ("staging,staging,100", "at most once"),
        ("canary,0.5,100", "must grow"),
        ("5@tomorrow,100", "duration"),
        ("canary:2,1,100", "must grow"),
        ("canary:x,100", "percentage"),
        ("staging:2,100", "percentage"),
        ("101", "percentage"),
        ("staging,wat,100", "percentage"),
        (",".join(["staging", *map(str, range(1, 34)), "100"]), "1 to 32 stages"),
    ],
)
def test_a_plan_that_would_move_tenants_out_or_jump_is_refused(stages: str, fault: str) -> None:
    with pytest.raises(Invalid, match=fault):
        parse_plan(stages, [], None)


def test_canary_tenants_without_a_canary_stage_are_refused() -> None:
    with pytest.raises(Invalid, match="no canary stage"):
        parse_plan("staging,100", ["acme"], None)


@given(st.integers(0, 90), st.sampled_from("smhd"))
def test_durations(number: int, unit: str) -> None:
    assert parse_duration(f"{number}{unit}") == number * {"s": 1, "m": 60, "h": 3600, "d": 86_400}[unit]


def test_a_bake_time_of_years_is_refused() -> None:
    with pytest.raises(Invalid, match="bake time"):
        parse_plan("100@91d", [], None)


def test_canary_comes_before_cohorts_in_rank() -> None:
    assert list(StageKind) == [StageKind.STAGING, StageKind.CANARY, StageKind.COHORT]


def test_a_canary_may_be_a_percentage_beside_the_tenants_named() -> None:
    assert parse_plan("canary:2,100", [], None).stages[0].share == 200
    named = parse_plan("canary:0.5,100", ["acme"], None)
    assert (named.stages[0].share, named.canary_tenants) == (50, ("acme",))


def test_who_is_first_is_the_canary_and_who_is_last_waits_for_a_stage() -> None:
    plan = parse_plan(
        "canary,5,100", [], None, first=["tier=free,trial"], last=["region=us@done", "acme@5", "zeta"]
    )
    assert plan.stages[0].share == 0
    assert [str(condition) for condition in plan.targeting.first] == ["tier=free,trial"]
    assert [(str(held.condition), held.until) for held in plan.targeting.last] == [("region=us", 3)]
    assert plan.targeting.held_tenants == {"acme": 1, "zeta": 2}


@pytest.mark.parametrize(
    ("canary", "first", "last", "fault"),
    [
        ([], ["free"], [], "write attribute=value"),
        ([], ["Tier=free"], [], "'Tier' is not an attribute"),
        ([], ["tier=free,"], [], "'' is not an attribute's value"),
        ([], [], ["tier=free@7"], "has no stage '7'"),
        ([], [], ["tier=free@staging"], "until a stage after the first"),
        ([], [], ["-acme"], "is not a tenant id"),
        (["acme"], [], ["acme@done"], "acme is a canary tenant: it can't be held back too"),
        ([], ["tier=free"] * 33, [], "at most 32 conditions"),
        ([], [f"tier={','.join(f'v{n}' for n in range(33))}"], [], "1 to 32 values"),
        ([], [], [f"t{n}@done" for n in range(1_001)], "at most 1000 tenants by name"),
    ],
)
def test_targeting_that_makes_no_sense_is_invalid(
    canary: list[str], first: list[str], last: list[str], fault: str
) -> None:
    with pytest.raises(Invalid, match=fault):
        parse_plan("staging,canary,100", canary, None, first=first, last=last)

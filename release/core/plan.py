"""Plans: the stages that a rollout walks, as `staging,canary,5,25,50,100`."""

import re
from collections.abc import Sequence
from enum import StrEnum
from functools import cached_property
from itertools import pairwise

import msgspec

from bundles.core.errors import Invalid
from release.core.bucket import WHOLE, BasisPoints, format_share, parse_share
from release.core.names import Tenant, parse_tenant
from release.core.smoke import AnySmokeTest, check_tests
from release.core.targeting import Held, Targeting, parse_condition

DONE = "done"
DEFAULT_STAGES = "staging,canary,5,25,50,100"
DEFAULT_CANARY = BasisPoints(100)
MAX_STAGES = 32
MAX_CANARY_TENANTS = 1_000
MAX_BAKE_SECONDS = 90 * 24 * 3600

_DURATION = re.compile(r"(\d{1,7})(s|m|h|d)")
_UNIT_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86_400}


class StageKind(StrEnum):
    """Who sees the candidate: staging environments, canary tenants, or a share of all tenants."""

    STAGING = "staging"
    CANARY = "canary"
    COHORT = "cohort"


class Stage(msgspec.Struct, frozen=True, omit_defaults=True):
    """One step of a rollout. Each stage keeps all that the stages before it reached.

    `share` is of all tenants, by bucket. A stage with `bake_seconds` is promoted by the controller once that
    has passed; one without waits for a person.
    """

    kind: StageKind
    share: BasisPoints
    bake_seconds: int | None = None

    def __post_init__(self) -> None:
        if not 0 <= self.share <= WHOLE or (self.kind is StageKind.STAGING and self.share):
            raise Invalid(f"a {self.kind} stage can't have a share of {self.share} basis points")
        if self.bake_seconds is not None and not 0 <= self.bake_seconds <= MAX_BAKE_SECONDS:
            raise Invalid(f"a bake time is 0 to {MAX_BAKE_SECONDS} seconds, not {self.bake_seconds}")

    def __str__(self) -> str:
        return format_share(self.share) if self.kind is StageKind.COHORT else str(self.kind)


class Plan(msgspec.Struct, frozen=True, omit_defaults=True, dict=True):
    """A rollout's stages, in order, whom it reaches first and last, and what must pass in staging."""

    stages: tuple[Stage, ...]
    canary_tenants: tuple[Tenant, ...] = ()
    smoke_tests: tuple[AnySmokeTest, ...] = ()
    targeting: Targeting = Targeting()

    def __post_init__(self) -> None:
        _check_stages(self.stages)
        kinds = {stage.kind for stage in self.stages}
        if len(self.canary_tenants) > MAX_CANARY_TENANTS:
            raise Invalid(f"a canary names at most {MAX_CANARY_TENANTS} tenants, not {len(self.canary_tenants)}")
        for tenant in self.canary_tenants:
            parse_tenant(tenant)
        if self.canary_tenants and StageKind.CANARY not in kinds:
            raise Invalid("canary tenants are named, but the plan has no canary stage")
        check_tests(self.smoke_tests)
        if self.smoke_tests and StageKind.STAGING not in kinds:
            raise Invalid("smoke tests are named, but the plan has no staging stage for them to pass in")
        if any(not 0 < place <= len(self.stages) for place in self.targeting.places):
            raise Invalid("tenants are held back until a stage after the first, or until done")
        for tenant in self.canary.intersection(self.targeting.held_tenants):
            raise Invalid(f"{tenant} is a canary tenant: it can't be held back too")

    @cached_property
    def canary(self) -> frozenset[Tenant]:
        """The canary tenants, to look one up."""
        return frozenset(self.canary_tenants)

    @property
    def stage_names(self) -> list[str]:
        """The stages' names in order, and `done`."""
        return [*(str(stage) for stage in self.stages), DONE]

    def place_of(self, name: str) -> int:
        """The place of a stage by its name, as in `canary`, `25` or `25%`; that of `done` is one past the last."""
        names = self.stage_names
        wanted = name if name in names else f"{name}%"
        if wanted not in names:
            raise Invalid(f"the plan has no stage {name!r}; its stages are {', '.join(names)}")
        return names.index(wanted)


def _check_stages(stages: Sequence[Stage]) -> None:
    if not 1 <= len(stages) <= MAX_STAGES:
        raise Invalid(f"a plan has 1 to {MAX_STAGES} stages, not {len(stages)}")
    kinds = [stage.kind for stage in stages]
    order = list(StageKind)
    if kinds != sorted(kinds, key=order.index) or any(kinds.count(kind) > 1 for kind in order[:2]):
        raise Invalid("a plan's stages come as staging, then canary, then percentages; the first two at most once")
    if any(later.share <= earlier.share for earlier, later in pairwise(stages) if later.share):
        raise Invalid("a plan's percentages must grow from stage to stage, so that no tenant is moved out")
    if stages[-1].share != WHOLE:
        raise Invalid("a plan's last stage must be 100: no tenant gets a build that was not rolled out to it")


def parse_plan(
    stages: str,
    canary_tenants: Sequence[str],
    bake: str | None,
    smoke_tests: tuple[AnySmokeTest, ...] = (),
    first: Sequence[str] = (),
    last: Sequence[str] = (),
) -> Plan:
    """A plan from its text: comma-separated `staging`, `canary` and percentages, each with `@DURATION` for a
    bake time of its own; `bake` is that of all others. A canary is the tenants that are named or `first`, with
    `canary:2` a percentage by bucket too, or else 1%.

    `first` are conditions; `last` are conditions or tenants, each with `@STAGE` for the stage that they are held
    back until, else the last one.
    """
    tenants = tuple(dict.fromkeys(parse_tenant(text) for text in canary_tenants))
    canary_share = BasisPoints(0) if tenants or first else DEFAULT_CANARY
    parsed = tuple(_parse_stage(text.strip(), canary_share, bake) for text in stages.split(","))
    plan = Plan(parsed, tenants, smoke_tests)
    targeting = Targeting(tuple(parse_condition(text) for text in first), *_parse_last(plan, last))
    return Plan(parsed, tenants, smoke_tests, targeting)


def _parse_last(plan: Plan, texts: Sequence[str]) -> tuple[tuple[Held, ...], dict[Tenant, int]]:
    held, tenants = [], {}
    for text in texts:
        who, _, stage = text.partition("@")
        until = plan.place_of(stage) if stage else len(plan.stages) - 1
        if "=" in who:
            held.append(Held(parse_condition(who), until))
        else:
            tenants[parse_tenant(who)] = until
    return tuple(held), tenants


def _parse_stage(text: str, canary_share: BasisPoints, bake: str | None) -> Stage:
    name, _, own_bake = text.partition("@")
    kind, _, percentage = name.partition(":")
    duration = own_bake or bake
    seconds = None if duration is None else parse_duration(duration)
    match kind:
        case "staging" if not percentage:
            return Stage(StageKind.STAGING, BasisPoints(0), seconds)
        case "canary":
            share = parse_share(percentage) if percentage else canary_share
            return Stage(StageKind.CANARY, share, seconds)
        case _:
            return Stage(StageKind.COHORT, parse_share(name), seconds)


def parse_duration(text: str) -> int:
    """Seconds, from `30s`, `10m`, `4h` or `2d`."""
    match = _DURATION.fullmatch(text)
    if match is None:
        raise Invalid(f"{text!r} is not a duration: write a number and s, m, h or d, as in 10m")
    return int(match[1]) * _UNIT_SECONDS[match[2]]

"""Plans of rollouts, read from the texts that a release engineer writes (docs/rollouts.md)."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86_400}
DEFAULT_STAGES = "staging,canary,5,25,50,100"


@dataclass(frozen=True)
class Stage:
    """`share` is in percent; `bake` in seconds."""

    name: str
    kind: str
    share: float
    bake: int | None


@dataclass(frozen=True)
class Plan:
    """`first` are conditions, as in `tier=free,trial`; `held` are conditions or tenants, each with a place."""

    stages: tuple[Stage, ...]
    canary: tuple[str, ...]
    first: tuple[str, ...]
    held: tuple[tuple[str, int], ...]
    tests: tuple[str, ...]

    @property
    def names(self) -> list[str]:
        """The stages' names, and `done`."""
        return [*(stage.name for stage in self.stages), "done"]


@dataclass(frozen=True)
class Asked:
    """What a rollout's author says of its plan; None and () leave it to the policy."""

    stages: str | None = None
    bake: str | None = None
    canary: tuple[str, ...] = ()
    first: tuple[str, ...] = ()
    last: tuple[str, ...] = ()
    smoke: tuple[str, ...] = ()


def by_policy(asked: Asked, rule: Mapping[str, Any]) -> Asked:
    """The same, where the policy's rule decides what was left open; smoke tests are added to those of the rule."""
    return replace(
        asked,
        stages=asked.stages or rule.get("stages", DEFAULT_STAGES),
        bake=asked.bake or rule.get("bake"),
        canary=asked.canary or tuple(rule.get("canary", ())),
        first=asked.first or tuple(rule.get("first", ())),
        last=asked.last or tuple(rule.get("last", ())),
        smoke=(*rule.get("smoke_command", ()), *asked.smoke),
    )


def read_plan(asked: Asked) -> Plan | None:
    """The plan, or None where it makes no sense."""
    texts = str(asked.stages).split(",")
    stages = tuple(_stage(text, asked) for text in texts)
    kinds = [stage.kind for stage in stages]
    plan = Plan(stages, asked.canary, asked.first, (), tuple(_test_names(asked.smoke)))
    held = []
    for text in asked.last:
        who, _, until = text.partition("@")
        if until and place_of(plan, until) is None:
            return None
        place = place_of(plan, until) if until else len(stages) - 1
        if not place:
            return None  # nobody has the candidate before the first stage
        held.append((who, place))
    if (plan.canary and "canary" not in kinds) or (plan.tests and "staging" not in kinds):
        return None
    if any(who in plan.canary for who, _ in held):
        return None
    return replace(plan, held=tuple(held))


def place_of(plan: Plan, name: str) -> int | None:
    """Where the stage is in the plan: `25` and `25%` are the same, `done` is behind the last one."""
    for place, known in enumerate(plan.names):
        if name in (known, known.removesuffix("%")):
            return place
    return None


def seconds(duration: str) -> int:
    """Of `10m` or `2d`."""
    return int(duration[:-1]) * SECONDS[duration[-1]]


def satisfies(condition: str, about: Mapping[str, str]) -> bool:
    """True for a tenant whose attribute has one of the values."""
    name, _, values = condition.partition("=")
    return about.get(name) in values.split(",")


def _stage(text: str, asked: Asked) -> Stage:
    name, _, bake = text.partition("@")
    kind, _, share = name.partition(":")
    bakes = bake or asked.bake
    wait = seconds(bakes) if bakes else None
    if kind == "staging":
        return Stage("staging", "staging", 0, wait)
    if kind == "canary":
        named = asked.canary or asked.first
        return Stage("canary", "canary", float(share) if share else 0 if named else 1, wait)
    return Stage(f"{name}%", "cohort", float(name), wait)


def _test_names(commands: Sequence[str]) -> list[str]:
    return ["command" if place == 0 else f"command-{place + 1}" for place in range(len(commands))]


def numbers(version: str) -> tuple[int, ...]:
    """MAJOR, MINOR and PATCH."""
    return tuple(int(number) for number in re.split("[.-]", version)[:3])

"""The options of `headrace rollout start` that say how it goes, and what they come to."""

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import msgspec
import typer

from bundles.core.names import Product
from headrace.policy_file import read_policy_file
from headrace.smoke_options import SmokeGiven
from release.change import Control
from release.core.names import Channel
from release.core.policy import RolloutRule, first_for
from release.policies import read_policy

StagesOption = Annotated[
    str | None,
    typer.Option("--stages", help="staging, canary and percentages; each may have its own bake time: 25@2h."),
]
CanaryOption = Annotated[
    list[str] | None,
    typer.Option("--canary", help="A canary tenant; may be repeated. Without any, the canary is 1% of all."),
]
BakeOption = Annotated[
    str | None,
    typer.Option("--bake", help="Bake time of each stage, as in 30m; the controller promotes after it."),
]
FirstOption = Annotated[
    list[str] | None,
    typer.Option("--first", metavar="ATTRIBUTE=VALUE", help="Tenants to reach with the canary; may be repeated."),
]
LastOption = Annotated[
    list[str] | None,
    typer.Option(
        "--last",
        metavar="ATTRIBUTE=VALUE|TENANT[@STAGE]",
        help="Tenants to hold back until a stage, else the last: tier=enterprise@done; may be repeated.",
    ),
]
PolicyOption = Annotated[
    Path | None,
    typer.Option("--policy", metavar="FILE", help="Take the rollout's rules from this file, not those in force."),
]


class Given(msgspec.Struct, frozen=True):
    """What the options say."""

    stages: str | None
    bake: str | None
    canary: Sequence[str]
    first: Sequence[str]
    last: Sequence[str]
    policy: Path | None
    smoke: SmokeGiven


async def rule_of(given: Given, control: Control, product: Product, channel: Channel) -> RolloutRule:
    """How the rollout goes: as the options have it, else as the policy has it. Raises `Invalid`."""
    policy = (
        await read_policy(control) if given.policy is None else read_policy_file(given.policy, control.clock.now())
    )
    rule = first_for(policy.rollout, product, channel) or RolloutRule()
    named = {
        "stages": given.stages,
        "bake": given.bake,
        "canary": tuple(given.canary),
        "first": tuple(given.first),
        "last": tuple(given.last),
    }
    ruled = msgspec.structs.replace(rule, **{name: value for name, value in named.items() if value})
    return given.smoke.added_to(ruled)

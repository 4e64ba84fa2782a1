"""The options of `headrace rollout start` that say how it goes."""

from pathlib import Path
from typing import Annotated

import typer

from bundles.core.names import parse_product
from headrace import policy_file
from release.adapters.system_clock import SystemClock
from release.core.names import parse_channel
from release.core.policy import RolloutRule, first_for

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


def rule_in(file: Path, product: str, channel: str) -> RolloutRule:
    """How the file's rules have a rollout on this channel go. Raises `Invalid`."""
    policy = policy_file.read_policy_file(file, SystemClock().now())
    return first_for(policy.rollout, parse_product(product), parse_channel(channel)) or RolloutRule()

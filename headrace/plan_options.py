"""The options of `headrace rollout start` that say how it goes."""

from pathlib import Path
from typing import Annotated

import typer

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

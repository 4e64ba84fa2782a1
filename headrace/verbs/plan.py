"""`headrace plan`."""

from typing import TYPE_CHECKING, Annotated

import typer

from bundles.core.errors import Invalid
from headrace.asking import previewing
from headrace.options import AsJson, TenantsOption, example
from headrace.terminal import show

if TYPE_CHECKING:
    from rich.console import Console

    from api.views.plan import PlanView

app = typer.Typer(add_completion=False)

_CHANGES = (
    *(f"rollout {verb}" for verb in ("start", "promote", "pause", "resume", "abort")),
    "rollback",
    *(f"{thing} {verb}" for thing in ("pin", "block", "tenant") for verb in ("set", "clear")),
    "tenant import",
)
_NAMES_SHOWN = 20


@app.command(
    epilog=example("headrace plan --tenants tenants.txt rollout promote posthog-js --to 25"),
    context_settings={"ignore_unknown_options": True, "allow_interspersed_args": False},
)
def plan(
    context: typer.Context,
    change: Annotated[
        list[str], typer.Argument(metavar="VERB…", help="The change, as it would be typed after `headrace`.")
    ],
    tenants: TenantsOption = None,
    as_json: AsJson = False,
) -> None:
    """Say which tenants a change would move, by count and by name, without making it.

    The change is tried, with all its rules, in a transaction that is not committed. Options come before it.
    """
    from api.views.plan import plan_of
    from headrace import remote
    from headrace.profiles import chosen_profile
    from headrace.tenant_list import read_tenants
    from release.adapters.system_clock import SystemClock
    from release.change import Previewed

    typed = " ".join(change)
    if not any(f"{typed} ".startswith(f"{verb} ") for verb in _CHANGES):
        raise Invalid(f"{typed!r} can't be planned; what can: {', '.join(_CHANGES)}")
    known = read_tenants(tenants)
    if known and chosen_profile() is not None:
        raise Invalid("a server plans with the tenants that it knows: leave --tenants out")
    root = context.find_root().command
    try:
        with previewing():
            root.main(list(change), prog_name="headrace", standalone_mode=False)
    except Previewed as tried:
        answer = plan_of(tried, known, SystemClock().now())
    except remote.Planned as tried:
        answer = tried.plan
    else:
        return
    # A change that is typed as ever, with its own --json, asks for the same.
    show(answer, as_json or "--json" in change, lambda console: _draw(console, answer))


def _draw(console: "Console", answer: "PlanView") -> None:
    for channel in answer.channels:
        count = f"{len(channel.moves)} of {channel.known} known tenants and environments move"
        console.print(f"{channel.product} {channel.channel}: {count}")
        for move in channel.moves[:_NAMES_SHOWN]:
            was, gets = move.before or "nothing", move.after or "nothing"
            console.print(f"  {move.tenant} ({move.environment}): {was} -> {gets}")
        _draw_rest(console, len(channel.moves))
        for stage in channel.stages:
            names = ", ".join(stage.tenants[:_NAMES_SHOWN])
            console.print(f"  at {stage.stage}: {len(stage.tenants)} {names}")
    if not answer.channels:
        console.print("no known tenant gets another build")
    console.print(f"nothing was changed (revision {answer.revision})")


def _draw_rest(console: "Console", count: int) -> None:
    if count > _NAMES_SHOWN:
        console.print(f"  and {count - _NAMES_SHOWN} more: --json has them all")

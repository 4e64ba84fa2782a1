"""`headrace apply`."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from headrace.asking import Asking
from headrace.exits import Exit
from headrace.options import DEFAULT_DATA, Actor, AsJson, Data, Database, Reason, example
from headrace.terminal import show

if TYPE_CHECKING:
    from headrace.apply_run import AppliedView

app = typer.Typer(add_completion=False)


@app.command(
    epilog=example("headrace apply policy.toml --dry-run", 'headrace apply policy.toml --yes --reason "Q3"')
)
def apply(
    file: Annotated[
        Path, typer.Argument(metavar="FILE", help="The rules, people and publishers, in TOML (docs/apply.md).")
    ],
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would change, and change nothing.")] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask before it is changed.")] = False,
    reason: Reason = "",
    actor: Actor = None,
    data: Data = DEFAULT_DATA,
    database: Database = None,
    as_json: AsJson = False,
) -> None:
    """Make rules and roles as a file declares them: what differs is shown first, and nothing else is changed.

    On a terminal it asks before it changes anything. Each thing is a change of its own: where one is refused,
    those before it are made, and the next run goes on.
    """
    import anyio

    from headrace import declared
    from headrace.apply_run import AppliedView, apply_all, find_present
    from release.adapters.system_clock import SystemClock

    asking = Asking(data, database, actor)
    wanted = declared.read_declared(file, SystemClock().now())
    steps = declared.steps_to(wanted, anyio.run(find_present, wanted, asking), reason)
    changes = tuple(step.change for step in steps)
    if steps and not (dry_run or yes or as_json) and sys.stdin.isatty() and sys.stdout.isatty():
        _show(AppliedView(changes, applied=False), as_json=False)
        if not typer.confirm("Apply this?", err=True):
            raise typer.Exit(Exit.REFUSED)
    if not dry_run:
        anyio.run(apply_all, steps, asking)
    _show(AppliedView(changes, applied=not dry_run), as_json)


def _show(view: "AppliedView", as_json: bool) -> None:
    from headrace.apply_run import draw_applied

    show(view, as_json, lambda console: draw_applied(console, view))

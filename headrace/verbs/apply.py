"""`headrace apply`."""

import sys
from pathlib import Path
from typing import Annotated, Any, cast

import anyio
import msgspec
import typer
from rich.console import Console

from api.core.operation import Operation
from api.core.page import items_of
from api.core.plain import plain
from headrace import declared
from headrace.asking import Asking, sending
from headrace.exits import Exit
from headrace.options import DEFAULT_DATA, Actor, AsJson, Data, Database, Reason, example
from headrace.terminal import show
from release.adapters.system_clock import SystemClock

app = typer.Typer(add_completion=False)

_LONGEST = 200


class AppliedView(msgspec.Struct, frozen=True):
    """What a file changes, or would change; and whether it was applied."""

    changes: "tuple[declared.ThingChange, ...]"
    applied: bool


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
    asking = Asking(data, database, actor)
    wanted = declared.read_declared(file, SystemClock().now())
    steps = declared.steps_to(wanted, anyio.run(_present, wanted, asking), reason)
    changes = tuple(step.change for step in steps)
    if steps and not (dry_run or yes or as_json) and sys.stdin.isatty() and sys.stdout.isatty():
        _show(AppliedView(changes, applied=False), as_json=False)
        if not typer.confirm("Apply this?", err=True):
            raise typer.Exit(Exit.REFUSED)
    if not dry_run:
        anyio.run(_apply, steps, asking)
    _show(AppliedView(changes, applied=not dry_run), as_json)


async def _present(wanted: "declared.State", asking: Asking) -> "declared.State":
    """What is there, of all that the file declares."""
    from api.operations.people import ListPeople
    from api.operations.policy import ReadPolicy
    from api.operations.publishers import ListPublishers

    async with sending(ReadPolicy, asking) as ask:
        policy, people, publishers = await ask(ReadPolicy()), None, None
        if wanted.people is not None:
            people = tuple([each async for each in items_of(ask, ListPeople())])
        if wanted.publishers is not None:
            publishers = tuple([each async for each in items_of(ask, ListPublishers())])
        return declared.State(policy, people, publishers)


async def _apply(steps: "list[declared.Step]", asking: Asking) -> None:
    for step in steps:
        async with sending(type(step.asked), asking) as ask:
            await ask(cast("Operation[Any]", step.asked))


def _show(view: AppliedView, as_json: bool) -> None:
    show(view, as_json, lambda console: _draw(console, view))


def _draw(console: Console, view: AppliedView) -> None:
    signs = {declared.What.ADD: "+", declared.What.CHANGE: "~", declared.What.REMOVE: "-"}
    for change in view.changes:
        console.print(plain(f"{signs[change.what]} {change.kind} {change.name}"))
        for field in change.fields:
            console.print(plain(f"    {field.path}: {_words(field.before)} -> {_words(field.after)}"))
    if not view.changes:
        console.print("all is as the file declares it")
    elif not view.applied:
        console.print(f"{len(view.changes)} would change; nothing was changed")
    else:
        console.print(f"{len(view.changes)} changed")


def _words(value: object) -> str:
    if value is None:
        return "none"
    text = value if isinstance(value, str) else msgspec.json.encode(value).decode()
    return text if len(text) <= _LONGEST else text[: _LONGEST - 1] + "…"

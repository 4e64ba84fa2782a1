"""`headrace policy …`."""

from typing import TYPE_CHECKING

import typer

from headrace.asking import Asking, send
from headrace.options import (
    DEFAULT_DATA,
    AsJson,
    Data,
    Database,
    example,
)
from headrace.terminal import show

if TYPE_CHECKING:
    from rich.console import Console

    from release.core.policy import Policy

app = typer.Typer(no_args_is_help=True, add_completion=False)


@app.callback()
def policy() -> None:
    """The vendor's rules for rollouts, freezes, pins, approvals and checks."""


@app.command("show", epilog=example("headrace policy show"))
def show_(data: Data = DEFAULT_DATA, database: Database = None, as_json: AsJson = False) -> None:
    """Show the rules in force."""
    from api.operations.policy import ReadPolicy

    view = send(ReadPolicy(), Asking(data, database))
    show(view, as_json, lambda console: _draw(console, view))


def _draw(console: "Console", policy: "Policy") -> None:
    """Each rule on a line, as it was written."""
    import msgspec

    rules = msgspec.to_builtins(policy)
    for kind, written in rules.items():
        for rule in written:
            console.print(f"{kind}: {', '.join(f'{key} {_text(value)}' for key, value in rule.items())}")
    if not rules:
        console.print("no rules are in force")


def _text(value: object) -> str:
    match value:
        case list():
            return " ".join(_text(each) for each in value)
        case dict():
            return "(" + " ".join(f"{key} {_text(each)}" for key, each in value.items()) + ")"
        case _:
            return str(value)

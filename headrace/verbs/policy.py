"""`headrace policy …`."""

from pathlib import Path
from typing import Annotated

import msgspec
import typer
from rich.console import Console

from api.operations.policy import ApplyPolicy, ReadPolicy
from headrace.options import (
    DEFAULT_DATA,
    Actor,
    AsJson,
    Data,
    Database,
    ExpectRevision,
    IdempotencyKey,
    Reason,
    example,
)
from headrace.policy_file import read_policy_file
from headrace.terminal import show
from headrace.verbs.changes import Asking, send
from release.adapters.system_clock import SystemClock
from release.core.policy import Policy

app = typer.Typer(
    help="The vendor's rules for rollouts, freezes, pins, approvals and checks.",
    no_args_is_help=True,
    add_completion=False,
)


@app.command("apply", epilog=example('headrace policy apply policy.toml --reason "the year\'s holidays"'))
def apply(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="The rules, in TOML (docs/rollouts.md).")],
    reason: Reason = "",
    actor: Actor = None,
    expect_revision: ExpectRevision = None,
    idempotency_key: IdempotencyKey = None,
    data: Data = DEFAULT_DATA,
    database: Database = None,
    as_json: AsJson = False,
) -> None:
    """Put the rules of a file in force, in the place of those before."""
    policy = send(
        ApplyPolicy(policy=read_policy_file(file, SystemClock().now()), reason=reason),
        Asking(data, database, actor, expect_revision, idempotency_key),
    )
    show(policy, as_json, lambda console: _draw(console, policy))


@app.command("show", epilog=example("headrace policy show"))
def show_(data: Data = DEFAULT_DATA, database: Database = None, as_json: AsJson = False) -> None:
    """Show the rules in force."""
    policy = send(ReadPolicy(), Asking(data, database))
    show(policy, as_json, lambda console: _draw(console, policy))


def _draw(console: Console, policy: Policy) -> None:
    """Each rule on a line, as it was written."""
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

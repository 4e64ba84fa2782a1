"""`headrace rollout …` and `headrace rollback`."""

from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import typer

from bundles.core.names import parse_product
from bundles.core.version import parse_version
from headrace.channel_view import ChannelView, draw_channel, view_channel
from headrace.options import (
    DEFAULT_DATA,
    Actor,
    AsJson,
    ChannelName,
    Data,
    ExpectRevision,
    ProductName,
    Reason,
    VersionText,
    actor_or_login,
    example,
)
from headrace.terminal import show
from headrace.verbs.changes import with_control
from release.change import Author, Control
from release.core.names import STABLE, parse_channel
from release.core.plan import DEFAULT_STAGES, parse_plan
from release.core.transition import Abort, Command, Pause, Promote, Resume, Rollback, Start
from release.rollouts import command_channel, new_salt, read_channel

app = typer.Typer(help="Move a build to tenants, stage by stage.", no_args_is_help=True)

ROLLBACK_EPILOG = example('headrace rollback posthog-js --reason "errors on checkout"')


@app.command(epilog=example("headrace rollout start posthog-js 1.4.2 --canary acme --bake 30m"))
def start(
    product: ProductName,
    version: VersionText,
    stages: Annotated[
        str,
        typer.Option("--stages", help="staging, canary and percentages; each may have its own bake time: 25@2h."),
    ] = DEFAULT_STAGES,
    canary: Annotated[
        list[str] | None,
        typer.Option("--canary", help="A canary tenant; may be repeated. Without any, the canary is 1% of all."),
    ] = None,
    bake: Annotated[
        str | None,
        typer.Option("--bake", help="Bake time of each stage, as in 30m; the controller promotes after it."),
    ] = None,
    channel: ChannelName = STABLE,
    reason: Reason = "",
    actor: Actor = None,
    expect_revision: ExpectRevision = None,
    data: Data = DEFAULT_DATA,
    as_json: AsJson = False,
) -> None:
    """Begin to roll a published build out, at its plan's first stage."""
    plan = parse_plan(stages, canary or (), bake)
    command = Start(candidate=parse_version(version), plan=plan, salt=new_salt())
    _run(product, channel, command, Author(actor_or_login(actor), reason, expect_revision), data, as_json)


@app.command(epilog=example("headrace rollout status posthog-js --json"))
def status(
    product: ProductName,
    channel: ChannelName = STABLE,
    data: Data = DEFAULT_DATA,
    as_json: AsJson = False,
) -> None:
    """Say what a channel serves, and where its rollout is."""
    parsed = parse_product(product), parse_channel(channel)

    async def look(control: Control) -> ChannelView:
        found = await read_channel(control, *parsed)
        return view_channel(*parsed, found.revision, found.state)

    view = with_control(data, look)
    show(view, as_json, lambda console: draw_channel(console, view))


def _verb_for(command: Command) -> Callable[..., None]:
    """A verb that needs no more than a channel to run this command on."""

    def verb(
        product: ProductName,
        channel: ChannelName = STABLE,
        reason: Reason = "",
        actor: Actor = None,
        expect_revision: ExpectRevision = None,
        data: Data = DEFAULT_DATA,
        as_json: AsJson = False,
    ) -> None:
        author = Author(actor_or_login(actor), reason, expect_revision)
        _run(product, channel, command, author, data, as_json)

    return verb


for _name, _command, _help in (
    ("promote", Promote(), "Go to the next stage; after the last one, the candidate is the stable build."),
    ("pause", Pause(), "Stay at this stage: who has the candidate keeps it, and nobody is added."),
    ("resume", Resume(), "Go on from a pause; the stage's bake time begins again."),
    ("abort", Abort(), "End the rollout: every tenant is back at the stable build, at once."),
):
    app.command(_name, help=_help, epilog=example(f"headrace rollout {_name} posthog-js"))(_verb_for(_command))


def rollback(
    product: ProductName,
    to: Annotated[
        str | None,
        typer.Option(
            "--to", help="The stable build to go back to. Else what everyone had before the last change."
        ),
    ] = None,
    channel: ChannelName = STABLE,
    reason: Reason = "",
    actor: Actor = None,
    expect_revision: ExpectRevision = None,
    data: Data = DEFAULT_DATA,
    as_json: AsJson = False,
) -> None:
    """Flip a channel back to an earlier stable build, in one revision and without stages."""
    command = Rollback(to=None if to is None else parse_version(to))
    _run(product, channel, command, Author(actor_or_login(actor), reason, expect_revision), data, as_json)


def _run(product: str, channel: str, command: Command, author: Author, data: Path, as_json: bool) -> None:
    parsed = parse_product(product), parse_channel(channel)

    async def change(control: Control) -> ChannelView:
        changed = await command_channel(control, *parsed, command, author)
        return view_channel(*parsed, changed.revision, changed.state)

    view = with_control(data, change)
    show(view, as_json, lambda console: draw_channel(console, view))

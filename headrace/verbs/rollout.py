"""`headrace rollout …`."""

from collections.abc import Callable
from datetime import UTC
from typing import Annotated

import typer

from bundles.core.names import parse_product
from bundles.core.version import parse_version
from headrace.channel_view import ChannelView, draw_channel, view_channel
from headrace.options import (
    DEFAULT_DATA,
    Actor,
    AsJson,
    BreakGlass,
    ChannelName,
    Data,
    Database,
    ExpectRevision,
    IdempotencyKey,
    ProductName,
    Reason,
    VersionText,
    actor_or_login,
    example,
)
from headrace.plan_options import (
    BakeOption,
    CanaryOption,
    FirstOption,
    Given,
    LastOption,
    PolicyOption,
    StagesOption,
    rule_of,
)
from headrace.rollout_watch import watch
from headrace.smoke_options import SmokeBrowser, SmokeCommand, SmokeGiven, SmokeTimeout, SmokeWebhook
from headrace.terminal import show
from headrace.verbs.changes import run_command, with_control
from release.change import Author, Control
from release.core.commands import Abort, Approve, Command, Pause, Promote, Resume, Schedule, Start
from release.core.freeze import parse_time
from release.core.names import STABLE, parse_channel
from release.rollouts import command_channel, new_salt, read_channel

app = typer.Typer(help="Move a build to tenants, stage by stage.", no_args_is_help=True, add_completion=False)


@app.command(epilog=example("headrace rollout start posthog-js 1.4.2 --canary acme --bake 30m"))
def start(
    product: ProductName,
    version: VersionText,
    stages: StagesOption = None,
    canary: CanaryOption = None,
    bake: BakeOption = None,
    first: FirstOption = None,
    last: LastOption = None,
    policy: PolicyOption = None,
    at: Annotated[
        str | None,
        typer.Option("--at", metavar="TIME", help="Begin as soon as it may after this time (RFC 3339, UTC)."),
    ] = None,
    supersede: Annotated[
        bool, typer.Option("--supersede", help="Take the place of the rollout that is there, as a hotfix does.")
    ] = False,
    smoke_browser: SmokeBrowser = None,
    smoke_command: SmokeCommand = None,
    smoke_webhook: SmokeWebhook = None,
    smoke_timeout: SmokeTimeout = None,
    channel: ChannelName = STABLE,
    reason: Reason = "",
    break_glass: BreakGlass = False,
    actor: Actor = None,
    expect_revision: ExpectRevision = None,
    idempotency_key: IdempotencyKey = None,
    data: Data = DEFAULT_DATA,
    database: Database = None,
    as_json: AsJson = False,
) -> None:
    """Begin to roll a published build out, at its plan's first stage.

    What the options leave open, the policy in force decides; smoke tests are added to those that it names.
    """
    name, target, candidate = parse_product(product), parse_channel(channel), parse_version(version)
    smoke = SmokeGiven(smoke_browser or (), smoke_command or (), smoke_webhook or (), smoke_timeout)
    given = Given(stages, bake, canary or (), first or (), last or (), policy, smoke)
    begins_at = None if at is None else parse_time(at, UTC)
    author = Author(actor_or_login(actor), reason, expect_revision, break_glass, idempotency_key)

    async def change(control: Control) -> ChannelView:
        rule = await rule_of(given, control, name, target)
        command = Start(candidate, rule.plan(), rule.salt or new_salt(), supersede)
        later = command if begins_at is None else Schedule(command, begins_at)
        return view_channel(name, target, await command_channel(control, name, target, later, author))

    view = with_control(data, database, change)
    show(view, as_json, lambda console: draw_channel(console, view))


@app.command(epilog=example("headrace rollout promote posthog-js", "headrace rollout promote posthog-js --to 50"))
def promote(
    product: ProductName,
    to: Annotated[
        str | None,
        typer.Option("--to", metavar="STAGE", help="Go straight to this later stage, as in 50, or to done."),
    ] = None,
    channel: ChannelName = STABLE,
    reason: Reason = "",
    break_glass: BreakGlass = False,
    actor: Actor = None,
    expect_revision: ExpectRevision = None,
    idempotency_key: IdempotencyKey = None,
    data: Data = DEFAULT_DATA,
    database: Database = None,
    as_json: AsJson = False,
) -> None:
    """Go to the next stage; after the last one, the candidate is the stable build."""
    author = Author(actor_or_login(actor), reason, expect_revision, break_glass, idempotency_key)
    run_command(product, channel, Promote(to=to), author, data, database, as_json)


@app.command(epilog=example("headrace rollout approve posthog-js 1.4.2"))
def approve(
    product: ProductName,
    version: VersionText,
    channel: ChannelName = STABLE,
    reason: Reason = "",
    actor: Actor = None,
    expect_revision: ExpectRevision = None,
    idempotency_key: IdempotencyKey = None,
    data: Data = DEFAULT_DATA,
    database: Database = None,
    as_json: AsJson = False,
) -> None:
    """Let a candidate out of staging, where the policy asks for someone else than the rollout's author."""
    command = Approve(parse_version(version))
    author = Author(actor_or_login(actor), reason, expect_revision, key=idempotency_key)
    run_command(product, channel, command, author, data, database, as_json)


@app.command(epilog=example("headrace rollout resume posthog-js"))
def resume(
    product: ProductName,
    channel: ChannelName = STABLE,
    reason: Reason = "",
    break_glass: BreakGlass = False,
    actor: Actor = None,
    expect_revision: ExpectRevision = None,
    idempotency_key: IdempotencyKey = None,
    data: Data = DEFAULT_DATA,
    database: Database = None,
    as_json: AsJson = False,
) -> None:
    """Go on from a pause; the stage's bake time begins again."""
    author = Author(actor_or_login(actor), reason, expect_revision, break_glass, idempotency_key)
    run_command(product, channel, Resume(), author, data, database, as_json)


@app.command(epilog=example("headrace rollout status posthog-js --json"))
def status(
    product: ProductName,
    channel: ChannelName = STABLE,
    data: Data = DEFAULT_DATA,
    database: Database = None,
    as_json: AsJson = False,
) -> None:
    """Say what a channel serves, and where its rollout is."""
    parsed = parse_product(product), parse_channel(channel)

    async def look(control: Control) -> ChannelView:
        return view_channel(*parsed, await read_channel(control, *parsed))

    view = with_control(data, database, look)
    show(view, as_json, lambda console: draw_channel(console, view))


app.command("watch", epilog=example("headrace rollout watch posthog-js 1.4.2 --timeout 2h"))(watch)


def _verb_for(command: Command) -> Callable[..., None]:
    """A verb that needs no more than a channel to run this command on."""

    def verb(
        product: ProductName,
        channel: ChannelName = STABLE,
        reason: Reason = "",
        actor: Actor = None,
        expect_revision: ExpectRevision = None,
        idempotency_key: IdempotencyKey = None,
        data: Data = DEFAULT_DATA,
        database: Database = None,
        as_json: AsJson = False,
    ) -> None:
        author = Author(actor_or_login(actor), reason, expect_revision, key=idempotency_key)
        run_command(product, channel, command, author, data, database, as_json)

    return verb


for _name, _command, _help in (
    ("pause", Pause(), "Stay at this stage: who has the candidate keeps it, and nobody is added."),
    (
        "abort",
        Abort(),
        "End the rollout, live or scheduled: every tenant is back at the stable build, at once.",
    ),
):
    app.command(_name, help=_help, epilog=example(f"headrace rollout {_name} posthog-js"))(_verb_for(_command))

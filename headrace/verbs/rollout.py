"""`headrace rollout …`."""

from typing import TYPE_CHECKING, Annotated

import typer

from bundles.core.errors import Invalid
from headrace.asking import Asking, send
from headrace.options import (
    DEFAULT_CHANNEL,
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
    example,
)
from headrace.plan_options import (
    BakeOption,
    CanaryOption,
    FirstOption,
    LastOption,
    PolicyOption,
    StagesOption,
)
from headrace.smoke_options import SmokeBrowser, SmokeCommand, SmokeTimeout, SmokeWebhook
from headrace.terminal import show

if TYPE_CHECKING:
    from api.core.operation import Operation
    from api.views.channel import ChannelView

app = typer.Typer(help="Move a build to tenants, stage by stage.", no_args_is_help=True, add_completion=False)

Timeout = Annotated[
    str | None,
    typer.Option("--timeout", metavar="DURATION", help="Stop watching after this, with exit code 6."),
]
Wait = Annotated[
    bool, typer.Option("--wait", help="Watch the rollout until it ends, as `headrace rollout watch` does.")
]


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
    channel: ChannelName = DEFAULT_CHANNEL,
    reason: Reason = "",
    break_glass: BreakGlass = False,
    wait: Wait = False,
    timeout: Timeout = None,
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
    from api.operations.channels import StartRollout
    from headrace.policy_file import rule_in
    from headrace.rollout_watch import end_with_rollout

    _check_timeout(wait, timeout)
    asked = StartRollout(
        product=product,
        channel=channel,
        candidate=version,
        stages=stages,
        bake=bake,
        canary=tuple(canary or ()),
        first=tuple(first or ()),
        last=tuple(last or ()),
        rule=None if policy is None else rule_in(policy, product, channel),
        smoke_browser=tuple(smoke_browser or ()),
        smoke_command=tuple(smoke_command or ()),
        smoke_webhook=tuple(smoke_webhook or ()),
        smoke_timeout=smoke_timeout,
        at=at,
        supersede=supersede,
        reason=reason,
        break_glass=break_glass,
    )
    asking = Asking(data, database, actor, expect_revision, idempotency_key)
    if wait:
        send(asked, asking)
        end_with_rollout(product, channel, version, asking, timeout, as_json)
    _run(asked, asking, as_json)


@app.command(epilog=example("headrace rollout promote posthog-js", "headrace rollout promote posthog-js --to 50"))
def promote(
    product: ProductName,
    to: Annotated[
        str | None,
        typer.Option("--to", metavar="STAGE", help="Go straight to this later stage, as in 50, or to done."),
    ] = None,
    channel: ChannelName = DEFAULT_CHANNEL,
    reason: Reason = "",
    break_glass: BreakGlass = False,
    wait: Wait = False,
    timeout: Timeout = None,
    actor: Actor = None,
    expect_revision: ExpectRevision = None,
    idempotency_key: IdempotencyKey = None,
    data: Data = DEFAULT_DATA,
    database: Database = None,
    as_json: AsJson = False,
) -> None:
    """Go to the next stage; after the last one, the candidate is the stable build."""
    from api.operations.channels import PromoteRollout
    from headrace.rollout_watch import end_with_rollout

    _check_timeout(wait, timeout)
    asked = PromoteRollout(product=product, channel=channel, to=to, reason=reason, break_glass=break_glass)
    asking = Asking(data, database, actor, expect_revision, idempotency_key)
    if wait:
        view = send(asked, asking)
        candidate = view.stable if view.rollout is None else view.rollout.candidate
        end_with_rollout(product, channel, candidate, asking, timeout, as_json)
    _run(asked, asking, as_json)


@app.command(epilog=example("headrace rollout approve posthog-js 1.4.2"))
def approve(
    product: ProductName,
    version: VersionText,
    channel: ChannelName = DEFAULT_CHANNEL,
    reason: Reason = "",
    actor: Actor = None,
    expect_revision: ExpectRevision = None,
    idempotency_key: IdempotencyKey = None,
    data: Data = DEFAULT_DATA,
    database: Database = None,
    as_json: AsJson = False,
) -> None:
    """Let a candidate out of staging, where the policy asks for someone else than the rollout's author."""
    from api.operations.channels import ApproveRollout

    asked = ApproveRollout(product=product, channel=channel, candidate=version, reason=reason)
    _run(asked, Asking(data, database, actor, expect_revision, idempotency_key), as_json)


@app.command(epilog=example("headrace rollout resume posthog-js"))
def resume(
    product: ProductName,
    channel: ChannelName = DEFAULT_CHANNEL,
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
    from api.operations.channels import ResumeRollout

    asked = ResumeRollout(product=product, channel=channel, reason=reason, break_glass=break_glass)
    _run(asked, Asking(data, database, actor, expect_revision, idempotency_key), as_json)


@app.command(epilog=example("headrace rollout status posthog-js --json"))
def status(
    product: ProductName,
    channel: ChannelName = DEFAULT_CHANNEL,
    data: Data = DEFAULT_DATA,
    database: Database = None,
    as_json: AsJson = False,
) -> None:
    """Say what a channel serves, and where its rollout is."""
    from api.operations.channels import ReadChannel

    _run(ReadChannel(product=product, channel=channel), Asking(data, database), as_json)


@app.command(epilog=example("headrace rollout watch posthog-js 1.4.2 --timeout 2h"))
def watch(
    product: ProductName,
    version: Annotated[
        str | None, typer.Argument(metavar="[VERSION]", help="The candidate. Else that of the live rollout.")
    ] = None,
    channel: ChannelName = DEFAULT_CHANNEL,
    timeout: Timeout = None,
    interval: Annotated[
        float, typer.Option("--interval", min=0.1, max=3600, help="Seconds between two looks.")
    ] = 1.0,
    data: Data = DEFAULT_DATA,
    database: Database = None,
    as_json: AsJson = False,
) -> None:
    """Watch a rollout until it ends: its stage, its gate's evidence, and the time to the next stage.

    Ends with exit code 0 where the candidate is the stable build, and with 7 where it was rolled back, aborted or
    superseded. Off a terminal there is a line for each change, with --json a JSON document on one.
    """
    from headrace.rollout_watch import end_with_rollout

    end_with_rollout(product, channel, version, Asking(data, database), timeout, as_json, interval)


@app.command(epilog=example("headrace rollout pause posthog-js"))
def pause(
    product: ProductName,
    channel: ChannelName = DEFAULT_CHANNEL,
    reason: Reason = "",
    actor: Actor = None,
    expect_revision: ExpectRevision = None,
    idempotency_key: IdempotencyKey = None,
    data: Data = DEFAULT_DATA,
    database: Database = None,
    as_json: AsJson = False,
) -> None:
    """Stay at this stage: who has the candidate keeps it, and nobody is added."""
    from api.operations.channels import PauseRollout

    asked = PauseRollout(product=product, channel=channel, reason=reason)
    _run(asked, Asking(data, database, actor, expect_revision, idempotency_key), as_json)


@app.command(epilog=example("headrace rollout abort posthog-js"))
def abort(
    product: ProductName,
    channel: ChannelName = DEFAULT_CHANNEL,
    reason: Reason = "",
    actor: Actor = None,
    expect_revision: ExpectRevision = None,
    idempotency_key: IdempotencyKey = None,
    data: Data = DEFAULT_DATA,
    database: Database = None,
    as_json: AsJson = False,
) -> None:
    """End the rollout, live or scheduled: every tenant is back at the stable build, at once."""
    from api.operations.channels import AbortRollout

    asked = AbortRollout(product=product, channel=channel, reason=reason)
    _run(asked, Asking(data, database, actor, expect_revision, idempotency_key), as_json)


def _run(asked: "Operation[ChannelView]", asking: Asking, as_json: bool) -> None:
    from headrace.channel_text import draw_channel

    view = send(asked, asking)
    show(view, as_json, lambda console: draw_channel(console, view))


def _check_timeout(wait: bool, timeout: str | None) -> None:
    if timeout is not None and not wait:
        raise Invalid("--timeout says how long to --wait: give that too")
    if timeout is not None:
        from release.core.plan import parse_duration

        parse_duration(timeout)  # before anything is changed

"""`headrace why`."""

from typing import TYPE_CHECKING

import typer

from headrace.asking import Asking, send
from headrace.options import (
    DEFAULT_CHANNEL,
    DEFAULT_DATA,
    DEFAULT_ENVIRONMENT,
    AsJson,
    ChannelName,
    Data,
    EnvironmentName,
    ProductName,
    SnapshotDatabase,
    TenantId,
    example,
)
from headrace.terminal import show

if TYPE_CHECKING:
    from rich.console import Console

    from api.views.resolution import ResolutionView

app = typer.Typer(add_completion=False)


@app.command(epilog=example("headrace why acme posthog-js"))
def why(
    tenant: TenantId,
    product: ProductName,
    environment: EnvironmentName = DEFAULT_ENVIRONMENT,
    channel: ChannelName = DEFAULT_CHANNEL,
    data: Data = DEFAULT_DATA,
    database: SnapshotDatabase = None,
    as_json: AsJson = False,
) -> None:
    """Say which build a tenant gets, which rule chose it, and what would change that, and when.

    It is read from the snapshot that origins serve by. What keeps a rollout from its next step, the control
    database says, where it is here.
    """
    from api.operations.resolutions import ReadResolution

    answer = send(
        ReadResolution(product=product, tenant=tenant, environment=environment, channel=channel),
        Asking(data, database),
    )
    show(answer, as_json, lambda console: _draw(console, answer))


def _draw(console: "Console", answer: "ResolutionView") -> None:
    from headrace.why_text import act_line, passed_line, turn_line

    console.print(f"{answer.tenant} ({answer.environment}) gets {answer.product}@{answer.version or 'nothing'}")
    console.print(f"because: {answer.rule} [{answer.reason}]")
    for passed in answer.passed:
        console.print(f"passed over: {passed_line(passed)}")
    if answer.bucket is not None:
        console.print(f"bucket: {answer.bucket:.6f}")
    for turn in answer.ahead:
        console.print(f"ahead: {turn_line(turn)}")
    if not answer.ahead:
        console.print("ahead: nothing changes it by itself")
    for why_held in answer.held:
        console.print(f"held: {why_held}")
    if not answer.held_is_whole:
        console.print("held: by what else is not known here: the control database can't be read, or has gone on")
    for act in answer.acts:
        console.print(f"a person could: {act_line(act)}")
    if answer.pin_limits is not None:
        console.print(f"whether its pin is over the policy's limits: `{answer.pin_limits}`")
    console.print(f"revision: {answer.revision}")

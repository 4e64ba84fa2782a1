"""`headrace rollback`."""

from typing import Annotated

import typer

from headrace.asking import Asking, send
from headrace.options import (
    DEFAULT_CHANNEL,
    DEFAULT_DATA,
    Actor,
    AsJson,
    ChannelName,
    Data,
    Database,
    ExpectRevision,
    IdempotencyKey,
    ProductName,
    Reason,
    example,
)
from headrace.terminal import show

app = typer.Typer(add_completion=False)


@app.command(epilog=example('headrace rollback posthog-js --reason "errors on checkout"'))
def rollback(
    product: ProductName,
    to: Annotated[
        str | None,
        typer.Option(
            "--to", help="The stable build to go back to. Else what everyone had before the last change."
        ),
    ] = None,
    channel: ChannelName = DEFAULT_CHANNEL,
    reason: Reason = "",
    actor: Actor = None,
    expect_revision: ExpectRevision = None,
    idempotency_key: IdempotencyKey = None,
    data: Data = DEFAULT_DATA,
    database: Database = None,
    as_json: AsJson = False,
) -> None:
    """Flip a channel back to an earlier stable build, in one revision and without stages."""
    from api.operations.channels import RollBack
    from headrace.channel_text import draw_channel

    view = send(
        RollBack(product=product, channel=channel, to=to, reason=reason),
        Asking(data, database, actor, expect_revision, idempotency_key),
    )
    show(view, as_json, lambda console: draw_channel(console, view))

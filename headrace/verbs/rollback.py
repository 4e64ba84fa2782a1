"""`headrace rollback`."""

from typing import Annotated

import typer

from bundles.core.version import parse_version
from headrace.options import (
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
    actor_or_login,
    example,
)
from headrace.verbs.changes import run_command
from release.change import Author
from release.core.commands import Rollback
from release.core.names import STABLE

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
    channel: ChannelName = STABLE,
    reason: Reason = "",
    actor: Actor = None,
    expect_revision: ExpectRevision = None,
    idempotency_key: IdempotencyKey = None,
    data: Data = DEFAULT_DATA,
    database: Database = None,
    as_json: AsJson = False,
) -> None:
    """Flip a channel back to an earlier stable build, in one revision and without stages."""
    command = Rollback(to=None if to is None else parse_version(to))
    author = Author(actor_or_login(actor), reason, expect_revision, key=idempotency_key)
    run_command(product, channel, command, author, data, database, as_json)

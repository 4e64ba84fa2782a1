"""`headrace publisher …`."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

import typer

from headrace.asking import Asking, send, send_all
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
from headrace.terminal import show

if TYPE_CHECKING:
    from rich.console import Console

    from api.views.publishers import PublisherView

app = typer.Typer(
    help="Trusted publishers: pipelines that publish without a secret.", no_args_is_help=True, add_completion=False
)


@app.command("list", epilog=example("headrace publisher list"))
def list_(data: Data = DEFAULT_DATA, database: Database = None, as_json: AsJson = False) -> None:
    """List the trusted publishers; `headrace apply` sets them, as a file declares them."""
    from api.core.fields import MOST_ITEMS
    from api.operations.publishers import ListPublishers

    views = send_all(ListPublishers(limit=MOST_ITEMS), Asking(data, database))
    show(views, as_json, lambda console: _draw(console, views))


@app.command(epilog=example('headrace publisher remove posthog-js --reason "the repository has moved"'))
def remove(
    name: Annotated[str, typer.Argument(metavar="NAME", help="A publisher's name, as the list shows it.")],
    reason: Reason = "",
    actor: Actor = None,
    expect_revision: ExpectRevision = None,
    idempotency_key: IdempotencyKey = None,
    data: Data = DEFAULT_DATA,
    database: Database = None,
    as_json: AsJson = False,
) -> None:
    """Believe a publisher no more; its sessions end within 15 minutes."""
    from api.operations.publishers import RemovePublisher

    asked = RemovePublisher(name=name, reason=reason)
    view = send(asked, Asking(data, database, actor, expect_revision, idempotency_key))
    show(view, as_json, lambda console: console.print(f"{view.name} is believed no more"))


def _draw(console: "Console", views: "Sequence[PublisherView]") -> None:
    from headrace.tables import print_table

    columns = ("name", "service", "repository", "workflow", "environment", "refs", "products", "roles")
    rows = [
        (
            view.name,
            view.service,
            view.repository,
            view.workflow,
            view.environment or "any",
            " ".join(view.refs),
            " ".join(view.products),
            " ".join(view.roles),
        )
        for view in views
    ]
    print_table(console, columns, rows, none="no publisher is trusted")

"""`headrace token …`."""

import sys
from typing import TYPE_CHECKING, Annotated

import typer

from api.core.role import Role
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

    from api.views.token import IssuedTokenView, TokenView

app = typer.Typer(
    help="Tokens that pipelines and people ask the admin API with.", no_args_is_help=True, add_completion=False
)

_TokenId = Annotated[str, typer.Argument(metavar="ID", help="A token's id, as `headrace token list` shows it.")]


@app.command(
    epilog=example(
        "headrace token create release-pipeline --role releaser --product 'posthog-*'",
        "headrace token create adas-laptop --role approver --for ada@example.com",
        "headrace token create acme-portal --role customer --tenant acme --expires 30d",
    )
)
def create(
    name: Annotated[str, typer.Argument(metavar="NAME", help="What people call it, as in release-pipeline.")],
    role: Annotated[list[Role], typer.Option("--role", help="What it lets do; several may be named.")],
    product: Annotated[
        list[str] | None,
        typer.Option("--product", metavar="PATTERN", help="For which products, as in 'posthog-*'. Else for all."),
    ] = None,
    tenant: Annotated[
        str | None,
        typer.Option("--tenant", help="Whose it is, of the role customer alone."),
    ] = None,
    expires: Annotated[
        str, typer.Option("--expires", metavar="DURATION", help="After how long it ends; at most 400d.")
    ] = "90d",
    owner: Annotated[
        str | None,
        typer.Option("--for", metavar="PERSON", help="Whose it is, by the name of their login. Else yours."),
    ] = None,
    reason: Reason = "",
    actor: Actor = None,
    expect_revision: ExpectRevision = None,
    idempotency_key: IdempotencyKey = None,
    data: Data = DEFAULT_DATA,
    database: Database = None,
    as_json: AsJson = False,
) -> None:
    """Make a token and print its secret, this once: it is not kept."""
    from api.operations.tokens import CreateToken

    asked = CreateToken(
        name=name,
        roles=frozenset(role),
        products=tuple(product or ["*"]),
        tenant=tenant,
        expires=expires,
        owner=owner,
        reason=reason,
    )
    _show_issued(send(asked, Asking(data, database, actor, expect_revision, idempotency_key)), as_json)


@app.command("list", epilog=example("headrace token list"))
def list_(data: Data = DEFAULT_DATA, database: Database = None, as_json: AsJson = False) -> None:
    """List the tokens, with those that have ended in the last month; never a secret."""
    from api.core.fields import MOST_ITEMS
    from api.operations.tokens import ListTokens

    views = send_all(ListTokens(limit=MOST_ITEMS), Asking(data, database))
    show(views, as_json, lambda console: _draw(console, views))


@app.command(epilog=example("headrace token rotate 0123456789abcdef --overlap 7d"))
def rotate(
    token: _TokenId,
    overlap: Annotated[
        str, typer.Option("--overlap", metavar="DURATION", help="For how long the old one goes on; at most 30d.")
    ] = "1d",
    expires: Annotated[
        str | None,
        typer.Option("--expires", metavar="DURATION", help="After how long it ends. Else as the old one did."),
    ] = None,
    reason: Reason = "",
    actor: Actor = None,
    expect_revision: ExpectRevision = None,
    idempotency_key: IdempotencyKey = None,
    data: Data = DEFAULT_DATA,
    database: Database = None,
    as_json: AsJson = False,
) -> None:
    """Make a token in the place of another and print its secret, this once; the other goes on for a while."""
    from api.operations.tokens import RotateToken

    asked = RotateToken(token=token, overlap=overlap, expires=expires, reason=reason)
    _show_issued(send(asked, Asking(data, database, actor, expect_revision, idempotency_key)), as_json)


@app.command(epilog=example('headrace token revoke 0123456789abcdef --reason "the laptop is lost"'))
def revoke(
    token: _TokenId,
    reason: Reason = "",
    actor: Actor = None,
    expect_revision: ExpectRevision = None,
    idempotency_key: IdempotencyKey = None,
    data: Data = DEFAULT_DATA,
    database: Database = None,
    as_json: AsJson = False,
) -> None:
    """Take a token away: from now on it lets nobody in."""
    from api.operations.tokens import RevokeToken

    asked = RevokeToken(token=token, reason=reason)
    view = send(asked, Asking(data, database, actor, expect_revision, idempotency_key))
    show(view, as_json, lambda console: console.print(f"the token {view.name} ({view.id}) was revoked"))


def _show_issued(issued: "IssuedTokenView", as_json: bool) -> None:
    """The secret alone on stdout, for a pipe into a vault; what else there is to say on stderr."""
    token = issued.token
    made = f"the token {token.name} ({token.id}) is valid until {token.ends_at}"
    if issued.secret is None:
        sys.stderr.write(f"{made}. It was made before, and its secret told then: rotate it for another\n")
    else:
        sys.stderr.write(f"{made}. Keep its secret now: it is not shown again\n")
    show(issued, as_json, lambda console: console.print(issued.secret) if issued.secret else None)


def _draw(console: "Console", views: "list[TokenView]") -> None:
    from headrace.tables import print_table

    columns = ("name", "id", "state", "roles", "products", "tenant", "ends", "last used", "owner", "created by")
    rows = [
        (
            view.name,
            view.id,
            view.state,
            " ".join(view.roles),
            " ".join(view.products),
            view.tenant,
            view.ends_at,
            view.last_used_at or "never",
            view.owner,
            view.created_by,
        )
        for view in views
    ]
    print_table(console, columns, rows, none="no tokens")

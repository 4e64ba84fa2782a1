"""`headrace person …`."""

from collections.abc import Sequence
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

    from api.views.people import PersonView

app = typer.Typer(
    help="People and groups that log in, and what each is granted.", no_args_is_help=True, add_completion=False
)

_Person = Annotated[
    str, typer.Argument(metavar="PERSON", help="An e-mail address, `issuer|sub`, or `group:` and a group's name.")
]


@app.command(
    "set",
    epilog=example(
        "headrace person set ada@example.com --role releaser --product 'posthog-*'",
        "headrace person set group:on-call --role approver",
    ),
)
def set_(
    person: _Person,
    role: Annotated[list[Role], typer.Option("--role", help="What they may do; several may be named.")],
    product: Annotated[
        list[str] | None,
        typer.Option("--product", metavar="PATTERN", help="For which products, as in 'posthog-*'. Else for all."),
    ] = None,
    tenant: Annotated[
        str | None, typer.Option("--tenant", help="Whose customer they are, of the role customer alone.")
    ] = None,
    reason: Reason = "",
    actor: Actor = None,
    expect_revision: ExpectRevision = None,
    idempotency_key: IdempotencyKey = None,
    data: Data = DEFAULT_DATA,
    database: Database = None,
    as_json: AsJson = False,
) -> None:
    """Grant roles to a person or a group, in the place of those they had."""
    from api.operations.people import SetPerson

    asked = SetPerson(
        person=person, roles=frozenset(role), products=tuple(product or ["*"]), tenant=tenant, reason=reason
    )
    view = send(asked, Asking(data, database, actor, expect_revision, idempotency_key))
    show(view, as_json, lambda console: _draw(console, [view]))


@app.command("list", epilog=example("headrace person list"))
def list_(data: Data = DEFAULT_DATA, database: Database = None, as_json: AsJson = False) -> None:
    """List who may log in, and what each is granted."""
    from api.core.fields import MOST_ITEMS
    from api.operations.people import ListPeople

    views = send_all(ListPeople(limit=MOST_ITEMS), Asking(data, database))
    show(views, as_json, lambda console: _draw(console, views))


@app.command(epilog=example('headrace person remove ada@example.com --reason "has left"'))
def remove(
    person: _Person,
    reason: Reason = "",
    actor: Actor = None,
    expect_revision: ExpectRevision = None,
    idempotency_key: IdempotencyKey = None,
    data: Data = DEFAULT_DATA,
    database: Database = None,
    as_json: AsJson = False,
) -> None:
    """Let a person or a group log in no more; their sessions end."""
    from api.operations.people import RemovePerson

    asked = RemovePerson(person=person, reason=reason)
    view = send(asked, Asking(data, database, actor, expect_revision, idempotency_key))
    show(view, as_json, lambda console: console.print(f"{view.person} may log in no more"))


def _draw(console: "Console", views: "Sequence[PersonView]") -> None:
    from headrace.tables import print_table

    rows = [(view.person, " ".join(view.roles), " ".join(view.products), view.tenant) for view in views]
    print_table(console, ("person", "roles", "products", "tenant"), rows, none="nobody may log in")

"""`headrace pin …`."""

from typing import TYPE_CHECKING, Annotated

import typer

from headrace.asking import Asking, send, send_all
from headrace.options import (
    DEFAULT_DATA,
    DEFAULT_ENVIRONMENT,
    Actor,
    AsJson,
    Data,
    Database,
    EnvironmentName,
    ExpectRevision,
    IdempotencyKey,
    ProductName,
    Reason,
    TenantId,
    example,
)
from headrace.terminal import show

if TYPE_CHECKING:
    from rich.console import Console

    from api.views.pin import PinView

app = typer.Typer(help="Hold a tenant at the build it has tested.", no_args_is_help=True, add_completion=False)


AsCustomer = Annotated[
    bool, typer.Option("--as-customer", help="As the customer itself would, within what the policy lets it do.")
]


@app.command(
    "set",
    epilog=example(
        'headrace pin set acme posthog-js 1.4.2 --reason "tested with checkout"',
        "headrace pin set acme posthog-js --until 2027-01-31",
        "headrace pin set acme posthog-js candidates",
    ),
)
def set_(
    tenant: TenantId,
    product: ProductName,
    target: Annotated[
        str | None,
        typer.Argument(
            metavar="[VERSION|RANGE|candidates]",
            help="As in 1.4.2, ^1.4 or '>=1.2 <1.5'; candidates opts in to them. Else the build that it gets now.",
            show_default=False,
        ),
    ] = None,
    environment: EnvironmentName = DEFAULT_ENVIRONMENT,
    until: Annotated[
        str | None, typer.Option("--until", help="When the pin ends: a date, or a time by RFC 3339. In UTC.")
    ] = None,
    as_customer: AsCustomer = False,
    reason: Reason = "",
    actor: Actor = None,
    expect_revision: ExpectRevision = None,
    idempotency_key: IdempotencyKey = None,
    data: Data = DEFAULT_DATA,
    database: Database = None,
    as_json: AsJson = False,
) -> None:
    """Pin a tenant to a build, to the newest released one in a range, or opt it in to candidates."""
    from api.operations.pins import SetPin

    asked = SetPin(
        product=product,
        tenant=tenant,
        environment=environment,
        target=target,
        until=until,
        as_customer=as_customer,
        reason=reason,
    )
    view = send(asked, Asking(data, database, actor, expect_revision, idempotency_key))
    show(view, as_json, lambda console: console.print(f"{tenant} is pinned to {product}@{view.target}"))


@app.command("list", epilog=example("headrace pin list posthog-js", "headrace pin list posthog-js --warned"))
def list_(
    product: ProductName,
    warned: Annotated[
        bool, typer.Option("--warned", help="Only those that end soon, are over a limit, or hold nothing.")
    ] = False,
    data: Data = DEFAULT_DATA,
    database: Database = None,
    as_json: AsJson = False,
) -> None:
    """List a product's pins, each with what it comes to and what is to be said of it."""
    from api.core.fields import MANY
    from api.operations.pins import ListPins

    views = send_all(ListPins(product=product, warned=warned, limit=MANY), Asking(data, database))
    show(views, as_json, lambda console: _draw(console, views))


@app.command("clear", epilog=example("headrace pin clear acme posthog-js"))
def clear(
    tenant: TenantId,
    product: ProductName,
    environment: EnvironmentName = DEFAULT_ENVIRONMENT,
    as_customer: AsCustomer = False,
    reason: Reason = "",
    actor: Actor = None,
    expect_revision: ExpectRevision = None,
    idempotency_key: IdempotencyKey = None,
    data: Data = DEFAULT_DATA,
    database: Database = None,
    as_json: AsJson = False,
) -> None:
    """Take a tenant's pin away."""
    from api.operations.pins import ClearPin

    asked = ClearPin(
        product=product, tenant=tenant, environment=environment, as_customer=as_customer, reason=reason
    )
    view = send(asked, Asking(data, database, actor, expect_revision, idempotency_key))
    show(view, as_json, lambda console: console.print(f"{tenant} has no pin on {product} any more"))


def _draw(console: "Console", views: "list[PinView]") -> None:
    from headrace.tables import print_table

    columns = ("tenant", "environment", "pinned to", "expires", "author", "reason", "now", "warnings")
    rows = [
        (
            view.tenant,
            view.environment,
            view.target,
            view.expires_at or "never",
            view.author,
            view.reason,
            view.build,
            "; ".join(view.warnings),
        )
        for view in views
    ]
    print_table(console, columns, rows, none="no pins")

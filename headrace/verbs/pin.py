"""`headrace pin …`."""

from datetime import UTC
from typing import Annotated

import msgspec
import typer
from rich.console import Console

from api.times import format_time
from bundles.core.names import parse_product
from bundles.core.version import Range
from headrace.options import (
    DEFAULT_DATA,
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
    actor_or_login,
    example,
)
from headrace.tables import print_table
from headrace.terminal import show
from headrace.verbs.changes import with_control
from release.change import Author, Control
from release.core.freeze import parse_time
from release.core.names import PRODUCTION, parse_environment, parse_tenant
from release.core.routing import CANDIDATES, Pin, PinKey, parse_pin_key
from release.pins import WatchedPin, clear_pin, list_pins, set_pin

app = typer.Typer(help="Hold a tenant at the build it has tested.", no_args_is_help=True, add_completion=False)


class PinView(msgspec.Struct, frozen=True):
    """A pin as its users see it; `expires_at` is RFC 3339 in UTC, or null, and `build` what it comes to now."""

    product: str
    tenant: str
    environment: str
    target: str
    author: str
    by_customer: bool
    reason: str
    expires_at: str | None
    build: str | None = None
    warnings: tuple[str, ...] = ()


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
    environment: EnvironmentName = PRODUCTION,
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
    name, key = parse_product(product), PinKey(parse_tenant(tenant), parse_environment(environment))
    author = Author(actor_or_login(actor), reason, expect_revision, key=idempotency_key)
    expires_at = None if until is None else parse_time(until, UTC)
    wanted = None if target in (None, CANDIDATES) else Range(target)

    async def change(control: Control) -> Pin:
        pin = Pin(wanted, author.actor, reason, expires_at, by_customer=as_customer)
        return await set_pin(control, name, key, pin, author, hold=target is None)

    view = _view(name, key, with_control(data, database, change))
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
    name = parse_product(product)

    async def look(control: Control) -> list[PinView]:
        pins = await list_pins(control, name)
        return [_view_watched(name, parse_pin_key(key), pin) for key, pin in sorted(pins.items())]

    views = [view for view in with_control(data, database, look) if view.warnings or not warned]
    show(views, as_json, lambda console: _draw(console, views))


@app.command("clear", epilog=example("headrace pin clear acme posthog-js"))
def clear(
    tenant: TenantId,
    product: ProductName,
    environment: EnvironmentName = PRODUCTION,
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
    name, key = parse_product(product), PinKey(parse_tenant(tenant), parse_environment(environment))
    author = Author(actor_or_login(actor), reason, expect_revision, key=idempotency_key)

    async def change(control: Control) -> Pin:
        return await clear_pin(control, name, key, author, by_customer=as_customer)

    view = _view(name, key, with_control(data, database, change))
    show(view, as_json, lambda console: console.print(f"{tenant} has no pin on {product} any more"))


def _view(product: str, key: PinKey, pin: Pin) -> PinView:
    return PinView(
        product=product,
        tenant=key.tenant,
        environment=key.environment,
        target=pin.text,
        author=pin.author,
        by_customer=pin.by_customer,
        reason=pin.reason,
        expires_at=None if pin.expires_at is None else format_time(pin.expires_at),
    )


def _view_watched(product: str, key: PinKey, watched: WatchedPin) -> PinView:
    view = _view(product, key, watched.pin)
    return msgspec.structs.replace(view, build=watched.build, warnings=watched.warnings)


def _draw(console: Console, views: list[PinView]) -> None:
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
    if rows:
        print_table(console, columns, rows)
    else:
        console.print("no pins")

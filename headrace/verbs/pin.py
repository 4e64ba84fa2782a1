"""`headrace pin …`."""

from datetime import UTC
from typing import Annotated

import msgspec
import typer
from rich.console import Console
from rich.table import Table

from bundles.core.names import parse_product
from bundles.core.version import Range
from headrace.channel_view import format_time
from headrace.options import (
    DEFAULT_DATA,
    Actor,
    AsJson,
    Data,
    Database,
    EnvironmentName,
    ExpectRevision,
    ProductName,
    Reason,
    TenantId,
    actor_or_login,
    example,
)
from headrace.terminal import show
from headrace.verbs.changes import with_control
from release.change import Author, Control
from release.core.freeze import parse_time
from release.core.names import PRODUCTION, parse_environment, parse_tenant
from release.core.routing import Pin, PinKey, parse_pin_key
from release.pins import clear_pin, list_pins, set_pin

app = typer.Typer(help="Hold a tenant at the build it has tested.", no_args_is_help=True)


class PinView(msgspec.Struct, frozen=True):
    """A pin as its users see it; `expires_at` is RFC 3339 in UTC, or null."""

    product: str
    tenant: str
    environment: str
    target: str
    author: str
    reason: str
    expires_at: str | None


@app.command("set", epilog=example('headrace pin set acme posthog-js 1.4.2 --reason "tested with checkout"'))
def set_(
    tenant: TenantId,
    product: ProductName,
    target: Annotated[str, typer.Argument(metavar="VERSION|RANGE", help="As in 1.4.2, ^1.4 or '>=1.2 <1.5'.")],
    environment: EnvironmentName = PRODUCTION,
    expires: Annotated[
        str | None, typer.Option("--expires", help="When the pin ends: a date, or a time by RFC 3339. In UTC.")
    ] = None,
    reason: Reason = "",
    actor: Actor = None,
    expect_revision: ExpectRevision = None,
    data: Data = DEFAULT_DATA,
    database: Database = None,
    as_json: AsJson = False,
) -> None:
    """Pin a tenant to a published build, or to the newest released one in a range."""
    name, key = parse_product(product), PinKey(parse_tenant(tenant), parse_environment(environment))
    author = Author(actor_or_login(actor), reason, expect_revision)
    expires_at = None if expires is None else parse_time(expires, UTC)
    pin = Pin(target=Range(target), author=author.actor, reason=reason, expires_at=expires_at)

    async def change(control: Control) -> None:
        await set_pin(control, name, key, pin, author)

    with_control(data, database, change)
    view = _view(name, key, pin)
    show(view, as_json, lambda console: console.print(f"{tenant} is pinned to {product}@{target}"))


@app.command("list", epilog=example("headrace pin list posthog-js"))
def list_(
    product: ProductName, data: Data = DEFAULT_DATA, database: Database = None, as_json: AsJson = False
) -> None:
    """List a product's pins."""
    name = parse_product(product)

    async def look(control: Control) -> list[PinView]:
        pins = await list_pins(control, name)
        return [_view(name, parse_pin_key(key), pin) for key, pin in sorted(pins.items())]

    views = with_control(data, database, look)
    show(views, as_json, lambda console: _draw(console, views))


@app.command("clear", epilog=example("headrace pin clear acme posthog-js"))
def clear(
    tenant: TenantId,
    product: ProductName,
    environment: EnvironmentName = PRODUCTION,
    reason: Reason = "",
    actor: Actor = None,
    expect_revision: ExpectRevision = None,
    data: Data = DEFAULT_DATA,
    database: Database = None,
    as_json: AsJson = False,
) -> None:
    """Take a tenant's pin away."""
    name, key = parse_product(product), PinKey(parse_tenant(tenant), parse_environment(environment))
    author = Author(actor_or_login(actor), reason, expect_revision)

    async def change(control: Control) -> Pin:
        return await clear_pin(control, name, key, author)

    view = _view(name, key, with_control(data, database, change))
    show(view, as_json, lambda console: console.print(f"{tenant} has no pin on {product} any more"))


def _view(product: str, key: PinKey, pin: Pin) -> PinView:
    return PinView(
        product=product,
        tenant=key.tenant,
        environment=key.environment,
        target=pin.target.text,
        author=pin.author,
        reason=pin.reason,
        expires_at=None if pin.expires_at is None else format_time(pin.expires_at),
    )


def _draw(console: Console, views: list[PinView]) -> None:
    table = Table("tenant", "environment", "pinned to", "expires", "author", "reason", box=None, pad_edge=False)
    for view in views:
        table.add_row(
            view.tenant, view.environment, view.target, view.expires_at or "never", view.author, view.reason
        )
    console.print(table if views else "no pins")

"""`headrace tenant …`."""

from pathlib import Path
from typing import Annotated

import msgspec
import typer
from rich.console import Console

from bundles.core.errors import Invalid
from headrace.options import (
    DEFAULT_DATA,
    Actor,
    AsJson,
    Data,
    Database,
    ExpectRevision,
    IdempotencyKey,
    Reason,
    TenantId,
    actor_or_login,
    example,
)
from headrace.terminal import show
from headrace.verbs.changes import with_control
from release.change import Author, Control
from release.core.names import Tenant, parse_tenant
from release.core.targeting import parse_attributes
from release.tenants import clear_attributes, list_attributes, set_attributes

app = typer.Typer(
    help="What is known of tenants, for rollouts to go by.", no_args_is_help=True, add_completion=False
)

_MAX_BYTES = 256 * 1024 * 1024


class TenantView(msgspec.Struct, frozen=True):
    """What is known of a tenant."""

    tenant: str
    attributes: dict[str, str]


class Imported(msgspec.Struct, frozen=True):
    """How many tenants a file told of."""

    tenants: int


@app.command("set", epilog=example("headrace tenant set acme tier=enterprise region=eu"))
def set_(
    tenant: TenantId,
    attributes: Annotated[list[str], typer.Argument(metavar="NAME=VALUE…", help="As in tier=enterprise.")],
    reason: Reason = "",
    actor: Actor = None,
    expect_revision: ExpectRevision = None,
    idempotency_key: IdempotencyKey = None,
    data: Data = DEFAULT_DATA,
    database: Database = None,
    as_json: AsJson = False,
) -> None:
    """Record what is known of a tenant, in the place of what was."""
    name, known = parse_tenant(tenant), parse_attributes(attributes)
    author = Author(actor_or_login(actor), reason, expect_revision, key=idempotency_key)

    async def change(control: Control) -> None:
        await set_attributes(control, {name: known}, name, author)

    with_control(data, database, change)
    view = TenantView(name, known)
    show(view, as_json, lambda console: _draw(console, [view]))


@app.command("import", epilog=example("headrace tenant import tenants.txt"))
def import_(
    file: Annotated[
        Path, typer.Argument(metavar="FILE", help="A tenant on each line, with its attributes: acme tier=free.")
    ],
    reason: Reason = "",
    actor: Actor = None,
    expect_revision: ExpectRevision = None,
    idempotency_key: IdempotencyKey = None,
    data: Data = DEFAULT_DATA,
    database: Database = None,
    as_json: AsJson = False,
) -> None:
    """Record what is known of many tenants, in one change."""
    author = Author(actor_or_login(actor), reason, expect_revision, key=idempotency_key)
    known = _read(file)

    async def change(control: Control) -> None:
        await set_attributes(control, known, file.name, author)

    with_control(data, database, change)
    view = Imported(len(known))
    show(view, as_json, lambda console: console.print(f"{view.tenants} tenants are known"))


@app.command("list", epilog=example("headrace tenant list"))
def list_(data: Data = DEFAULT_DATA, database: Database = None, as_json: AsJson = False) -> None:
    """List the tenants of whom something is known."""
    known = with_control(data, database, list_attributes)
    views = [TenantView(tenant, dict(attributes)) for tenant, attributes in sorted(known.items())]
    show(views, as_json, lambda console: _draw(console, views))


@app.command("clear", epilog=example("headrace tenant clear acme"))
def clear(
    tenant: TenantId,
    reason: Reason = "",
    actor: Actor = None,
    expect_revision: ExpectRevision = None,
    idempotency_key: IdempotencyKey = None,
    data: Data = DEFAULT_DATA,
    database: Database = None,
    as_json: AsJson = False,
) -> None:
    """Forget what is known of a tenant."""
    name = parse_tenant(tenant)
    author = Author(actor_or_login(actor), reason, expect_revision, key=idempotency_key)

    async def change(control: Control) -> None:
        await clear_attributes(control, name, author)

    with_control(data, database, change)
    view = TenantView(name, {})
    show(view, as_json, lambda console: console.print(f"nothing is known of {name} any more"))


def _read(file: Path) -> dict[Tenant, dict[str, str]]:
    try:
        if file.stat().st_size > _MAX_BYTES:
            raise Invalid(f"{file} has more than {_MAX_BYTES} bytes: it is no list of tenants")
        lines = file.read_text(encoding="utf-8").splitlines()
    except OSError as error:
        raise Invalid(f"can't read {file}: {error.strerror}") from None
    except UnicodeDecodeError:
        raise Invalid(f"{file} is not UTF-8: write a tenant and its attributes on each line") from None
    known = {}
    for number, line in enumerate(lines, 1):
        if line.strip():
            tenant, *attributes = line.split()
            try:
                known[parse_tenant(tenant)] = parse_attributes(attributes)
            except Invalid as error:
                raise Invalid(f"{file}, line {number}: {error}") from None
    return known


def _draw(console: Console, views: list[TenantView]) -> None:
    for view in views:
        known = " ".join(f"{name}={value}" for name, value in view.attributes.items())
        console.print(f"{view.tenant} {known}")
    if not views:
        console.print("nothing is known of any tenant")

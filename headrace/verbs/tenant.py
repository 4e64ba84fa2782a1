"""`headrace tenant …`."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from bundles.core.errors import Invalid
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
    TenantId,
    example,
)
from headrace.terminal import show

if TYPE_CHECKING:
    from rich.console import Console

    from api.views.tenant import TenantView

app = typer.Typer(
    help="What is known of tenants, for rollouts to go by.", no_args_is_help=True, add_completion=False
)

_MAX_BYTES = 256 * 1024 * 1024


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
    from api.operations.tenants import SetTenant
    from release.core.targeting import parse_attributes

    view = send(
        SetTenant(tenant=tenant, attributes=parse_attributes(attributes), reason=reason),
        Asking(data, database, actor, expect_revision, idempotency_key),
    )
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
    from api.operations.tenants import ImportTenants

    view = send(
        ImportTenants(tenants=_read(file), source=file.name, reason=reason),
        Asking(data, database, actor, expect_revision, idempotency_key),
    )
    show(view, as_json, lambda console: console.print(f"{view.tenants} tenants are known"))


@app.command("list", epilog=example("headrace tenant list"))
def list_(data: Data = DEFAULT_DATA, database: Database = None, as_json: AsJson = False) -> None:
    """List the tenants of whom something is known."""
    from api.core.fields import MANY
    from api.operations.tenants import ListTenants

    views = send_all(ListTenants(limit=MANY), Asking(data, database))
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
    from api.operations.tenants import ClearTenant

    view = send(
        ClearTenant(tenant=tenant, reason=reason),
        Asking(data, database, actor, expect_revision, idempotency_key),
    )
    show(view, as_json, lambda console: console.print(f"nothing is known of {tenant} any more"))


def _read(file: Path) -> dict[str, dict[str, str]]:
    from release.core.names import parse_tenant
    from release.core.targeting import parse_attributes

    try:
        if file.stat().st_size > _MAX_BYTES:
            raise Invalid(f"{file} has more than {_MAX_BYTES} bytes: it is no list of tenants")
        lines = file.read_text(encoding="utf-8").splitlines()
    except OSError as error:
        raise Invalid(f"can't read {file}: {error.strerror}") from None
    except UnicodeDecodeError:
        raise Invalid(f"{file} is not UTF-8: write a tenant and its attributes on each line") from None
    known: dict[str, dict[str, str]] = {}
    for number, line in enumerate(lines, 1):
        if line.strip():
            tenant, *attributes = line.split()
            try:
                known[parse_tenant(tenant)] = parse_attributes(attributes)
            except Invalid as error:
                raise Invalid(f"{file}, line {number}: {error}") from None
    return known


def _draw(console: "Console", views: "list[TenantView]") -> None:
    for view in views:
        known = " ".join(f"{name}={value}" for name, value in view.attributes.items())
        console.print(f"{view.tenant} {known}")
    if not views:
        console.print("nothing is known of any tenant")

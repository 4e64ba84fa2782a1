"""`headrace retire`."""

from typing import TYPE_CHECKING, Annotated

import typer

from bundles.core.limits import DEFAULT_KEEP, MAX_KEEP
from headrace.asking import Asking, send
from headrace.exits import Exit
from headrace.options import (
    DEFAULT_DATA,
    Actor,
    AsJson,
    Data,
    Database,
    IdempotencyKey,
    Reason,
    example,
)
from headrace.terminal import show

if TYPE_CHECKING:
    from rich.console import Console

    from api.views.retirement import RetirementView

app = typer.Typer(add_completion=False)


@app.command(epilog=example("headrace retire posthog-js --keep 20 --older-than 180d --apply"))
def retire(
    products: Annotated[
        str, typer.Argument(metavar="[PRODUCT]", help="A product, or a pattern of them, as in '@acme/*'.")
    ] = "*",
    versions: Annotated[
        list[str] | None,
        typer.Argument(metavar="[VERSION]...", help="These builds of the product, whatever their age."),
    ] = None,
    keep: Annotated[
        int,
        typer.Option(
            "--keep", min=1, max=MAX_KEEP, help="Keep so many newest versions, and so many to roll back to."
        ),
    ] = DEFAULT_KEEP,
    older_than: Annotated[
        str, typer.Option("--older-than", metavar="AGE", help="Retire only what was published so long ago.")
    ] = "90d",
    apply: Annotated[bool, typer.Option("--apply", help="Do it. Without this, nothing is changed.")] = False,
    reason: Reason = "",
    actor: Actor = None,
    idempotency_key: IdempotencyKey = None,
    data: Data = DEFAULT_DATA,
    database: Database = None,
    as_json: AsJson = False,
) -> None:
    """Retire old builds that nobody needs, and remove blobs that no build needs; without --apply, only show it."""
    from api.operations.retirements import RetireBuilds

    asked = RetireBuilds(
        products=products,
        versions=tuple(versions or ()),
        keep=keep,
        older_than=older_than,
        apply=apply,
        reason=reason,
    )
    view = send(asked, Asking(data, database, actor, idempotency_key=idempotency_key))
    show(view, as_json, lambda console: _draw(console, view))
    if not view.is_done:
        raise typer.Exit(Exit.TIMED_OUT)


def _draw(console: "Console", view: "RetirementView") -> None:
    from rich.filesize import decimal

    from bundles.core.retention import Verdict
    from headrace.tables import print_table

    rows = [
        (f"{each.product}@{each.version}", each.published_at, each.verdict, each.reason) for each in view.builds
    ]
    if rows:
        print_table(console, ("build", "published", "verdict", "why"), rows)
    for name in view.retired_already:
        console.print(f"{name} is retired already")
    if not view.is_done and view.applied:
        console.print(
            f"the server's time was over: {view.left} builds are left to retire, and blobs: run it again"
        )
    elif not view.is_done:
        console.print("the server's time was over before all blobs were looked at: there may be more to remove")
    retired = sum(build.verdict is Verdict.RETIRE for build in view.builds)
    freed = f"{view.removed_blobs} blobs of {decimal(view.removed_bytes)}"
    if view.applied:
        console.print(f"{retired} builds retired, {freed} removed")
    else:
        console.print(f"{retired} builds to retire, {freed} to remove: nothing was changed, --apply does it")

"""`headrace retire`."""

from typing import Annotated

import msgspec
import typer
from rich.console import Console
from rich.filesize import decimal

from api.times import format_time
from bundles.core.names import parse_product
from bundles.core.retention import DEFAULT_KEEP, MAX_KEEP, Policy, Verdict
from bundles.core.version import parse_version
from headrace import wiring
from headrace.options import (
    DEFAULT_DATA,
    Actor,
    AsJson,
    Data,
    Database,
    IdempotencyKey,
    Reason,
    actor_or_login,
    example,
)
from headrace.tables import print_table
from headrace.terminal import show
from headrace.verbs.changes import with_control
from release.change import Author, Control
from release.core.plan import parse_duration
from release.retire import Retirement, Wanted, preview_retirement
from release.retire import retire as retire_builds

app = typer.Typer(add_completion=False)


class BuildView(msgspec.Struct, frozen=True):
    """A build's verdict; `published_at` is RFC 3339 in UTC."""

    product: str
    version: str
    published_at: str
    verdict: Verdict
    reason: str


class RetirementView(msgspec.Struct, frozen=True):
    """What was done, or with `applied` false what would be: each build's verdict, and the blobs that go.

    `retired_already` are builds that were named, as product@version, or retired by the same request, and had gone
    before.
    """

    applied: bool
    builds: tuple[BuildView, ...]
    retired_already: tuple[str, ...]
    removed_blobs: int
    removed_bytes: int


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
    wanted = Wanted(
        products=parse_product(products) if versions else products,
        policy=Policy(keep, parse_duration(older_than)),
        named=tuple(parse_version(text) for text in versions or ()),
    )
    author = Author(actor_or_login(actor), reason, key=idempotency_key)

    async def run(control: Control) -> Retirement:
        async with wiring.store(data) as store:
            if apply:
                return await retire_builds(control, store, wanted, author)
            return await preview_retirement(control, store, wanted)

    view = _view(with_control(data, database, run), apply)
    show(view, as_json, lambda console: _draw(console, view))


def _view(retirement: Retirement, applied: bool) -> RetirementView:
    builds = tuple(
        BuildView(
            product=decided.product,
            version=decision.version,
            published_at=format_time(decision.published_at),
            verdict=decision.verdict,
            reason=decision.reason,
        )
        for decided in retirement.products
        for decision in decided.decisions
    )
    already = tuple(f"{each.product}@{version}" for each in retirement.products for version in each.already)
    return RetirementView(applied, builds, already, retirement.garbage.blobs, retirement.garbage.size)


def _draw(console: Console, view: RetirementView) -> None:
    rows = [
        (f"{each.product}@{each.version}", each.published_at, each.verdict, each.reason) for each in view.builds
    ]
    if rows:
        print_table(console, ("build", "published", "verdict", "why"), rows)
    for name in view.retired_already:
        console.print(f"{name} is retired already")
    retired = sum(build.verdict is Verdict.RETIRE for build in view.builds)
    freed = f"{view.removed_blobs} blobs of {decimal(view.removed_bytes)}"
    if view.applied:
        console.print(f"{retired} builds retired, {freed} removed")
    else:
        console.print(f"{retired} builds to retire, {freed} to remove: nothing was changed, --apply does it")

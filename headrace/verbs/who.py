"""`headrace who`."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from headrace.asking import Asking, sending
from headrace.options import (
    DEFAULT_CHANNEL,
    DEFAULT_DATA,
    AsJson,
    ChannelName,
    Data,
    SnapshotDatabase,
    TenantsOption,
    example,
)
from headrace.terminal import show

if TYPE_CHECKING:
    from rich.console import Console

    from api.operations.resolutions import FindHolders, ListHolders
    from api.views.resolution import HoldersView
    from bundles.core.names import Product
    from bundles.core.version import Version

app = typer.Typer(add_completion=False)


@app.command(epilog=example("headrace who posthog-js@1.4.2 --tenants tenants.txt"))
def who(
    product: Annotated[
        str, typer.Argument(metavar="BUILD", help="A build, as product@version or product version.")
    ],
    version: Annotated[
        str | None, typer.Argument(metavar="[VERSION]", help="Its version, where it is apart.")
    ] = None,
    tenants: TenantsOption = None,
    channel: ChannelName = DEFAULT_CHANNEL,
    data: Data = DEFAULT_DATA,
    database: SnapshotDatabase = None,
    as_json: AsJson = False,
) -> None:
    """List who is left on a build, of the tenants that are known."""
    import anyio

    from headrace.build_name import parse_build

    name, build = parse_build(product if version is None else f"{product}@{version}")
    answer = anyio.run(_holders, _asked(name, build, channel, tenants), Asking(data, database))
    show(answer, as_json, lambda console: _draw(console, answer))


def _asked(
    product: "Product", version: "Version", channel: str, tenants: Path | None
) -> "ListHolders | FindHolders":
    from api.operations.resolutions import MOST_HOLDERS, FindHolders, ListHolders
    from headrace.tenant_list import read_tenants

    if tenants is None:
        return ListHolders(product=product, version=version, channel=channel, limit=MOST_HOLDERS)
    named = tuple(read_tenants(tenants))
    return FindHolders(product=product, version=version, tenants=named, channel=channel, limit=MOST_HOLDERS)


async def _holders(asked: "ListHolders | FindHolders", asking: Asking) -> "HoldersView":
    """All of them, on one page."""
    import msgspec

    async with sending(type(asked), asking) as ask:
        answer = page = await ask(asked)
        while page.next is not None:
            page = await ask(msgspec.structs.replace(asked, cursor=page.next))
            answer = msgspec.structs.replace(page, holders=(*answer.holders, *page.holders))
    return answer


def _draw(console: "Console", answer: "HoldersView") -> None:
    count = f"{len(answer.holders)} of {answer.known} known tenants and environments"
    console.print(f"{answer.product}@{answer.version}: {count}")
    for holder in answer.holders:
        console.print(f"{holder.tenant} ({holder.environment}): {holder.reason}")

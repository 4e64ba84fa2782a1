"""`headrace who`."""

from typing import Annotated

import anyio
import msgspec
import typer
from rich.console import Console

from headrace import wiring
from headrace.options import (
    DEFAULT_DATA,
    AsJson,
    ChannelName,
    Data,
    SnapshotDatabase,
    example,
    parse_build,
)
from headrace.tenant_list import TenantsOption, read_tenants
from headrace.terminal import show
from release.adapters.system_clock import SystemClock
from release.core.moves import Holder
from release.core.names import STABLE, parse_channel
from release.why import Held, find_holders

app = typer.Typer(add_completion=False)


class Who(msgspec.Struct, frozen=True):
    """The answer of `headrace who`: of so many known tenants, those that get the build."""

    product: str
    version: str
    channel: str
    revision: int
    known: int
    holders: list[Holder]


@app.command(epilog=example("headrace who posthog-js@1.4.2 --tenants tenants.txt"))
def who(
    product: Annotated[
        str, typer.Argument(metavar="BUILD", help="A build, as product@version or product version.")
    ],
    version: Annotated[
        str | None, typer.Argument(metavar="[VERSION]", help="Its version, where it is apart.")
    ] = None,
    tenants: TenantsOption = None,
    channel: ChannelName = STABLE,
    data: Data = DEFAULT_DATA,
    database: SnapshotDatabase = None,
    as_json: AsJson = False,
) -> None:
    """List who is left on a build, of the tenants that are known."""
    name, build = parse_build(product if version is None else f"{product}@{version}")
    target = parse_channel(channel)
    known = read_tenants(tenants)

    async def run() -> Held:
        trusted = wiring.trusted_keys(data)
        async with wiring.snapshot_store(data, database) as snapshots:
            return await find_holders(snapshots, trusted, SystemClock(), name, build, target, known)

    held = anyio.run(run)
    answer = Who(name, build, target, held.revision, held.known, held.holders)
    show(answer, as_json, lambda console: _draw(console, answer))


def _draw(console: Console, answer: Who) -> None:
    count = f"{len(answer.holders)} of {answer.known} known tenants and environments"
    console.print(f"{answer.product}@{answer.version}: {count}")
    for holder in answer.holders:
        console.print(f"{holder.tenant} ({holder.environment}): {holder.reason}")

"""`headrace publish`."""

from pathlib import Path
from typing import Annotated

import anyio
import msgspec
import typer
from rich.console import Console
from rich.table import Table

from bundles.adapters.directory import Directory
from bundles.core.budget import parse_budget
from bundles.core.compress import Encoding
from bundles.core.manifest import Manifest
from bundles.core.names import parse_product
from bundles.core.size import parse_size
from bundles.core.version import parse_version
from bundles.cores import Cores
from bundles.deltas import MAX_BASES
from bundles.order import Order, Publisher
from bundles.publish import Published
from bundles.publish import publish as publish_build
from headrace import wiring
from headrace.options import DEFAULT_DATA, AsJson, Data, example
from headrace.terminal import progress, show
from release.core.held import held_builds
from release.core.names import STABLE, parse_channel
from release.snapshot import read_table

EPILOG = example("headrace publish dist --product posthog-js --version 1.4.2")


def publish(
    directory: Annotated[Path, typer.Argument(metavar="DIR", help="The folder that your build system wrote.")],
    product: Annotated[str, typer.Option("--product", help="The product that this is a build of.")],
    version: Annotated[str, typer.Option("--version", help="The build's exact version; never used again.")],
    include: Annotated[
        list[str] | None,
        typer.Option("--include", help="Publish this file or folder of DIR only; may be repeated."),
    ] = None,
    budget: Annotated[
        list[str] | None,
        typer.Option(
            "--budget",
            metavar="PATTERN=LIMIT",
            help="Refuse if a file has more br bytes ('*.js=60kB') or grew by more ('*.js=+5%', '*.js=+2kB').",
        ),
    ] = None,
    channel: Annotated[
        str, typer.Option("--channel", help="Whose builds clients hold: deltas are made against them.")
    ] = STABLE,
    deltas: Annotated[
        int, typer.Option("--deltas", min=0, max=MAX_BASES, help="Make deltas against so many of those builds.")
    ] = 3,
    delta_bytes: Annotated[
        str, typer.Option("--delta-budget", metavar="SIZE", help="The most bytes that the deltas may have in all.")
    ] = "16MiB",
    data: Data = DEFAULT_DATA,
    as_json: AsJson = False,
) -> None:
    """Make an immutable, signed, compressed build. What tenants are served does not change."""
    parsed = parse_product(product), parse_version(version)
    budgets = tuple(parse_budget(text) for text in budget or ())
    most_delta_bytes = parse_size(delta_bytes)
    parsed_channel = parse_channel(channel)
    source = Directory(directory, include or ())
    keys = wiring.keys(data)
    signing_key = keys.signing_key()

    async def run() -> Published:
        table = await read_table(wiring.snapshots(data), keys.trusted_keys())
        routes = None if table is None else table.products.get(parsed[0])
        bases = [] if routes is None else held_builds(routes, parsed_channel, deltas)
        order = Order(*parsed, source, bases=tuple(bases), delta_bytes=most_delta_bytes, budgets=budgets)
        async with wiring.store(data) as store:
            publisher = Publisher(store, signing_key, keys.trusted_keys(), Cores())
            with progress(f"{product}@{version}", len(source.paths)) as advance:
                return await publish_build(publisher, order, lambda _: advance())

    published = anyio.run(run)
    show(_document(published), as_json, lambda console: _draw(console, published))


def _document(published: Published) -> dict[str, object]:
    manifest = msgspec.to_builtins(published.manifest)
    return {"created": published.created, **manifest}


def _draw(console: Console, published: Published) -> None:
    manifest = published.manifest
    state = "published" if published.created else "already published, nothing changed:"
    console.print(f"{state} {manifest.product}@{manifest.version}")
    console.print(_sizes(manifest))


def _sizes(manifest: Manifest) -> Table:
    table = Table("file", *(str(encoding) for encoding in Encoding), box=None, pad_edge=False)
    bases = list(dict.fromkeys(delta.base for artifact in manifest.artifacts for delta in artifact.deltas))
    for base in bases:
        table.add_column(f"dcz from {base}")
    table.add_column("integrity", overflow="fold")
    for artifact in manifest.artifacts:
        sizes = {variant.encoding: str(variant.size) for variant in artifact.variants}
        deltas = {delta.base: str(delta.size) for delta in artifact.deltas}
        cells = [*(sizes.get(encoding, "-") for encoding in Encoding), *(deltas.get(base, "-") for base in bases)]
        table.add_row(artifact.path, *cells, artifact.integrity)
    return table

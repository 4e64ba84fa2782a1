"""`headrace publish`."""

from pathlib import Path
from typing import Annotated

import anyio
import msgspec
import typer
from rich.console import Console
from rich.table import Table

from bundles.adapters.directory import Directory
from bundles.core.compress import Encoding
from bundles.core.manifest import Manifest
from bundles.core.names import parse_product
from bundles.core.version import parse_version
from bundles.publish import Published
from bundles.publish import publish as publish_build
from headrace import wiring
from headrace.options import DEFAULT_DATA, AsJson, Data, example
from headrace.terminal import progress, show

EPILOG = example("headrace publish dist --product posthog-js --version 1.4.2")


def publish(
    directory: Annotated[Path, typer.Argument(metavar="DIR", help="The folder that your build system wrote.")],
    product: Annotated[str, typer.Option("--product", help="The product that this is a build of.")],
    version: Annotated[str, typer.Option("--version", help="The build's exact version; never used again.")],
    include: Annotated[
        list[str] | None,
        typer.Option("--include", help="Publish this file or folder of DIR only; may be repeated."),
    ] = None,
    data: Data = DEFAULT_DATA,
    as_json: AsJson = False,
) -> None:
    """Make an immutable, signed, compressed build. What tenants are served does not change."""
    parsed = parse_product(product), parse_version(version)
    source = Directory(directory, include or ())
    keys = wiring.keys(data)
    signing_key = keys.signing_key()

    async def run() -> Published:
        async with wiring.store(data) as store:
            with progress(f"{product}@{version}", len(source.paths)) as advance:
                return await publish_build(
                    store, signing_key, keys.trusted_keys(), *parsed, source, lambda _: advance()
                )

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
    table.add_column("integrity", overflow="fold")
    for artifact in manifest.artifacts:
        sizes = {variant.encoding: str(variant.size) for variant in artifact.variants}
        cells = (sizes.get(encoding, "-") for encoding in Encoding)
        table.add_row(artifact.path, *cells, artifact.integrity)
    return table

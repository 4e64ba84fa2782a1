"""`headrace publish`."""

from pathlib import Path
from typing import Annotated

import anyio
import msgspec
import typer
from rich.console import Console
from rich.table import Column

from bundles.core.compress import Encoding
from bundles.core.manifest import Manifest
from bundles.core.names import parse_product
from bundles.core.size import parse_size
from bundles.core.version import parse_version
from bundles.cores import Cores
from bundles.deltas import MAX_BASES
from bundles.order import Order, Publisher
from bundles.ports import ArtifactSource
from bundles.publish import Published
from bundles.publish import publish as publish_build
from headrace import wiring
from headrace.held import Held
from headrace.options import (
    DEFAULT_DATA,
    AllowSecretOption,
    AsJson,
    BudgetOption,
    Data,
    SigningKey,
    SnapshotDatabase,
    SourceMapsOption,
    example,
)
from headrace.provenance_options import (
    AttestationOption,
    BuilderOption,
    CommitOption,
    Given,
    InputOption,
    RepositoryOption,
    SbomFileOption,
    SbomOption,
)
from headrace.publish_rules import parse_rules
from headrace.tables import print_table
from headrace.terminal import progress, show
from release.core.names import STABLE, Channel, parse_channel

app = typer.Typer(add_completion=False)


@app.command(epilog=example("headrace publish dist --product posthog-js --version 1.4.2"))
def publish(
    files: Annotated[
        Path, typer.Argument(metavar="FILES", help="What your build system wrote: a folder, tar, tgz or zip.")
    ],
    product: Annotated[str, typer.Option("--product", help="The product that this is a build of.")],
    version: Annotated[str, typer.Option("--version", help="The build's exact version; never used again.")],
    include: Annotated[
        list[str] | None,
        typer.Option("--include", help="Publish this file or folder of FILES only; may be repeated."),
    ] = None,
    source_maps: SourceMapsOption = False,
    allow_secret: AllowSecretOption = None,
    budget: BudgetOption = None,
    channel: Annotated[
        str, typer.Option("--channel", help="Whose builds clients hold: deltas are made against them.")
    ] = STABLE,
    deltas: Annotated[
        int, typer.Option("--deltas", min=0, max=MAX_BASES, help="Make deltas against so many of those builds.")
    ] = 3,
    delta_bytes: Annotated[
        str, typer.Option("--delta-budget", metavar="SIZE", help="The most bytes that the deltas may have in all.")
    ] = "16MiB",
    key: SigningKey = None,
    commit: CommitOption = None,
    source_repository: RepositoryOption = None,
    builder: BuilderOption = None,
    input_: InputOption = None,
    attestation: AttestationOption = None,
    sbom: SbomOption = None,
    sbom_file: SbomFileOption = None,
    data: Data = DEFAULT_DATA,
    database: SnapshotDatabase = None,
    as_json: AsJson = False,
) -> None:
    """Make an immutable, signed, compressed build. What tenants are served does not change."""
    parsed = parse_product(product), parse_version(version)
    parsed_channel = parse_channel(channel)
    given = Given(commit, source_repository, builder, input_ or (), sbom, sbom_file)
    rules = parse_rules(data, budget, allow_secret, given, attestation, source_maps=source_maps)
    order = msgspec.structs.replace(rules.order(*parsed, files), delta_bytes=parse_size(delta_bytes))
    with wiring.source(files, include or ()) as source:
        published = anyio.run(_publish, data, database, key, order, source, parsed_channel, deltas)
    show(_document(published), as_json, lambda console: _draw(console, published))


async def _publish(
    data: Path,
    database: str | None,
    key: Path | None,
    order: Order,
    source: ArtifactSource,
    channel: Channel,
    deltas: int,
) -> Published:
    signing_key, trusted = wiring.publishing_keys(data, key)
    held = Held(await wiring.routing_table(data, database, trusted), channel)
    async with wiring.store(data) as store:
        publisher = Publisher(store, signing_key, trusted, Cores())
        with progress(f"{order.product}@{order.version}", len(source.paths)) as advance:
            return await publish_build(publisher, held.complete(order, deltas), source, lambda _: advance())


def _document(published: Published) -> dict[str, object]:
    document = msgspec.to_builtins(published)
    return {**document.pop("manifest"), **document}


def _draw(console: Console, published: Published) -> None:
    manifest = published.manifest
    unchanged = f"{published.mended} damaged blobs mended" if published.mended else "nothing changed"
    state = "published" if published.created else f"already published, {unchanged}:"
    console.print(f"{state} {manifest.product}@{manifest.version}")
    for each in published.unmeasured:
        console.print(f"the budget {each.budget} was not measured: {each.why}")
    _draw_sizes(console, manifest)


def _draw_sizes(console: Console, manifest: Manifest) -> None:
    bases = list(dict.fromkeys(delta.base for artifact in manifest.artifacts for delta in artifact.deltas))
    columns = ["file", *map(str, Encoding), *(f"dcz from {base}" for base in bases)]
    rows = []
    for artifact in manifest.artifacts:
        sizes = {variant.encoding: str(variant.size) for variant in artifact.variants}
        deltas = {delta.base: str(delta.size) for delta in artifact.deltas}
        cells = [*(sizes.get(encoding, "-") for encoding in Encoding), *(deltas.get(base, "-") for base in bases)]
        rows.append((artifact.path, *cells, artifact.integrity))
    print_table(console, (*columns, Column("integrity", overflow="fold")), rows)

"""`headrace publish`."""

from pathlib import Path
from typing import Annotated

import anyio
import msgspec
import typer
from rich.console import Console
from rich.table import Column

from api.operations.publishing import PublishBuild
from api.publish import order_of
from api.views.published import PublishedView, view_published
from bundles.core.compress import Encoding
from bundles.core.limits import MAX_BASES
from bundles.cores import Cores
from bundles.order import Order, Publisher
from bundles.ports import ArtifactSource
from bundles.publish import Published
from bundles.publish import publish as publish_build
from headrace import uploads, wiring
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
from headrace.profiles import chosen_profile
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
from headrace.publish_rules import Made, made_of
from headrace.tables import print_table
from headrace.terminal import progress, show
from release.core.names import STABLE, Channel, parse_channel
from release.held import Held

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
    """Make an immutable, signed, compressed build. What tenants are served does not change.

    Where HEADRACE_PROFILE or HEADRACE_SERVER names a server, it makes the build and signs it: the files are packed
    and looked at for secrets here, and sent there.
    """
    asked = PublishBuild(
        product=product,
        version=version,
        include=tuple(include or ()),
        source_maps=source_maps,
        allow_secret=tuple(allow_secret or ()),
        budget=tuple(budget or ()),
        channel=channel,
        deltas=deltas,
        delta_budget=delta_bytes,
    )
    given = Given(commit, source_repository, builder, input_ or (), sbom, sbom_file)
    if (profile := chosen_profile()) is not None:
        uploads.refuse_local_options(data, database, key, given, attestation)
        view = uploads.publish_there(profile, uploads.with_surroundings(asked, given), files)
    else:
        view = _publish_here(asked, files, made_of(data, given, attestation, files), data, database, key)
    show(view, as_json, lambda console: _draw(console, view))


def _publish_here(
    asked: PublishBuild, files: Path, made: Made, data: Path, database: str | None, key: Path | None
) -> PublishedView:
    order, clients = order_of(asked), parse_channel(asked.channel)
    order = msgspec.structs.replace(order, provenance=made.provenance, attestations=made.attestations)
    with wiring.source(files, asked.include) as source:
        return view_published(anyio.run(_publish, data, database, key, order, source, clients, asked.deltas))


async def _publish(
    data: Path,
    database: str | None,
    key: Path | None,
    order: Order,
    source: ArtifactSource,
    channel: Channel,
    deltas: int,
) -> Published:
    """What the operation does, with the files where they are and with a key that may be a tenant's."""
    signing_key, trusted = wiring.publishing_keys(data, key)
    held = Held(await wiring.routing_table(data, database, trusted), channel)
    async with wiring.store(data) as store:
        publisher = Publisher(store, signing_key, trusted, Cores())
        with progress(f"{order.product}@{order.version}", len(source.paths)) as advance:
            return await publish_build(publisher, held.complete(order, deltas), source, lambda _: advance())


def _draw(console: Console, view: PublishedView) -> None:
    unchanged = f"{view.mended} damaged blobs mended" if view.mended else "nothing changed"
    state = "published" if view.created else f"already published, {unchanged}:"
    console.print(f"{state} {view.product}@{view.version}")
    for each in view.unmeasured:
        console.print(f"the budget {each.budget} was not measured: {each.why}")
    _draw_sizes(console, view)


def _draw_sizes(console: Console, view: PublishedView) -> None:
    bases = list(dict.fromkeys(delta.base for artifact in view.artifacts for delta in artifact.deltas))
    columns = ["file", *map(str, Encoding), *(f"dcz from {base}" for base in bases)]
    rows = []
    for artifact in view.artifacts:
        sizes = {variant.encoding: str(variant.size) for variant in artifact.variants}
        deltas = {delta.base: str(delta.size) for delta in artifact.deltas}
        cells = [*(sizes.get(encoding, "-") for encoding in Encoding), *(deltas.get(base, "-") for base in bases)]
        rows.append((artifact.path, *cells, artifact.integrity))
    print_table(console, (*columns, Column("integrity", overflow="fold")), rows)

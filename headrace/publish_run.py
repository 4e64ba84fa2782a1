"""What `headrace publish` does in a data folder, and says."""

from pathlib import Path

import anyio
import msgspec
from rich.console import Console
from rich.table import Column

from api.operations.publishing import PublishBuild
from api.publish import order_of
from api.views.published import PublishedView, view_published
from bundles.core.compress import Encoding
from bundles.cores import Cores
from bundles.order import Order, Publisher
from bundles.ports import ArtifactSource
from bundles.publish import Published
from bundles.publish import publish as publish_build
from headrace import publish_wiring, wiring
from headrace.publish_rules import Made
from headrace.tables import print_table
from headrace.terminal import progress
from release.core.names import Channel, parse_channel
from release.held import Held


def publish_here(
    asked: PublishBuild, files: Path, made: Made, data: Path, database: str | None, key: Path | None
) -> PublishedView:
    """The build of these files in the data folder, signed by its key or that in a file."""
    order, clients = order_of(asked), parse_channel(asked.channel)
    order = msgspec.structs.replace(order, provenance=made.provenance, attestations=made.attestations)
    with publish_wiring.source(files, asked.include) as source:
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


def draw_published(console: Console, view: PublishedView) -> None:
    """The build, and the sizes of its files."""
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

"""A released build's file, which an origin and an edge are asked for."""

from urllib.parse import quote

import msgspec

from bundles.core.compress import Encoding
from bundles.core.manifest import Artifact
from bundles.core.names import Product
from bundles.core.urls import exact_url
from bundles.core.version import Version
from bundles.load import load_build
from headrace import wiring
from headrace.doctor.setup import Setup
from release.core.names import Channel
from release.core.routing import RoutingTable


class Sample(msgspec.Struct, frozen=True):
    """The file of a channel's stable build that is the smallest of those with a br variant."""

    product: Product
    channel: Channel
    version: Version
    artifact: Artifact

    @property
    def exact_url(self) -> str:
        """The path of its bytes."""
        return exact_url(self.product, self.version, self.artifact.path)

    @property
    def moving_url(self) -> str:
        """The path that leads there."""
        return quote(f"/{self.product}@{self.channel}/{self.artifact.path}", safe="/@")


async def find_sample(setup: Setup) -> Sample | None:
    """A released build's file; None where nothing was released."""
    trusted = wiring.keys(setup.data).trusted_keys()
    table = await wiring.routing_table(setup.data, setup.database, trusted)
    released = None if table is None else _released(table)
    if released is None:
        return None
    product, channel, version = released
    async with wiring.store(setup.data) as store:
        manifest = await load_build(store, trusted, product, version)
    if manifest is None:
        return None
    artifact = min(manifest.artifacts, key=lambda each: (not _has_br(each), each.variants[0].size))
    return Sample(product, channel, version, artifact)


def _released(table: RoutingTable) -> tuple[Product, Channel, Version] | None:
    return next(
        (
            (product, channel, state.stable)
            for product, routes in sorted(table.products.items())
            for channel, state in sorted(routes.channels.items())
            if state.stable is not None and state.stable not in routes.blocks
        ),
        None,
    )


def _has_br(artifact: Artifact) -> bool:
    return any(variant.encoding is Encoding.BR for variant in artifact.variants)

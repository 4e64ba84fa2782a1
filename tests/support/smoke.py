"""Candidates to run smoke tests on: real builds in a real store."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from bundles.adapters.directory import directory
from bundles.core.manifest import manifest_digest
from bundles.core.names import Product
from bundles.core.version import Version
from bundles.cores import Cores
from bundles.load import load_build
from bundles.order import Order, Publisher
from bundles.ports import Store
from bundles.publish import publish
from headrace import wiring
from release.change import Control
from release.core.names import STABLE
from release.ports import Candidate
from tests.support.cli import write_build

SDK = Product("sdk")
ONE = Version("1.0.0")


async def publish_files(
    data: Path, files: dict[str, str | bytes], version: Version = ONE, product: Product = SDK
) -> None:
    """A build of these files, in the data folder's store."""
    keys = wiring.keys(data)
    source = directory(write_build(data.parent / f"{product}-{version}", files))
    async with wiring.store(data) as store:
        publisher = Publisher(store, keys.signing_key(), keys.trusted_keys(), Cores())
        await publish(publisher, Order(product, version), source, lambda _: None)


@asynccontextmanager
async def candidate(data: Path, files: dict[str, str | bytes]) -> AsyncIterator[tuple[Store, Candidate]]:
    """A store, and a build in it that is on its way to the stable channel."""
    await publish_files(data, files)
    async with wiring.store(data) as store:
        manifest = await load_build(store, wiring.trusted_keys(data), SDK, ONE)
        assert manifest is not None
        yield store, Candidate(STABLE, manifest, manifest_digest(manifest))


@asynccontextmanager
async def control_of(data: Path, *versions: Version) -> AsyncIterator[Control]:
    """A control plane with published builds."""
    for version in versions:
        await publish_files(data, {"sdk.js": f"globalThis.sdk = '{version}';"}, version)
    async with wiring.control(data) as control:
        yield control

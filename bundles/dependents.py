"""Dependents: what nobody would believe any more without one key."""

from bundles.core.envelope import signers
from bundles.core.manifest import PAYLOAD_TYPE
from bundles.core.names import Product
from bundles.core.trust import TrustedKeys
from bundles.core.version import Version
from bundles.manifests import each_manifest
from bundles.ports import BuildReader


async def dependents(store: BuildReader, trusted: TrustedKeys, key_id: str) -> list[tuple[Product, Version]]:
    """The builds that are signed by that trusted key alone, sorted by product."""
    found: list[tuple[Product, Version]] = []

    async def look(product: Product, version: Version, sealed: bytes) -> None:
        if signers(PAYLOAD_TYPE, sealed, trusted, product) == {key_id}:
            found.append((product, version))

    await each_manifest(store, look)
    return sorted(found)

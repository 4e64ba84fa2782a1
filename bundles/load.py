"""Read a build's manifest and believe it only once its signature holds."""

from bundles.core.envelope import unseal
from bundles.core.manifest import PAYLOAD_TYPE, Manifest, decode_manifest
from bundles.core.names import Product
from bundles.core.trust import TrustedKeys
from bundles.core.version import Version
from bundles.ports import BuildReader


async def load_build(
    store: BuildReader, trusted: TrustedKeys, product: Product, version: Version
) -> Manifest | None:
    """The verified manifest of a build, or None when it was never published."""
    sealed = await store.read_manifest(product, version)
    if sealed is None:
        return None
    return open_manifest(sealed, trusted, product, version)


def open_manifest(sealed: bytes, trusted: TrustedKeys, product: Product, version: Version) -> Manifest:
    """The manifest in an envelope, once its signature holds. Raises `Failed`."""
    payload = unseal(PAYLOAD_TYPE, sealed, trusted, f"the manifest of {product}@{version}", product)
    return decode_manifest(payload, product, version)

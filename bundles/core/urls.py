"""The URL path that names a build's file."""

from urllib.parse import quote

from bundles.core.names import ArtifactPath, Product
from bundles.core.version import Version


def exact_url(product: Product, version: Version, path: ArtifactPath) -> str:
    """The URL path that names these bytes for ever."""
    return quote(f"/{product}@{version}/{path}", safe="/@")

"""The URL paths that name a build's files."""

from urllib.parse import quote

from bundles.core.names import ArtifactPath, Product
from bundles.core.version import Version


def exact_url(product: Product, version: Version, path: ArtifactPath) -> str:
    """The URL path that names these bytes for ever."""
    return quote(f"/{product}@{version}/{path}", safe="/@")


def any_version_url(product: Product, path: ArtifactPath) -> str:
    """The URL pattern (WHATWG) of this file in every build; nothing that `quote` leaves has a meaning there."""
    return quote(f"/{product}@", safe="/@") + "*" + quote(f"/{path}", safe="/@")

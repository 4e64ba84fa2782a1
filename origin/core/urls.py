"""The URL pattern that names a file in every build."""

from urllib.parse import quote

from bundles.core.names import ArtifactPath, Product


def any_version_url(product: Product, path: ArtifactPath) -> str:
    """The URL pattern (WHATWG) of this file in every build; nothing that `quote` leaves has a meaning there."""
    return quote(f"/{product}@", safe="/@") + "*" + quote(f"/{path}", safe="/@")

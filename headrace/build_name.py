"""Builds as a person names them."""

from bundles.core.errors import Invalid
from bundles.core.names import Product, parse_product
from bundles.core.version import Version, parse_version


def parse_build(text: str) -> tuple[Product, Version]:
    """A build from `product@version`."""
    product, at, version = text.rpartition("@")
    if not at or not product:
        raise Invalid(f"{text!r} is no build: write product@version, as in posthog-js@1.4.2")
    return parse_product(product), parse_version(version)

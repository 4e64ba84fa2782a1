"""Builds as their users see them."""

import msgspec

from api.core.page import Page
from bundles.attestations import Attested
from bundles.core.digest import Digest
from bundles.core.manifest import Artifact
from bundles.core.names import Product
from bundles.core.provenance import Provenance
from bundles.core.version import Version


class ProductView(msgspec.Struct, frozen=True):
    """A product with a published build."""

    product: Product


class BuildView(msgspec.Struct, frozen=True):
    """A published build; `published_at` is RFC 3339 in UTC."""

    product: Product
    version: Version
    published_at: str


class ManifestView(msgspec.Struct, frozen=True):
    """What a build is made of. `digest` is that of its manifest, and so of all of it; sizes are in bytes."""

    product: Product
    version: Version
    digest: Digest
    artifacts: Page[Artifact]


class ProvenanceView(msgspec.Struct, frozen=True):
    """What is recorded of how a build was made, and what is known of each attestation now."""

    product: Product
    version: Version
    recorded: Provenance
    attestations: tuple[Attested, ...]

"""Builds as their users see them."""

from typing import TYPE_CHECKING

import msgspec

from api.core.page import Page
from api.times import format_time
from bundles.attestations import Attested
from bundles.core.digest import Digest
from bundles.core.manifest import Artifact
from bundles.core.names import Product
from bundles.core.provenance import Provenance
from bundles.core.version import Version

if TYPE_CHECKING:
    from release.publications import Publication


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


class PublicationView(msgspec.Struct, frozen=True, kw_only=True):
    """Who published a build, by the audit trail's row at this revision; `at` is RFC 3339 in UTC.

    With `was_there` the build existed before its row was written: it may have been made by somebody else.
    """

    actor: str
    at: str
    revision: int
    was_there: bool


class ProvenanceView(msgspec.Struct, frozen=True):
    """What is recorded of how a build was made, and what is known of each attestation now.

    `published` is null where the audit trail has no row of this build, as of what was published beside it.
    """

    product: Product
    version: Version
    recorded: Provenance
    attestations: tuple[Attested, ...]
    published: PublicationView | None


def view_publication(publication: "Publication") -> PublicationView:
    """The row for its readers."""
    return PublicationView(
        actor=publication.actor,
        at=format_time(publication.at),
        revision=publication.revision,
        was_there=publication.was_there,
    )

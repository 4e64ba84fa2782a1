"""What came of a publish as its users see it."""

from typing import TYPE_CHECKING

import msgspec

from bundles.core.budget import Unmeasured
from bundles.core.manifest import Artifact
from bundles.core.names import Product
from bundles.core.provenance import Provenance
from bundles.core.version import Version

if TYPE_CHECKING:
    from bundles.publish import Published


class PublishedView(msgspec.Struct, frozen=True):
    """A published build; `created` is false where the same publish had made it before.

    `mended` is how many of its blobs were lost or damaged and are whole again. `unmeasured` are the budgets that
    it was not held to. `provenance` is there where something is recorded.
    """

    product: Product
    version: Version
    artifacts: tuple[Artifact, ...]
    created: bool
    mended: int
    unmeasured: tuple[Unmeasured, ...]
    provenance: Provenance | msgspec.UnsetType = msgspec.UNSET


def view_published(published: "Published") -> PublishedView:
    """The build for its users."""
    manifest = published.manifest
    return PublishedView(
        product=manifest.product,
        version=manifest.version,
        artifacts=manifest.artifacts,
        created=published.created,
        mended=published.mended,
        unmeasured=published.unmeasured,
        provenance=msgspec.UNSET if manifest.provenance is None else manifest.provenance,
    )

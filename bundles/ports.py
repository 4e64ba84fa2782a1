"""What publishing needs from outside: a store for builds."""

from collections.abc import AsyncIterator, Sequence
from typing import Protocol

from bundles.core.digest import Digest
from bundles.core.names import ArtifactPath, Product
from bundles.core.version import Version


class BlobMissing(LookupError):
    """The store has no blob of this digest."""


class BuildReader(Protocol):
    """The half of a store that the data plane may use. Failing surroundings raise `Failed`."""

    async def read_manifest(self, product: Product, version: Version) -> bytes | None:
        """The sealed manifest, or None when there is no such build."""
        ...

    def read_blob(self, digest: Digest) -> AsyncIterator[bytes]:
        """The blob in chunks. Raises `BlobMissing`. The bytes are as stored: the caller checks the digest."""
        ...

    async def versions(self, product: Product) -> Sequence[Version]:
        """The product's published versions, oldest precedence first; empty for an unknown product."""
        ...

    async def products(self) -> Sequence[Product]:
        """Every product with a published build, sorted."""
        ...


class Store(BuildReader, Protocol):
    """Where builds live. Blobs are named by their content; a build exists once its manifest does."""

    async def put_blob(self, digest: Digest, data: bytes) -> None:
        """Keep the blob durably. Putting it again is harmless."""
        ...

    async def create_manifest(self, product: Product, version: Version, sealed: bytes) -> bool:
        """Make the build exist, durably and in one step. False when it exists already: nothing changed."""
        ...


class ArtifactSource(Protocol):
    """What a build system made, already checked: safe paths, regular files, bounded sizes."""

    @property
    def paths(self) -> Sequence[ArtifactPath]:
        """Every artifact's path, sorted; at least one."""
        ...

    def size(self, path: ArtifactPath) -> int:
        """About how many bytes the artifact has: what is large is worked on first."""
        ...

    def read(self, path: ArtifactPath) -> bytes:
        """The artifact's bytes; blocks."""
        ...

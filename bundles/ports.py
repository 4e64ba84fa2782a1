"""What publishing needs from outside: a store for builds, artifacts, and who knows Sigstore's certificates."""

from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from typing import Protocol

import msgspec

from bundles.core.attestation import Attestation
from bundles.core.builders import Identity, Verdict
from bundles.core.digest import Digest
from bundles.core.names import ArtifactPath, Product
from bundles.core.span import Span
from bundles.core.version import Version


class BlobMissing(LookupError):
    """The store has no blob of this digest."""


class BuildReader(Protocol):
    """The half of a store that the data plane may use. Failing surroundings raise `Failed`."""

    async def read_manifest(self, product: Product, version: Version) -> bytes | None:
        """The sealed manifest, or None when there is no such build."""
        ...

    def read_blob(self, digest: Digest, span: Span | None = None) -> AsyncIterator[bytes]:
        """The blob, or that span of it, in chunks. Raises `BlobMissing`.

        The bytes are as stored, fewer where the blob was cut: the caller checks the digest or the size.
        """
        ...

    async def versions(self, product: Product) -> Sequence[Version]:
        """The product's published versions, oldest precedence first; empty for an unknown product."""
        ...

    async def products(self) -> Sequence[Product]:
        """Every product with a published build, sorted."""
        ...


class StoredBlob(msgspec.Struct, frozen=True):
    """A blob that a store holds: its size in bytes, and when it was put there, in seconds since the epoch."""

    digest: Digest
    size: int
    stored_at: int


class Sweeper(Protocol):
    """What may be done to a store only while nobody publishes."""

    async def retire_manifest(self, product: Product, version: Version) -> None:
        """Make the build stop existing, durably and in one step, for ever; harmless where it has already."""
        ...

    async def remove_blobs(self, digests: Sequence[Digest]) -> None:
        """Take the blobs away; harmless for those that are gone already."""
        ...

    async def remove_unfinished(self) -> None:
        """Take away what publishers that were killed left half-written; it was never to be seen."""
        ...


class Store(BuildReader, Protocol):
    """Where builds live. Blobs are named by their content; a build exists once its manifest does."""

    async def is_retired(self, product: Product, version: Version) -> bool:
        """True for a build that existed once: its version is never used again, since caches may hold its files."""
        ...

    async def published_at(self, product: Product) -> Mapping[Version, int]:
        """When each of the product's builds was published, in seconds since the epoch, by the store's clock."""
        ...

    def blobs(self) -> AsyncIterator[StoredBlob]:
        """Every blob, whether a build needs it or not."""
        ...

    async def has_blob(self, digest: Digest) -> bool:
        """True where the blob is there and its bytes have the digest."""
        ...

    async def put_blob(self, digest: Digest, data: bytes) -> None:
        """Keep the blob durably. Putting it again is harmless, and mends one that is damaged."""
        ...

    async def create_manifest(self, product: Product, version: Version, sealed: bytes) -> bool:
        """Make the build exist, durably and in one step. False when it exists or is retired: nothing changed."""
        ...

    async def replace_manifest(self, product: Product, version: Version, sealed: bytes) -> None:
        """Put another envelope of the same payload in place of a build's, durably and in one step.

        Only within `publishing`: a build must not be retired meanwhile. For `published_at` it is a new one.
        """
        ...

    def publishing(self) -> AbstractAsyncContextManager[None]:
        """Keeps sweepers out from the first `put_blob` to `create_manifest`, beside any number of publishers.

        That is what makes it safe to put a blob that the store has already: it is not written again, and no build
        may need it yet, but a sweeper that would take it away can't begin, and one that has begun is waited for.
        One may be held within another. A publisher that is killed lets go of it by itself, within minutes.
        """
        ...

    def sweeping(self) -> AbstractAsyncContextManager[Sweeper]:
        """Keeps publishers and other sweepers out. Raises `Conflict` where one is at work."""
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


class CertificateVerifier(Protocol):
    """Verifies attestations that a Sigstore certificate, not a key, vouches for."""

    def verify(self, attestation: Attestation, trusted: Collection[Identity]) -> Verdict:
        """Whether one of the identities signed it; blocks."""
        ...

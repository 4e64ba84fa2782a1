"""The manifest: the signed list of a build's artifacts and their variants."""

from collections.abc import Iterator

import msgspec

from bundles.core.compress import Encoding
from bundles.core.digest import Digest, digest_of, parse_digest
from bundles.core.errors import Failed, Invalid
from bundles.core.names import ArtifactPath, Product, parse_artifact_path, parse_product
from bundles.core.provenance import Provenance
from bundles.core.version import Version, parse_version

PAYLOAD_TYPE = "application/vnd.headrace.manifest.v1+json"
MAX_ARTIFACTS = 100_000
MAX_ARTIFACT_BYTES = 64 * 1024 * 1024
MAX_SEALED_BYTES = 512 * 1024 * 1024
"""The most that a sealed manifest may have: three times what 100,000 artifacts with three deltas each take."""


class Variant(msgspec.Struct, frozen=True):
    """An artifact in one encoding: the digest and size, in bytes, of the encoded body."""

    encoding: Encoding
    digest: Digest
    size: int

    def __post_init__(self) -> None:
        parse_digest(self.digest)
        if self.size < 0:
            raise Invalid(f"a variant's size can't be {self.size}")


class Delta(msgspec.Struct, frozen=True):
    """The `dcz` variant for clients that hold the same artifact of an older build, `base`.

    `dictionary` is the digest of that artifact; `digest` and `size`, in bytes, are of the encoded body.
    """

    base: Version
    dictionary: Digest
    digest: Digest
    size: int

    def __post_init__(self) -> None:
        parse_version(self.base)
        parse_digest(self.dictionary)
        parse_digest(self.digest)
        if self.size < 0:
            raise Invalid(f"a delta's size can't be {self.size}")


class Artifact(msgspec.Struct, frozen=True):
    """One file as its build system made it, with its SRI value, its variants, identity first, and its deltas."""

    path: ArtifactPath
    content_type: str
    integrity: str
    variants: tuple[Variant, ...]
    deltas: tuple[Delta, ...] = ()

    def __post_init__(self) -> None:
        parse_artifact_path(self.path)
        encodings = [variant.encoding for variant in self.variants]
        if encodings[:1] != [Encoding.IDENTITY] or len(set(encodings)) != len(encodings):
            raise Invalid(f"{self.path!r} needs its identity variant first and each encoding once")
        if len({delta.dictionary for delta in self.deltas}) != len(self.deltas):
            raise Invalid(f"{self.path!r} has two deltas for one dictionary")

    @property
    def digest(self) -> Digest:
        """The digest of the artifact's own bytes."""
        return self.variants[0].digest

    def own_blobs(self) -> Iterator[Digest]:
        """The blobs of its variants and deltas."""
        yield from (variant.digest for variant in self.variants)
        yield from (delta.digest for delta in self.deltas)


class Manifest(msgspec.Struct, frozen=True, omit_defaults=True):
    """An immutable build, `product@version`, with its artifacts sorted by path, and how it was made."""

    product: Product
    version: Version
    artifacts: tuple[Artifact, ...]
    provenance: Provenance | None = None

    def __post_init__(self) -> None:
        parse_product(self.product)
        parse_version(self.version)
        paths = [artifact.path for artifact in self.artifacts]
        if not paths or len(paths) > MAX_ARTIFACTS:
            raise Invalid(f"a build has 1 to {MAX_ARTIFACTS} artifacts, not {len(paths)}")
        if paths != sorted(set(paths)):
            raise Invalid("a manifest's artifacts are sorted by path, each path once")

    def contents(self) -> dict[ArtifactPath, Digest]:
        """What makes two builds the same: each path and the digest of its bytes."""
        return {artifact.path: artifact.digest for artifact in self.artifacts}

    def own_blobs(self) -> Iterator[Digest]:
        """The blobs that were put for this build: of its variants, deltas and attestations."""
        for artifact in self.artifacts:
            yield from artifact.own_blobs()
        if self.provenance is not None:
            yield from (attestation.digest for attestation in self.provenance.attestations)

    def blobs(self) -> Iterator[Digest]:
        """Every blob that the build needs: its own, and the older builds' that are dictionaries of its deltas."""
        yield from self.own_blobs()
        yield from (delta.dictionary for artifact in self.artifacts for delta in artifact.deltas)


def encode_manifest(manifest: Manifest) -> bytes:
    """Canonical JSON: sorted keys, no white space."""
    return msgspec.json.encode(manifest, order="sorted")


def manifest_digest(manifest: Manifest) -> Digest:
    """What names the whole build: the digest of its manifest, whoever signed that."""
    return digest_of(encode_manifest(manifest))


def decode_manifest(payload: bytes, product: Product, version: Version) -> Manifest:
    """The manifest, checked to be that of the build that was asked for."""
    try:
        manifest = msgspec.json.decode(payload, type=Manifest)
    except msgspec.MsgspecError as error:
        raise Failed(f"the manifest of {product}@{version} is damaged: {error}") from None
    if (manifest.product, manifest.version) != (product, version):
        raise Failed(
            f"the manifest stored for {product}@{version} is that of {manifest.product}@{manifest.version}"
        )
    return manifest

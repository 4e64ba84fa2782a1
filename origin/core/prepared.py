"""A build made ready to serve: all that does not depend on the request is worked out once."""

from collections.abc import Set as AbstractSet

import msgspec

from bundles.core.compress import Encoding
from bundles.core.content_type import source_map_of
from bundles.core.digest import Digest
from bundles.core.manifest import Artifact, Manifest
from bundles.core.names import ArtifactPath
from bundles.core.urls import exact_url
from origin.core.dictionary import DCZ, use_as_dictionary
from origin.core.headers import IMMUTABLE, Headers, cache_tags, representation_headers
from origin.core.negotiate import choose_coding


class PreparedVariant(msgspec.Struct, frozen=True):
    """A variant's blob and the headers of the 200 that carries it."""

    digest: Digest
    size: int
    headers: Headers


class PreparedArtifact(msgspec.Struct, frozen=True):
    """An artifact's variants by coding with their sizes in bytes, and its deltas by the dictionary's digest."""

    variants: dict[str, PreparedVariant]
    sizes: dict[str, int]
    deltas: dict[Digest, PreparedVariant]

    def choose(self, accepted: str | None, dictionary: Digest | None) -> PreparedVariant | None:
        """The variant for this `Accept-Encoding` and for who holds this dictionary; None where it takes none."""
        delta = None if dictionary is None else self.deltas.get(dictionary)
        sizes = self.sizes if delta is None else {**self.sizes, DCZ: delta.size}
        coding = choose_coding(accepted, sizes)
        if coding is None:
            return None
        return delta if coding == DCZ else self.variants[coding]


class FileLink(msgspec.Struct, frozen=True):
    """What a customer's page needs to embed an artifact: its exact URL and its `integrity`."""

    path: ArtifactPath
    url: str
    integrity: str


class PreparedBuild(msgspec.Struct, frozen=True):
    """A build's artifacts by path, and the links to them."""

    artifacts: dict[ArtifactPath, PreparedArtifact]
    links: tuple[FileLink, ...]


def prepare(manifest: Manifest, *, send_deltas: bool) -> PreparedBuild:
    """The build of a verified manifest, ready to serve. Without `send_deltas` it is as if it had none."""
    paths = {artifact.path for artifact in manifest.artifacts}
    return PreparedBuild(
        artifacts={
            artifact.path: _prepare_artifact(manifest, artifact, paths, send_deltas=send_deltas)
            for artifact in manifest.artifacts
        },
        links=tuple(
            FileLink(
                artifact.path,
                exact_url(manifest.product, manifest.version, artifact.path),
                artifact.integrity,
            )
            for artifact in manifest.artifacts
        ),
    )


def _prepare_artifact(
    manifest: Manifest, artifact: Artifact, paths: AbstractSet[ArtifactPath], *, send_deltas: bool
) -> PreparedArtifact:
    deltas = artifact.deltas if send_deltas else ()
    common = _common_headers(manifest, artifact, paths)
    if deltas:
        common["vary"] = "Accept-Encoding, Available-Dictionary"
    elif len(artifact.variants) > 1:
        common["vary"] = "Accept-Encoding"

    def prepared(coding: str, digest: Digest, size: int) -> PreparedVariant:
        headers = {**representation_headers(digest, size, artifact.content_type), **common}
        if coding != Encoding.IDENTITY:
            headers["content-encoding"] = coding
        return PreparedVariant(digest, size, headers)

    return PreparedArtifact(
        variants={
            variant.encoding: prepared(variant.encoding, variant.digest, variant.size)
            for variant in artifact.variants
        },
        sizes={variant.encoding: variant.size for variant in artifact.variants},
        deltas={delta.dictionary: prepared(DCZ, delta.digest, delta.size) for delta in deltas},
    )


def _common_headers(manifest: Manifest, artifact: Artifact, paths: AbstractSet[ArtifactPath]) -> Headers:
    """Those of each of the artifact's variants."""
    product, version = manifest.product, manifest.version
    headers = {
        "accept-ranges": "bytes",
        "cache-control": IMMUTABLE,
        "cache-tag": cache_tags(f"product:{product}", f"build:{product}@{version}"),
    }
    source_map = source_map_of(artifact.path)
    if source_map in paths:
        headers["sourcemap"] = exact_url(product, version, source_map)
    dictionary = use_as_dictionary(product, artifact)
    if dictionary is not None:
        headers["use-as-dictionary"] = dictionary
    return headers

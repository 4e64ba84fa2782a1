"""A build made ready to serve: all that does not depend on the request is worked out once."""

import msgspec

from bundles.core.compress import Encoding
from bundles.core.digest import Digest
from bundles.core.manifest import Artifact, Manifest
from bundles.core.names import ArtifactPath
from origin.core.headers import Headers, exact_url, variant_headers
from origin.core.negotiate import choose_encoding


class PreparedVariant(msgspec.Struct, frozen=True):
    """A variant's blob and the headers of the 200 that carries it."""

    digest: Digest
    size: int
    headers: Headers


class PreparedArtifact(msgspec.Struct, frozen=True):
    """An artifact's variants by encoding."""

    variants: dict[Encoding, PreparedVariant]
    sizes: dict[Encoding, int]

    def choose(self, accepted: str | None) -> PreparedVariant | None:
        """The variant for this `Accept-Encoding`; None where the client takes none of them."""
        encoding = choose_encoding(accepted, self.sizes)
        return None if encoding is None else self.variants[encoding]


class FileLink(msgspec.Struct, frozen=True):
    """What a customer's page needs to embed an artifact: its exact URL and its `integrity`."""

    path: ArtifactPath
    url: str
    integrity: str


class PreparedBuild(msgspec.Struct, frozen=True):
    """A build's artifacts by path, and the links to them."""

    artifacts: dict[ArtifactPath, PreparedArtifact]
    links: tuple[FileLink, ...]


def prepare(manifest: Manifest) -> PreparedBuild:
    """The build of a verified manifest, ready to serve."""
    return PreparedBuild(
        artifacts={artifact.path: _prepare_artifact(manifest, artifact) for artifact in manifest.artifacts},
        links=tuple(
            FileLink(
                artifact.path,
                exact_url(manifest.product, manifest.version, artifact.path),
                artifact.integrity,
            )
            for artifact in manifest.artifacts
        ),
    )


def _prepare_artifact(manifest: Manifest, artifact: Artifact) -> PreparedArtifact:
    return PreparedArtifact(
        variants={
            variant.encoding: PreparedVariant(
                variant.digest,
                variant.size,
                variant_headers(manifest.product, manifest.version, artifact, variant),
            )
            for variant in artifact.variants
        },
        sizes={variant.encoding: variant.size for variant in artifact.variants},
    )

"""Verify: re-read every byte of a build, and name each variant that is not what its manifest says."""

from collections.abc import Callable

import anyio.to_thread
import msgspec

from bundles.core.compress import Encoding, decode
from bundles.core.digest import digest_of
from bundles.core.errors import Failed, Invalid
from bundles.core.manifest import Artifact, Manifest, Variant
from bundles.core.names import ArtifactPath
from bundles.ports import BlobMissing, BuildReader

Progress = Callable[[ArtifactPath], None]


class Damage(msgspec.Struct, frozen=True):
    """A variant that is damaged, and what is wrong with it."""

    path: ArtifactPath
    encoding: Encoding
    fault: str


async def verify(store: BuildReader, manifest: Manifest, progress: Progress) -> list[Damage]:
    """Each damaged variant of a build whose manifest's signature holds; empty where all is well.

    A variant is well if its bytes have the manifest's size and digest and decode to the artifact.
    `progress` is called with each artifact's path once it has been read.
    """
    damages = []
    for artifact in manifest.artifacts:
        for variant in artifact.variants:
            fault = await _fault(store, artifact, variant)
            if fault is not None:
                damages.append(Damage(artifact.path, variant.encoding, fault))
        progress(artifact.path)
    return damages


async def _fault(store: BuildReader, artifact: Artifact, variant: Variant) -> str | None:
    try:
        body = await _read(store, variant)
    except BlobMissing:
        return f"its blob {variant.digest} is missing"
    except Failed as error:
        return str(error)
    if len(body) != variant.size:
        return f"its blob {variant.digest} is not of {variant.size} bytes"
    return await anyio.to_thread.run_sync(_content_fault, artifact, variant, body)


async def _read(store: BuildReader, variant: Variant) -> bytes:
    """The body, or a little more than its size where the blob is longer."""
    body = bytearray()
    async for chunk in store.read_blob(variant.digest):
        body += chunk
        if len(body) > variant.size:
            break
    return bytes(body)


def _content_fault(artifact: Artifact, variant: Variant, body: bytes) -> str | None:
    if digest_of(body) != variant.digest:
        return f"its bytes do not have the digest {variant.digest}"
    try:
        data = decode(body, variant.encoding, artifact.variants[0].size)
    except Invalid as error:
        return str(error)
    if digest_of(data) != artifact.digest:
        return "it decodes to other bytes than the artifact's"
    return None

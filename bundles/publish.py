"""Publish: make a build exist. It never changes what any tenant is served."""

import os
from collections.abc import Callable

import anyio
import anyio.to_thread
import msgspec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from bundles.core.compress import variants_of
from bundles.core.content_type import content_type_of
from bundles.core.digest import Digest, digest_of, integrity_of
from bundles.core.envelope import TrustedKeys, seal
from bundles.core.errors import Failed, HeadraceError, Refused
from bundles.core.manifest import PAYLOAD_TYPE, Artifact, Manifest, Variant, encode_manifest
from bundles.core.names import ArtifactPath, Product
from bundles.core.version import Version
from bundles.load import load_build
from bundles.ports import ArtifactSource, Store

Progress = Callable[[ArtifactPath], None]


class Published(msgspec.Struct, frozen=True):
    """A build that exists; `created` is False when the same publish had made it before."""

    manifest: Manifest
    created: bool


async def publish(
    store: Store,
    key: Ed25519PrivateKey,
    trusted: TrustedKeys,
    product: Product,
    version: Version,
    source: ArtifactSource,
    progress: Progress,
) -> Published:
    """Store every variant of every artifact, then the signed manifest, which makes the build exist.

    `progress` is called with each artifact's path once it is stored. Raises `Refused` where the version
    exists with other bytes; nothing is changed then.
    """
    existing = await load_build(store, trusted, product, version)
    if existing is not None:
        contents = {path: digest_of(await _read(source, path)) for path in source.paths}
        return _same_or_refused(existing, contents)
    artifacts = await _store_artifacts(store, source, progress)
    manifest = Manifest(product=product, version=version, artifacts=artifacts)
    sealed = seal(PAYLOAD_TYPE, encode_manifest(manifest), key)
    if await store.create_manifest(product, version, sealed):
        return Published(manifest=manifest, created=True)
    winner = await load_build(store, trusted, product, version)
    if winner is None:
        raise Failed(f"the store says that {product}@{version} exists, but has no manifest of it; publish again")
    return _same_or_refused(winner, manifest.contents())


def _same_or_refused(existing: Manifest, contents: dict[ArtifactPath, Digest]) -> Published:
    published = existing.contents()
    if published == contents:
        return Published(manifest=existing, created=False)
    differing = sorted(
        path for path in published.keys() | contents.keys() if published.get(path) != contents.get(path)
    )
    raise Refused(
        f"{existing.product}@{existing.version} is already published with other contents"
        f" ({len(differing)} of its files differ, the first is {differing[0]!r});"
        " a build is immutable: publish these files as a new version"
    )


async def _store_artifacts(store: Store, source: ArtifactSource, progress: Progress) -> tuple[Artifact, ...]:
    """As many artifacts at a time as there are cores, so that memory is bounded however large the build."""
    artifacts: dict[ArtifactPath, Artifact] = {}
    slots = anyio.CapacityLimiter(os.cpu_count() or 1)

    async def store_one(path: ArtifactPath) -> None:
        async with slots:
            artifacts[path] = await _store_artifact(store, path, await _read(source, path))
        progress(path)

    try:
        async with anyio.create_task_group() as group:
            for path in source.paths:
                group.start_soon(store_one, path)
    except ExceptionGroup as faults:
        # One fault is what the user can act on; the others are most often the same one.
        if known := faults.subgroup(HeadraceError):
            raise known.exceptions[0] from faults
        raise
    return tuple(artifacts[path] for path in source.paths)


async def _store_artifact(store: Store, path: ArtifactPath, data: bytes) -> Artifact:
    encoded = await anyio.to_thread.run_sync(variants_of, data)
    variants = []
    for encoding, body in encoded.items():
        variant = Variant(encoding=encoding, digest=digest_of(body), size=len(body))
        await store.put_blob(variant.digest, body)
        variants.append(variant)
    return Artifact(
        path=path,
        content_type=content_type_of(path),
        integrity=integrity_of(data),
        variants=tuple(variants),
    )


async def _read(source: ArtifactSource, path: ArtifactPath) -> bytes:
    return await anyio.to_thread.run_sync(source.read, path)

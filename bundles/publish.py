"""Publish: make a build exist. It never changes what any tenant is served."""

import anyio
import anyio.to_thread
import msgspec

from bundles.attestations import keep_attestations
from bundles.core.budget import Unmeasured, over_budget, unmeasured
from bundles.core.digest import Digest, digest_of
from bundles.core.envelope import seal
from bundles.core.errors import Failed, Refused
from bundles.core.manifest import MAX_SEALED_BYTES, PAYLOAD_TYPE, Manifest, encode_manifest
from bundles.core.names import ArtifactPath
from bundles.core.provenance import Provenance
from bundles.core.trust import check_signer
from bundles.core.version import Version
from bundles.deltas import with_deltas
from bundles.load import load_build
from bundles.mend import mend
from bundles.order import Order, Publisher
from bundles.ports import ArtifactSource
from bundles.screen import WithoutSourceMaps, changed, screen
from bundles.variants import Progress, store_artifacts


class Published(msgspec.Struct, frozen=True):
    """A build that exists; `created` is False when the same publish had made it before.

    `mended` is how many of its blobs were lost or damaged and are whole again. `unmeasured` are the budgets that
    it was not held to.
    """

    manifest: Manifest
    created: bool
    mended: int = 0
    unmeasured: tuple[Unmeasured, ...] = ()


async def publish(publisher: Publisher, order: Order, artifacts: ArtifactSource, progress: Progress) -> Published:
    """Store every variant and delta of every artifact, then the signed manifest, which makes the build exist.

    `progress` is called with each artifact's path once it is stored. Raises `Refused` where the version
    exists with other bytes or is retired, the key may not sign for the product, a file is over its budget or a
    secret would become public: no build is made then. Of a build that exists, blobs that the store has lost or
    damaged are mended.
    """
    async with publisher.store.publishing():
        return await publish_leased(publisher, order, artifacts, progress)


async def publish_leased(
    publisher: Publisher, order: Order, artifacts: ArtifactSource, progress: Progress
) -> Published:
    """What `publish` does, for who keeps sweepers out by itself, as through many publishes."""
    check_signer(publisher.signing_key, publisher.trusted, order.product)
    source = artifacts if order.source_maps else WithoutSourceMaps(artifacts)
    if await publisher.store.is_retired(order.product, order.version):
        raise Refused(
            f"{order.product}@{order.version} was retired, and caches may hold its files for a year:"
            " publish these files as a new version"
        )
    baseline = await _baseline(publisher, order)
    existing = await load_build(publisher.store, publisher.trusted, order.product, order.version)
    if existing is not None:
        _refuse_unless_same(existing, await _contents(source), order, baseline)
        mended = await mend(publisher, order, existing, source)
        return Published(existing, False, mended, unmeasured(order.budgets, existing, baseline))
    screened = await screen(source, order.allowed_secrets, source_maps=order.source_maps)
    manifest = await _store(publisher, order, source, baseline, progress)
    if differing := sorted(screened.items() ^ manifest.contents().items()):
        raise changed(differing[0][0])
    sealed = seal(PAYLOAD_TYPE, encode_manifest(manifest), publisher.signing_key)
    if len(sealed) > MAX_SEALED_BYTES:
        raise Refused(
            f"the manifest has {len(sealed)} bytes, more than {MAX_SEALED_BYTES}: publish fewer files or deltas"
        )
    if await publisher.store.create_manifest(order.product, order.version, sealed):
        return Published(manifest, True, unmeasured=unmeasured(order.budgets, manifest, baseline))
    winner = await load_build(publisher.store, publisher.trusted, order.product, order.version)
    if winner is None:
        raise Failed(
            f"the store says that {order.product}@{order.version} exists, but has no manifest of it; publish again"
        )
    _refuse_unless_same(winner, manifest.contents(), order, baseline)
    return Published(winner, False, unmeasured=unmeasured(order.budgets, winner, baseline))


async def _store(
    publisher: Publisher, order: Order, source: ArtifactSource, baseline: Manifest | None, progress: Progress
) -> Manifest:
    """All of the build but its manifest, which is returned."""
    bases = [build for base in order.bases if (build := await _base(publisher, order, base)) is not None]
    artifacts = await store_artifacts(publisher.store, source, publisher.cores, progress)
    manifest = Manifest(order.product, order.version, artifacts, order.recorded())
    if faults := over_budget(order.budgets, manifest, baseline):
        raise Refused("; ".join(faults) + ": make it smaller, or raise the budget")
    await keep_attestations(publisher.store, order.attestations, manifest)
    complete = await with_deltas(publisher.store, source, publisher.cores, artifacts, bases, order.delta_bytes)
    return msgspec.structs.replace(manifest, artifacts=complete)


async def _baseline(publisher: Publisher, order: Order) -> Manifest | None:
    """What growth is measured against. Raises `Failed` where it can't be read: no budget may pass unseen."""
    if order.baseline is None or not any(budget.is_of_growth for budget in order.budgets):
        return None
    build = await load_build(publisher.store, publisher.trusted, order.product, order.baseline)
    if build is None:
        raise Failed(f"growth can't be measured: {order.product}@{order.baseline} is gone from the store")
    return build


async def _base(publisher: Publisher, order: Order, version: Version) -> Manifest | None:
    """An older build; None for one that is gone or damaged, which must not stop a new one."""
    if version == order.version:
        return None
    try:
        return await load_build(publisher.store, publisher.trusted, order.product, version)
    except Failed:
        return None


async def _contents(source: ArtifactSource) -> dict[ArtifactPath, Digest]:
    return {path: digest_of(await anyio.to_thread.run_sync(source.read, path)) for path in source.paths}


def _refuse_unless_same(
    existing: Manifest, contents: dict[ArtifactPath, Digest], order: Order, baseline: Manifest | None
) -> None:
    """Raises `Refused` where this publish would not have made the build that exists."""
    build, published = f"{existing.product}@{existing.version}", existing.contents()
    if published == contents:
        _refuse_unrecorded(existing, order)
        if faults := over_budget(order.budgets, existing, baseline):
            raise Refused(
                f"{build} is already published, but {'; '.join(faults)}: make it smaller, as a new version"
            )
        return
    differing = sorted(
        path for path in published.keys() | contents.keys() if published.get(path) != contents.get(path)
    )
    raise Refused(
        f"{build} is already published with other contents"
        f" ({len(differing)} of its files differ, the first is {differing[0]!r});"
        " a build is immutable: publish these files as a new version"
    )


def _refuse_unrecorded(existing: Manifest, order: Order) -> None:
    """What is attested later can't be in what was signed before; to drop it in silence would be worse."""
    recorded = (existing.provenance or Provenance()).attestations
    if missing := [attestation.ref for attestation in order.attestations if attestation.ref not in recorded]:
        raise Refused(
            f"{existing.product}@{existing.version} is already published without the attestation"
            f" {missing[0].predicate_type}: a build is immutable, so publish these files as a new version"
        )

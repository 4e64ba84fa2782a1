"""Make and store a build's variants, on all cores at a time."""

from collections.abc import Callable

import anyio
import anyio.to_thread

from bundles.core.compress import COMPRESSED, Encoding, encode
from bundles.core.content_type import content_type_of
from bundles.core.digest import digest_of, integrity_of
from bundles.core.errors import HeadraceError
from bundles.core.manifest import Artifact, Variant
from bundles.core.names import ArtifactPath
from bundles.cores import Cores
from bundles.ports import ArtifactSource, Store

Progress = Callable[[ArtifactPath], None]


async def store_artifacts(
    store: Store, source: ArtifactSource, cores: Cores, progress: Progress
) -> tuple[Artifact, ...]:
    """Every artifact with its variants stored, sorted by path.

    The largest come first, so that no core is left with one at the end, and few are in memory at a time,
    however large the build: one for each core, and one that is being read or written.
    """
    artifacts: dict[ArtifactPath, Artifact] = {}
    slots = anyio.CapacityLimiter(cores.count + 1)

    async def store_one(path: ArtifactPath) -> None:
        async with slots:
            data = await anyio.to_thread.run_sync(source.read, path)
            artifacts[path] = await _store_artifact(store, cores, path, data)
        progress(path)

    try:
        async with anyio.create_task_group() as group:
            for path in sorted(source.paths, key=source.size, reverse=True):
                group.start_soon(store_one, path)
    except ExceptionGroup as faults:
        raise first_known(faults) from faults
    return tuple(artifacts[path] for path in source.paths)


def first_known(faults: ExceptionGroup[Exception]) -> Exception:
    """One fault that the user can act on: the others are most often the same. The group where none is known."""
    known: BaseException | None = faults.subgroup(HeadraceError)
    while isinstance(known, BaseExceptionGroup):
        known = known.exceptions[0]
    return known if isinstance(known, Exception) else faults


async def _store_artifact(store: Store, cores: Cores, path: ArtifactPath, data: bytes) -> Artifact:
    bodies = {Encoding.IDENTITY: data, **await encode_all(cores, data)}
    variants = []
    for encoding in (encoding for encoding in Encoding if encoding in bodies):
        body = bodies[encoding]
        variant = Variant(encoding=encoding, digest=digest_of(body), size=len(body))
        await store.put_blob(variant.digest, body)
        variants.append(variant)
    return Artifact(
        path=path,
        content_type=content_type_of(path, data),
        integrity=integrity_of(data),
        variants=tuple(variants),
    )


async def encode_all(cores: Cores, data: bytes) -> dict[Encoding, bytes]:
    """Each encoding that is smaller than the data, all made at the same time."""
    bodies: dict[Encoding, bytes] = {}

    async def make(encoding: Encoding) -> None:
        body = await cores.run(encode, data, encoding)
        if len(body) < len(data):
            bodies[encoding] = body

    if data:
        async with anyio.create_task_group() as group:
            for encoding in COMPRESSED:
                group.start_soon(make, encoding)
    return bodies

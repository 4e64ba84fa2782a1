"""Compare two builds file by file, in the bytes that are kept, sent and sent to who holds the older build."""

from collections.abc import Callable, Coroutine, Mapping, Sequence
from typing import Any, Protocol

import anyio
import anyio.to_thread
import msgspec

from bundles.core.budget import sent_size
from bundles.core.compress import Encoding, encode
from bundles.core.delta import make_delta
from bundles.core.digest import Digest, digest_of
from bundles.core.errors import Failed
from bundles.core.manifest import Manifest
from bundles.core.names import ArtifactPath
from bundles.cores import Cores
from bundles.deltas import read_whole
from bundles.ports import ArtifactSource, BuildReader
from bundles.variants import first_known


class Sizes(msgspec.Struct, frozen=True):
    """A file's digest, and its sizes in bytes: its own (`raw`) and as a shared cache gets it (`br`)."""

    digest: Digest
    raw: int
    br: int


class Side(Protocol):
    """One of the two builds."""

    async def sizes(self) -> Mapping[ArtifactPath, Sizes]:
        """Each file's sizes."""
        ...

    async def read(self, path: ArtifactPath) -> bytes:
        """A file's own bytes."""
        ...


class FileChange(msgspec.Struct, frozen=True):
    """A file that differs. `before` or `after` is None where the build has it not.

    `delta` is the size in bytes of the `dcz` body for who holds the older one, set where both have it.
    """

    path: ArtifactPath
    before: Sizes | None
    after: Sizes | None
    delta: int | None


class Comparison(msgspec.Struct, frozen=True):
    """The files that differ, sorted by path, and how many are the same."""

    changed: tuple[FileChange, ...]
    same: int


class PublishedSide:
    """A build in the store."""

    def __init__(self, store: BuildReader, manifest: Manifest) -> None:
        self._store = store
        self._artifacts = {artifact.path: artifact for artifact in manifest.artifacts}

    async def sizes(self) -> Mapping[ArtifactPath, Sizes]:
        """Each file's sizes, from the manifest."""
        return {
            path: Sizes(artifact.digest, artifact.variants[0].size, sent_size(artifact))
            for path, artifact in self._artifacts.items()
        }

    async def read(self, path: ArtifactPath) -> bytes:
        """A file's own bytes. Raises `Failed` where the store has lost them."""
        data = await read_whole(self._store, self._artifacts[path].digest)
        if data is None:
            raise Failed(f"the blob of {path!r} is missing or damaged: see `headrace verify`")
        return data


class UnpublishedSide:
    """What a build system made."""

    def __init__(self, source: ArtifactSource, cores: Cores) -> None:
        self._source = source
        self._cores = cores

    async def sizes(self) -> Mapping[ArtifactPath, Sizes]:
        """Each file's sizes; it is compressed for them."""
        sizes: dict[ArtifactPath, Sizes] = {}
        slots = anyio.CapacityLimiter(self._cores.count + 1)

        async def measure(path: ArtifactPath) -> None:
            async with slots:
                data = await self.read(path)
                br = await self._cores.run(encode, data, Encoding.BR) if data else data
                sizes[path] = Sizes(digest_of(data), len(data), min(len(br), len(data)))

        await _each(self._source.paths, measure)
        return sizes

    async def read(self, path: ArtifactPath) -> bytes:
        """A file's own bytes."""
        return await anyio.to_thread.run_sync(self._source.read, path)


async def compare(before: Side, after: Side, cores: Cores) -> Comparison:
    """What differs between two builds, and what that costs."""
    old, new = await before.sizes(), await after.sizes()
    differing = sorted(path for path in old.keys() | new.keys() if _digest(old, path) != _digest(new, path))
    deltas: dict[ArtifactPath, int] = {}
    slots = anyio.CapacityLimiter(cores.count + 1)

    async def measure(path: ArtifactPath) -> None:
        async with slots:
            dictionary, data = await before.read(path), await after.read(path)
            if dictionary:
                deltas[path] = len(await cores.run(make_delta, data, dictionary))

    await _each([path for path in differing if path in old and path in new], measure)
    changed = tuple(FileChange(path, old.get(path), new.get(path), deltas.get(path)) for path in differing)
    return Comparison(changed, len(old.keys() | new.keys()) - len(differing))


def _digest(sizes: Mapping[ArtifactPath, Sizes], path: ArtifactPath) -> Digest | None:
    return sizes[path].digest if path in sizes else None


async def _each(paths: Sequence[ArtifactPath], work: Callable[[ArtifactPath], Coroutine[Any, Any, None]]) -> None:
    try:
        async with anyio.create_task_group() as group:
            for path in paths:
                group.start_soon(work, path)
    except ExceptionGroup as faults:
        raise first_known(faults) from faults

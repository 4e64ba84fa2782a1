"""The store on a local disk.

blobs/ab/ab12…              a variant's body, named by its digest
builds/{product}/{x.y.z}.json   a build's sealed manifest, written last
retired/{product}/{x.y.z}.json  the sealed manifest of a build that was retired
.lock                           held by publishers together or by one sweeper; the kernel frees a killed process's
"""

import fcntl
import os
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import anyio
import anyio.to_thread

from bundles.adapters.files import (
    create_exclusively,
    leftovers,
    move,
    opened_for_lock,
    read_chunks,
    write_atomically,
)
from bundles.core.digest import Digest, are_digests, digest_of_all
from bundles.core.errors import Conflict, Failed
from bundles.core.manifest import MAX_SEALED_BYTES
from bundles.core.names import Product, are_products
from bundles.core.span import Span
from bundles.core.version import Version, are_versions
from bundles.ports import BlobMissing, StoredBlob

_SUFFIX = ".json"
_POLL_SECONDS = 0.1


class _Layout:
    """Where things are below the store's folder."""

    def __init__(self, root: Path) -> None:
        self.blobs = root / "blobs"
        self.builds = root / "builds"
        self.lock = root / ".lock"
        self._retired = root / "retired"

    def blob(self, digest: Digest) -> Path:
        return self.blobs / digest[:2] / digest

    def manifest(self, product: Product, version: Version) -> Path:
        return self.builds / product / f"{version}{_SUFFIX}"

    def retired(self, product: Product, version: Version) -> Path:
        return self._retired / product / f"{version}{_SUFFIX}"


class DiskStore:
    """Builds below one folder, which is made when the first build is published."""

    def __init__(self, root: Path) -> None:
        self._layout = _Layout(root)

    async def read_manifest(self, product: Product, version: Version) -> bytes | None:
        """The sealed manifest, or None when there is no such build."""
        path = self._layout.manifest(product, version)
        try:
            return await anyio.to_thread.run_sync(_read_sealed, path)
        except (FileNotFoundError, NotADirectoryError):
            return None
        except OSError as error:
            raise Failed(f"can't read {path}: {error.strerror}") from None

    async def read_blob(self, digest: Digest, span: Span | None = None) -> AsyncIterator[bytes]:
        """The blob, or that span of it, in chunks of 256 KiB."""
        path = self._layout.blob(digest)
        try:
            async for chunk in read_chunks(path, span):
                yield chunk
        except FileNotFoundError:
            raise BlobMissing(digest) from None
        except OSError as error:
            raise Failed(f"can't read {path}: {error.strerror}") from None

    async def versions(self, product: Product) -> Sequence[Version]:
        """The product's published versions, oldest precedence first."""
        return are_versions(await anyio.to_thread.run_sync(_written_at, self._layout.builds / product))

    async def published_at(self, product: Product) -> Mapping[Version, int]:
        """When each of the product's builds was published."""
        written_at = await anyio.to_thread.run_sync(_written_at, self._layout.builds / product)
        return {version: written_at[version] for version in are_versions(written_at)}

    async def products(self) -> Sequence[Product]:
        """Every product with a published build, sorted."""
        return await anyio.to_thread.run_sync(self._products)

    async def is_retired(self, product: Product, version: Version) -> bool:
        """True for a build that existed once and never will again."""
        return await anyio.to_thread.run_sync(self._layout.retired(product, version).exists)

    async def blobs(self) -> AsyncIterator[StoredBlob]:
        """Every blob, a 256th part of them in memory at a time."""
        for shard in await anyio.to_thread.run_sync(_entries, self._layout.blobs):
            for blob in await anyio.to_thread.run_sync(_blobs, Path(shard.path)):
                yield blob

    async def has_blob(self, digest: Digest) -> bool:
        """True where the blob is there, whole; it is read for that."""
        try:
            return await digest_of_all(read_chunks(self._layout.blob(digest))) == digest
        except OSError:
            return False

    async def put_blob(self, digest: Digest, data: bytes) -> None:
        """Keep the blob durably, unless it is there, whole, already."""
        await anyio.to_thread.run_sync(self._put_blob, self._layout.blob(digest), data)

    async def create_manifest(self, product: Product, version: Version, sealed: bytes) -> bool:
        """Make the build exist in one step. False when it exists already."""
        if await self.is_retired(product, version):
            return False
        path = self._layout.manifest(product, version)
        return await anyio.to_thread.run_sync(create_exclusively, path, sealed)

    async def replace_manifest(self, product: Product, version: Version, sealed: bytes) -> None:
        """Put another envelope in place of a build's; a reader sees the one or the other."""
        await anyio.to_thread.run_sync(write_atomically, self._layout.manifest(product, version), sealed)

    @asynccontextmanager
    async def publishing(self) -> AsyncIterator[None]:
        """The lock, shared with other publishers; waits until no sweep runs."""
        with opened_for_lock(self._layout.lock) as descriptor:
            while not _took(descriptor, fcntl.LOCK_SH):  # noqa: ASYNC110 - another process holds it
                await anyio.sleep(_POLL_SECONDS)
            yield

    @asynccontextmanager
    async def sweeping(self) -> AsyncIterator["DiskSweeper"]:
        """The lock, alone. Raises `Conflict` where another process has it."""
        with opened_for_lock(self._layout.lock) as descriptor:
            if not _took(descriptor, fcntl.LOCK_EX):
                raise Conflict("a publish or another sweep is running: try again once it is done")
            yield DiskSweeper(self._layout)

    def _put_blob(self, path: Path, data: bytes) -> None:
        try:
            present = path.read_bytes() == data  # one that is damaged is mended
        except OSError:
            present = False
        if not present:
            write_atomically(path, data)

    def _products(self) -> Sequence[Product]:
        builds = self._layout.builds
        names = [entry.name for entry in _entries(builds) if not entry.name.startswith("@")]
        for scope in (entry.name for entry in _entries(builds) if entry.name.startswith("@")):
            names += [f"{scope}/{entry.name}" for entry in _entries(builds / scope)]
        return are_products(name for name in names if _written_at(builds / name))


class DiskSweeper:
    """What may be taken away while nobody publishes."""

    def __init__(self, layout: _Layout) -> None:
        self._layout = layout

    async def retire_manifest(self, product: Product, version: Version) -> None:
        """Move the manifest to the retired ones."""
        path, target = self._layout.manifest(product, version), self._layout.retired(product, version)
        await anyio.to_thread.run_sync(move, path, target)

    async def remove_blobs(self, digests: Sequence[Digest]) -> None:
        """Take the blobs away. One that a power cut brings back is taken away by the next sweep."""
        await anyio.to_thread.run_sync(_unlink, [self._layout.blob(digest) for digest in digests])

    async def remove_unfinished(self) -> None:
        """Take away the temporary files that killed publishers left behind."""
        for root in (self._layout.blobs, self._layout.builds):
            await anyio.to_thread.run_sync(_unlink, leftovers(root))


def _read_sealed(path: Path) -> bytes:
    with path.open("rb") as file:
        sealed = file.read(MAX_SEALED_BYTES + 1)
    if len(sealed) > MAX_SEALED_BYTES:
        raise Failed(f"{path} has more than {MAX_SEALED_BYTES} bytes, the most that a manifest may have")
    return sealed


def _took(descriptor: int, kind: int) -> bool:
    try:
        fcntl.flock(descriptor, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _written_at(folder: Path) -> dict[str, int]:
    """When each manifest in a folder was written, by its name without the suffix."""
    return {
        entry.name.removesuffix(_SUFFIX): int(status.st_mtime)
        for entry in _entries(folder)
        if entry.name.endswith(_SUFFIX) and (status := _status(entry))
    }


def _blobs(shard: Path) -> list[StoredBlob]:
    return [
        StoredBlob(digest, status.st_size, int(status.st_mtime))
        for entry in _entries(shard)
        for digest in are_digests([entry.name])
        if (status := _status(entry))
    ]


def _status(entry: os.DirEntry[str]) -> os.stat_result | None:
    """An entry's size and time; None where it has gone since it was listed, or is a link that leads nowhere."""
    try:
        return entry.stat()
    except FileNotFoundError:
        return None
    except OSError as error:
        raise Failed(f"can't read {entry.path}: {error.strerror}") from None


def _entries(folder: Path) -> list[os.DirEntry[str]]:
    """What is in a folder; nothing where it is not there, or is no folder."""
    try:
        with os.scandir(folder) as found:
            return list(found)
    except (FileNotFoundError, NotADirectoryError):
        return []
    except OSError as error:
        raise Failed(f"can't read {folder}: {error.strerror}") from None


def _unlink(paths: Iterable[Path]) -> None:
    for path in paths:
        try:
            path.unlink(missing_ok=True)
        except OSError as error:
            raise Failed(f"can't remove {path}: {error.strerror}") from None

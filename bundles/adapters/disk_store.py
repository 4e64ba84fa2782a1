"""The store on a local disk.

blobs/ab/ab12…              a variant's body, named by its digest
builds/{product}/{x.y.z}.json   a build's sealed manifest, written last
"""

from collections.abc import AsyncIterator, Sequence
from pathlib import Path

import anyio
import anyio.to_thread

from bundles.adapters.files import create_exclusively, write_atomically
from bundles.core.digest import Digest
from bundles.core.errors import Failed
from bundles.core.names import Product, are_products
from bundles.core.version import Version, are_versions
from bundles.ports import BlobMissing

_CHUNK_BYTES = 256 * 1024
_SUFFIX = ".json"


class DiskStore:
    """Builds below one folder, which is made when the first build is published."""

    def __init__(self, root: Path) -> None:
        self._blobs = root / "blobs"
        self._builds = root / "builds"

    async def read_manifest(self, product: Product, version: Version) -> bytes | None:
        """The sealed manifest, or None when there is no such build."""
        path = self._manifest_path(product, version)
        try:
            return await anyio.to_thread.run_sync(path.read_bytes)
        except (FileNotFoundError, NotADirectoryError):
            return None
        except OSError as error:
            raise Failed(f"can't read {path}: {error.strerror}") from None

    async def read_blob(self, digest: Digest) -> AsyncIterator[bytes]:
        """The blob in chunks of 256 KiB."""
        path = self._blob_path(digest)
        try:
            async with await anyio.open_file(path, "rb") as file:
                while chunk := await file.read(_CHUNK_BYTES):
                    yield chunk
        except FileNotFoundError:
            raise BlobMissing(digest) from None
        except OSError as error:
            raise Failed(f"can't read {path}: {error.strerror}") from None

    async def versions(self, product: Product) -> Sequence[Version]:
        """The product's published versions, oldest precedence first."""
        names = await anyio.to_thread.run_sync(_manifest_names, self._builds / product)
        return are_versions(names)

    async def products(self) -> Sequence[Product]:
        """Every product with a published build, sorted."""
        return await anyio.to_thread.run_sync(self._products)

    async def put_blob(self, digest: Digest, data: bytes) -> None:
        """Keep the blob durably, unless it is there in full already."""
        await anyio.to_thread.run_sync(self._put_blob, self._blob_path(digest), data)

    async def create_manifest(self, product: Product, version: Version, sealed: bytes) -> bool:
        """Make the build exist in one step. False when it exists already."""
        path = self._manifest_path(product, version)
        return await anyio.to_thread.run_sync(create_exclusively, path, sealed)

    def _put_blob(self, path: Path, data: bytes) -> None:
        try:
            present = path.stat().st_size == len(data)
        except OSError:
            present = False
        if not present:
            write_atomically(path, data)

    def _products(self) -> Sequence[Product]:
        manifests = self._builds.glob(f"*/*{_SUFFIX}"), self._builds.glob(f"@*/*/*{_SUFFIX}")
        return are_products(
            path.parent.relative_to(self._builds).as_posix() for found in manifests for path in found
        )

    def _blob_path(self, digest: Digest) -> Path:
        return self._blobs / digest[:2] / digest

    def _manifest_path(self, product: Product, version: Version) -> Path:
        return self._builds / product / f"{version}{_SUFFIX}"


def _manifest_names(folder: Path) -> list[str]:
    return [path.name.removesuffix(_SUFFIX) for path in folder.glob(f"*{_SUFFIX}")]

"""The store in S3, or in what speaks its protocol.

{prefix}blobs/ab/ab12…                  a variant's body, named by its digest
{prefix}builds/{product}/{x.y.z}.json   a build's sealed manifest, written last and on condition that it is new
{prefix}retired/{product}/{x.y.z}.json  the sealed manifest of a build that was retired
{prefix}leases/…                        who publishes or sweeps now
"""

import contextlib
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from enum import Enum, auto
from typing import Any, Self

import anyio

from bundles.adapters.s3_bucket import (
    MAX_REMOVED,
    AbsentError,
    ConditionError,
    S3Bucket,
    S3Location,
    checksum,
    encoded,
)
from bundles.adapters.s3_leases import LEASE_SECONDS, S3Leases
from bundles.core.digest import Digest, are_digests, digest_of_all
from bundles.core.errors import Failed
from bundles.core.manifest import MAX_SEALED_BYTES
from bundles.core.names import Product, are_products
from bundles.core.span import Span
from bundles.core.version import Version, are_versions
from bundles.ports import BlobMissing, StoredBlob

_PART_BYTES = 8 * 1024 * 1024
_SUFFIX = ".json"


class _State(Enum):
    """How a blob is found to be."""

    ABSENT = auto()
    DAMAGED = auto()
    WHOLE = auto()


class S3Store:
    """Builds below one prefix of a bucket."""

    def __init__(self, bucket: S3Bucket, lease_seconds: float = LEASE_SECONDS) -> None:
        self._bucket = bucket
        self._leases = S3Leases(bucket, lease_seconds)

    @classmethod
    @asynccontextmanager
    async def open(cls, location: S3Location) -> AsyncIterator[Self]:
        """The store at this place."""
        async with S3Bucket.open(location) as bucket:
            yield cls(bucket)

    async def read_manifest(self, product: Product, version: Version) -> bytes | None:
        """The sealed manifest, or None when there is no such build."""
        return await self._bucket.read_whole(_manifest_key(product, version), MAX_SEALED_BYTES)

    async def read_blob(self, digest: Digest, span: Span | None = None) -> AsyncIterator[bytes]:
        """The blob, or that span of it, in chunks of at most 256 KiB."""
        try:
            async for chunk in self._bucket.read(_blob_key(digest), span):
                yield chunk
        except AbsentError:
            raise BlobMissing(digest) from None

    async def versions(self, product: Product) -> Sequence[Version]:
        """The product's published versions, oldest precedence first."""
        return are_versions(await self._written_at(product))

    async def published_at(self, product: Product) -> Mapping[Version, int]:
        """When each of the product's builds was published, by the server's clock."""
        written_at = await self._written_at(product)
        return {version: written_at[version] for version in are_versions(written_at)}

    async def products(self) -> Sequence[Product]:
        """Every product with a published build, sorted."""
        names = await self._folders("builds/")
        found = [name for name in names if not name.startswith("@")]
        for scope in (name for name in names if name.startswith("@")):
            found += [f"{scope}/{name}" for name in await self._folders(f"builds/{scope}/")]
        return are_products(found)

    async def is_retired(self, product: Product, version: Version) -> bool:
        """True for a build that existed once and never will again."""
        return await self._bucket.read_whole(_retired_key(product, version), MAX_SEALED_BYTES) is not None

    async def blobs(self) -> AsyncIterator[StoredBlob]:
        """Every blob, a thousand by each request."""
        async for page in self._bucket.pages("blobs/", deep=True):
            for file in page.files:
                for digest in are_digests([file.name.rpartition("/")[2]]):
                    yield StoredBlob(digest, file.size, int(file.written_at.timestamp()))

    async def has_blob(self, digest: Digest) -> bool:
        """True where the blob is there, whole, by S3's own checksum if it has one of the whole object."""
        return await self._state(digest) is _State.WHOLE

    async def put_blob(self, digest: Digest, data: bytes) -> None:
        """Keep the blob, unless it is there, whole, already; S3 checks the digest before it does."""
        key = _blob_key(digest)
        if len(data) > _PART_BYTES:
            state = await self._state(digest)
            if state is not _State.WHOLE:
                await self._put_in_parts(key, data, {"IfNoneMatch": "*"} if state is _State.ABSENT else {})
        elif not await self._bucket.put_new(key, data) and not await self.has_blob(digest):
            await self._bucket.put(key, data)

    async def create_manifest(self, product: Product, version: Version, sealed: bytes) -> bool:
        """Make the build exist in one step. False when it exists already, also by an attempt of this very call."""
        if await self.is_retired(product, version):
            return False
        return await self._bucket.put_new(_manifest_key(product, version), sealed)

    async def replace_manifest(self, product: Product, version: Version, sealed: bytes) -> None:
        """Put another envelope in place of a build's; a reader sees the one or the other."""
        await self._bucket.put(_manifest_key(product, version), sealed)

    def publishing(self) -> AbstractAsyncContextManager[None]:
        """A lease beside those of other publishers; see `S3Leases`."""
        return self._leases.publishing()

    @asynccontextmanager
    async def sweeping(self) -> AsyncIterator["S3Sweeper"]:
        """The only lease of all; see `S3Leases`."""
        async with self._leases.sweeping():
            yield S3Sweeper(self._bucket)

    async def _written_at(self, product: Product) -> dict[str, int]:
        """When each of the product's manifests was written, by version as it is spelt in its key."""
        return {
            file.name.removesuffix(_SUFFIX): int(file.written_at.timestamp())
            async for page in self._bucket.pages(f"builds/{product}/")
            for file in page.files
            if file.name.endswith(_SUFFIX)
        }

    async def _folders(self, folder: str) -> list[str]:
        return [name async for page in self._bucket.pages(folder) for name in page.folders]

    async def _state(self, digest: Digest) -> "_State":
        """How a blob is. What was put in parts, or by others, may have no checksum of its bytes: it is read."""
        try:
            if await self._bucket.stored_checksum(_blob_key(digest)) == encoded(bytes.fromhex(digest)):
                return _State.WHOLE
            found = await digest_of_all(self._bucket.read(_blob_key(digest)))
        except AbsentError:
            return _State.ABSENT
        return _State.WHOLE if found == digest else _State.DAMAGED

    async def _put_in_parts(self, key: str, data: bytes, conditions: Mapping[str, str]) -> None:
        """A multipart upload: nothing is to be seen before its last step, and it is taken away where one fails."""
        call = self._bucket.call
        begun = await call("create_multipart_upload", key, ChecksumAlgorithm="SHA256", **self._bucket.encryption)
        upload = begun["UploadId"]
        try:
            parts = [
                await self._put_part(key, upload, number, data[start : start + _PART_BYTES])
                for number, start in enumerate(range(0, len(data), _PART_BYTES), 1)
            ]
            made = {"UploadId": upload, "MultipartUpload": {"Parts": parts}, **conditions}
            await call("complete_multipart_upload", key, **made)
        except ConditionError:
            await self._abort(key, upload)
        except BaseException:
            with anyio.CancelScope(shield=True):
                await self._abort(key, upload)
            raise

    async def _abort(self, key: str, upload: str) -> None:
        """Take the parts away. Where that fails they stay for the next sweep: nobody sees them."""
        with contextlib.suppress(Failed):
            await self._bucket.call("abort_multipart_upload", key, UploadId=upload)

    async def _put_part(self, key: str, upload: str, number: int, body: bytes) -> dict[str, Any]:
        options = {"UploadId": upload, "PartNumber": number, "Body": body, "ChecksumSHA256": checksum(body)}
        put = await self._bucket.call("upload_part", key, **options)
        return {"PartNumber": number, "ETag": put["ETag"], "ChecksumSHA256": options["ChecksumSHA256"]}


class S3Sweeper:
    """What may be taken away while nobody publishes."""

    def __init__(self, bucket: S3Bucket) -> None:
        self._bucket = bucket

    async def retire_manifest(self, product: Product, version: Version) -> None:
        """Copy the manifest to the retired ones, then take it away: at no moment is it in neither place."""
        sealed = await self._bucket.read_whole(_manifest_key(product, version), MAX_SEALED_BYTES)
        if sealed is not None:
            await self._bucket.put_new(_retired_key(product, version), sealed)
            await self._bucket.remove([_manifest_key(product, version)])

    async def remove_blobs(self, digests: Sequence[Digest]) -> None:
        """Take the blobs away, a thousand by each request."""
        for start in range(0, len(digests), MAX_REMOVED):
            await self._bucket.remove([_blob_key(digest) for digest in digests[start : start + MAX_REMOVED]])

    async def remove_unfinished(self) -> None:
        """Give up the multipart uploads that killed publishers left behind."""
        for key, upload in await self._bucket.unfinished("blobs/"):
            await self._bucket.call("abort_multipart_upload", key, UploadId=upload)


def _blob_key(digest: Digest) -> str:
    return f"blobs/{digest[:2]}/{digest}"


def _manifest_key(product: Product, version: Version) -> str:
    return f"builds/{product}/{version}{_SUFFIX}"


def _retired_key(product: Product, version: Version) -> str:
    return f"retired/{product}/{version}{_SUFFIX}"

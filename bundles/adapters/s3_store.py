"""The store in S3, or in what speaks its protocol, through aiobotocore.

{prefix}blobs/ab/ab12…                  a variant's body, named by its digest
{prefix}builds/{product}/{x.y.z}.json   a build's sealed manifest, written last and on condition that it is new
"""

import base64
import contextlib
import hashlib
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any, Self
from urllib.parse import parse_qs, urlsplit

import anyio
import msgspec
import stamina
from aiobotocore.config import AioConfig
from aiobotocore.session import get_session
from aiohttp import ClientError as HttpError
from botocore.exceptions import BotoCoreError, ClientError, HTTPClientError
from botocore.exceptions import ConnectionError as LostConnection

from bundles.core.digest import Digest
from bundles.core.errors import Failed, Invalid
from bundles.core.names import Product, are_products
from bundles.core.version import Version, are_versions
from bundles.ports import BlobMissing

_CHUNK_BYTES = 256 * 1024
_PART_BYTES = 8 * 1024 * 1024
_ATTEMPTS = 5
_ATTEMPTS_SECONDS = 30.0
_JITTER_SECONDS = 0.2
_SUFFIX = ".json"
_ABSENT = ("NoSuchKey", "404")
_UNMET = "PreconditionFailed"
_PASSING = (
    "SlowDown",
    "InternalError",
    "ServiceUnavailable",
    "RequestTimeout",
    "ConditionalRequestConflict",
    "500",
    "503",
)


class S3Location(msgspec.Struct, frozen=True):
    """A place in S3: `s3://bucket/prefix?endpoint=URL&region=NAME&kms=KEY`, of which only the bucket is needed.

    Everything is encrypted at rest: with the KMS key where one is named, else with S3's own keys.
    """

    bucket: str
    prefix: str = ""
    endpoint: str | None = None
    region: str | None = None
    kms_key: str | None = None

    @property
    def encryption(self) -> dict[str, str]:
        """What each write asks for."""
        if self.kms_key is None:
            return {"ServerSideEncryption": "AES256"}
        return {"ServerSideEncryption": "aws:kms", "SSEKMSKeyId": self.kms_key}


def parse_s3_location(text: str) -> S3Location:
    """The location of an `s3://` URL. Raises `Invalid`."""
    parts = urlsplit(text)
    options = parse_qs(parts.query, keep_blank_values=True)
    known = {"endpoint", "region", "kms"}
    if (
        parts.scheme != "s3"
        or not parts.hostname
        or set(options) - known
        or any(len(v) > 1 for v in options.values())
    ):
        raise Invalid(f"{text!r} is no place in S3: write s3://bucket/prefix?endpoint=URL&region=NAME&kms=KEY")
    prefix = parts.path.strip("/")
    first = {name: values[0] for name, values in options.items()}
    return S3Location(
        bucket=parts.hostname,
        prefix=f"{prefix}/" if prefix else "",
        endpoint=first.get("endpoint"),
        region=first.get("region"),
        kms_key=first.get("kms"),
    )


class S3Store:
    """Builds below one prefix of a bucket. What may pass is tried again, with backoff, for half a minute."""

    def __init__(self, client: Any, location: S3Location) -> None:
        self._client = client
        self._location = location

    @classmethod
    @asynccontextmanager
    async def open(cls, location: S3Location) -> AsyncIterator[Self]:
        """The store, with the credentials that the machine has for AWS (environment, profile or role)."""
        # botocore's own retries are off: stamina's have one budget for all that may pass by itself. So are its
        # checksums of answers, which a taken-up body has not: blobs are checked by digest, manifests by signature.
        config = AioConfig(
            connect_timeout=5,
            read_timeout=20,
            retries={"total_max_attempts": 1},
            response_checksum_validation="when_required",
            s3={"addressing_style": "path" if location.endpoint else "auto"},
        )
        options = {"endpoint_url": location.endpoint, "region_name": location.region, "config": config}
        async with AsyncExitStack() as stack:
            try:
                client = await stack.enter_async_context(get_session().create_client("s3", **options))
            except (BotoCoreError, ValueError) as error:
                raise Failed(f"can't use s3://{location.bucket}: {error}") from None
            yield cls(client, location)

    async def read_manifest(self, product: Product, version: Version) -> bytes | None:
        """The sealed manifest, or None when there is no such build."""
        try:
            return b"".join([chunk async for chunk in self._read(self._manifest_key(product, version))])
        except _AbsentError:
            return None

    async def read_blob(self, digest: Digest) -> AsyncIterator[bytes]:
        """The blob in chunks of at most 256 KiB."""
        try:
            async for chunk in self._read(self._blob_key(digest)):
                yield chunk
        except _AbsentError:
            raise BlobMissing(digest) from None

    async def versions(self, product: Product) -> Sequence[Version]:
        """The product's published versions, oldest precedence first."""
        folder = f"{self._location.prefix}builds/{product}/"
        names, _ = await self._list(folder)
        return are_versions(name.removesuffix(_SUFFIX) for name in names if name.endswith(_SUFFIX))

    async def products(self) -> Sequence[Product]:
        """Every product with a published build, sorted."""
        root = f"{self._location.prefix}builds/"
        _, names = await self._list(root)
        found = [name for name in names if not name.startswith("@")]
        for scope in (name for name in names if name.startswith("@")):
            found += [f"{scope}/{name}" for name in (await self._list(f"{root}{scope}/"))[1]]
        return are_products(found)

    async def put_blob(self, digest: Digest, data: bytes) -> None:
        """Keep the blob, unless it is there already; S3 checks the digest before it does."""
        key = self._blob_key(digest)
        if len(data) > _PART_BYTES:
            await self._put_in_parts(key, data)
        else:
            await self._put_new(key, data)

    async def create_manifest(self, product: Product, version: Version, sealed: bytes) -> bool:
        """Make the build exist in one step. False when it exists already, also by an attempt of this very call."""
        return await self._put_new(self._manifest_key(product, version), sealed)

    async def _put_new(self, key: str, data: bytes) -> bool:
        options = {"Body": data, "ChecksumSHA256": _checksum(data), "IfNoneMatch": "*"}
        try:
            await self._call("put_object", key, **options, **self._location.encryption)
        except _ConditionError:
            return False
        return True

    async def _put_in_parts(self, key: str, data: bytes) -> None:
        """A multipart upload: nothing is to be seen before its last step, and it is taken away where one fails."""
        begun = await self._call(
            "create_multipart_upload", key, ChecksumAlgorithm="SHA256", **self._location.encryption
        )
        upload = begun["UploadId"]
        try:
            parts = [
                await self._put_part(key, upload, number, data[start : start + _PART_BYTES])
                for number, start in enumerate(range(0, len(data), _PART_BYTES), 1)
            ]
            made = {"UploadId": upload, "MultipartUpload": {"Parts": parts}, "IfNoneMatch": "*"}
            await self._call("complete_multipart_upload", key, **made)
        except _ConditionError:
            await self._abort(key, upload)
        except BaseException:
            with anyio.CancelScope(shield=True):
                await self._abort(key, upload)
            raise

    async def _abort(self, key: str, upload: str) -> None:
        """Take the parts away. Where that fails they stay for the bucket's lifecycle rule: nobody sees them."""
        with contextlib.suppress(Failed):
            await self._call("abort_multipart_upload", key, UploadId=upload)

    async def _put_part(self, key: str, upload: str, number: int, body: bytes) -> dict[str, Any]:
        checksum = _checksum(body)
        options = {"UploadId": upload, "PartNumber": number, "Body": body, "ChecksumSHA256": checksum}
        put = await self._call("upload_part", key, **options)
        return {"PartNumber": number, "ETag": put["ETag"], "ChecksumSHA256": checksum}

    async def _read(self, key: str) -> AsyncIterator[bytes]:
        """An object in chunks. A body that breaks off is taken up where it broke, if it is still the same object.

        Raises `_AbsentError`, and `Failed` for a body that breaks off again and again.
        """
        done = 0
        same: dict[str, str] = {}
        try:
            async for attempt in stamina.retry_context(
                on=_may_pass, attempts=_ATTEMPTS, timeout=None, wait_jitter=_JITTER_SECONDS
            ):
                with attempt:
                    rest = {"Range": f"bytes={done}-"} if done else {}
                    found = await self._call("get_object", key, **same, **rest)
                    same = {"IfMatch": found["ETag"]}
                    async with found["Body"] as body:
                        async for chunk in body.iter_chunks(_CHUNK_BYTES):
                            done += len(chunk)
                            yield chunk
        except _ConditionError:
            raise self._failed("get_object", OSError(f"{key} was replaced while it was read")) from None
        except (BotoCoreError, HttpError, OSError) as error:
            raise self._failed("get_object", error) from None

    async def _list(self, folder: str) -> tuple[list[str], list[str]]:
        """The names of the files in a folder, and of the folders in it."""
        files: list[str] = []
        folders: list[str] = []
        more: dict[str, str] = {}
        while True:
            page = await self._call("list_objects_v2", None, Prefix=folder, Delimiter="/", **more)
            files += [item["Key"].removeprefix(folder) for item in page.get("Contents", ())]
            folders += [item["Prefix"].removeprefix(folder).rstrip("/") for item in page.get("CommonPrefixes", ())]
            if not page.get("IsTruncated"):
                return files, folders
            more = {"ContinuationToken": page["NextContinuationToken"]}

    async def _call(self, operation: str, key: str | None, **options: Any) -> Any:
        """One request, tried again where that may help. Raises `_AbsentError`, `_ConditionError` or `Failed`."""
        named = {} if key is None else {"Key": key}
        try:
            async for attempt in stamina.retry_context(
                on=_may_pass, attempts=_ATTEMPTS, timeout=_ATTEMPTS_SECONDS
            ):
                with attempt:
                    return await getattr(self._client, operation)(Bucket=self._location.bucket, **named, **options)
        except ClientError as error:
            code = _code(error)
            if code in _ABSENT:
                raise _AbsentError from None
            if code == _UNMET:
                raise _ConditionError from None
            raise self._failed(operation, error) from None
        except (BotoCoreError, HttpError, OSError) as error:
            raise self._failed(operation, error) from None

    def _failed(self, operation: str, error: Exception) -> Failed:
        return Failed(f"s3://{self._location.bucket} does not work ({operation}: {error})")

    def _blob_key(self, digest: Digest) -> str:
        return f"{self._location.prefix}blobs/{digest[:2]}/{digest}"

    def _manifest_key(self, product: Product, version: Version) -> str:
        return f"{self._location.prefix}builds/{product}/{version}{_SUFFIX}"


class _AbsentError(Exception):
    """There is no such object."""


class _ConditionError(Exception):
    """A condition does not hold: there is such an object already, or it is another one now."""


def _may_pass(error: Exception) -> bool:
    """True for what another attempt may not meet: a lost connection, a throttled or failing server."""
    if isinstance(error, ClientError):
        return _code(error) in _PASSING
    return isinstance(error, (LostConnection, HTTPClientError, HttpError, OSError))


def _code(error: ClientError) -> str:
    return str(error.response.get("Error", {}).get("Code", ""))


def _checksum(data: bytes) -> str:
    return base64.b64encode(hashlib.sha256(data).digest()).decode()

"""One prefix of a bucket in S3, or in what speaks its protocol, through aiobotocore."""

import base64
import hashlib
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import datetime
from email.utils import parsedate_to_datetime
from typing import Any, Self
from urllib.parse import parse_qs, urlsplit

import msgspec
import stamina
from aiobotocore.config import AioConfig
from aiobotocore.session import get_session
from aiohttp import ClientError as HttpError
from botocore.exceptions import BotoCoreError, ClientError, HTTPClientError
from botocore.exceptions import ConnectionError as LostConnection

from bundles.core.errors import Failed, Invalid
from bundles.core.span import Span

MAX_REMOVED = 1_000

_CHUNK_BYTES = 256 * 1024
_ATTEMPTS = 5
_ATTEMPTS_SECONDS = 30.0
_JITTER_SECONDS = 0.2
_CHECKED = {"ChecksumAlgorithm": "SHA256"}
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
    wrong = Invalid(f"{text!r} is no place in S3: write s3://bucket/prefix?endpoint=URL&region=NAME&kms=KEY")
    try:
        parts = urlsplit(text)
        options = parse_qs(parts.query, keep_blank_values=True)
        for endpoint in options.get("endpoint", ()):
            urlsplit(endpoint)
    except ValueError:
        raise wrong from None
    known = {"endpoint", "region", "kms"}
    is_ambiguous = any(len(values) > 1 for values in options.values())
    if parts.scheme != "s3" or not parts.hostname or set(options) - known or is_ambiguous:
        raise wrong
    prefix = parts.path.strip("/")
    first = {name: values[0] for name, values in options.items()}
    return S3Location(
        bucket=parts.hostname,
        prefix=f"{prefix}/" if prefix else "",
        endpoint=first.get("endpoint"),
        region=first.get("region"),
        kms_key=first.get("kms"),
    )


class Listed(msgspec.Struct, frozen=True):
    """An object in a folder: its name there, its size in bytes, and when it was written by the server's clock."""

    name: str
    size: int
    written_at: datetime


class Page(msgspec.Struct, frozen=True):
    """A part of a folder's list, and the server's time, to the second."""

    files: list[Listed]
    folders: list[str]
    at: datetime


class S3Bucket:
    """Objects by their keys below the prefix. What may pass is tried again, with backoff, for half a minute."""

    def __init__(self, client: Any, location: S3Location) -> None:
        self._client = client
        self._location = location

    @classmethod
    @asynccontextmanager
    async def open(cls, location: S3Location) -> AsyncIterator[Self]:
        """The bucket, with the credentials that the machine has for AWS (environment, profile or role)."""
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

    async def read(self, key: str, span: Span | None = None) -> AsyncIterator[bytes]:
        """An object, or that span of it, in chunks of at most 256 KiB. What breaks off is taken up where it broke.

        Raises `AbsentError`, and `Failed` for a body that breaks off again and again, or is another object then.
        """
        done = 0
        same: dict[str, str] = {}
        try:
            async for attempt in stamina.retry_context(
                on=_may_pass, attempts=_ATTEMPTS, timeout=None, wait_jitter=_JITTER_SECONDS
            ):
                with attempt:
                    found = await self.call("get_object", key, **same, **_rest(span, done))
                    same = {"IfMatch": found["ETag"]}
                    async with found["Body"] as body:
                        async for chunk in body.iter_chunks(_CHUNK_BYTES):
                            done += len(chunk)
                            yield chunk
        except ConditionError:
            raise self._failed("get_object", OSError(f"{key} was replaced while it was read")) from None
        except (BotoCoreError, HttpError, OSError) as error:
            raise self._failed("get_object", error) from None

    async def read_whole(self, key: str, most: int) -> bytes | None:
        """An object's bytes; None where there is no such object. Raises `Failed` where it has more than `most`."""
        data = bytearray()
        try:
            async for chunk in self.read(key):
                data += chunk
                if len(data) > most:
                    raise Failed(
                        f"s3://{self._location.bucket}: {key} has more than {most} bytes, the most it may have"
                    )
        except AbsentError:
            return None
        return bytes(data)

    async def put(self, key: str, data: bytes, **conditions: str) -> datetime:
        """Write the object whole; S3 checks its digest first. Returns the server's time, to the second."""
        options = {"Body": data, **_CHECKED, "ChecksumSHA256": checksum(data), **conditions}
        return _server_time(await self.call("put_object", key, **options, **self.encryption))

    async def put_new(self, key: str, data: bytes) -> bool:
        """Write the object unless there is one already, which gives False."""
        try:
            await self.put(key, data, IfNoneMatch="*")
        except ConditionError:
            return False
        return True

    async def stored_checksum(self, key: str) -> str | None:
        """The SHA-256 that S3 keeps with an object, in base64; None where it keeps none. Raises `AbsentError`.

        Of what was uploaded in parts it is that of their checksums (`COMPOSITE`), not of the bytes.
        """
        answer = await self.call("head_object", key, ChecksumMode="ENABLED")
        stored: str | None = answer.get("ChecksumSHA256")
        return stored

    async def remove(self, keys: Sequence[str]) -> None:
        """Take away at most `MAX_REMOVED` objects; harmless for those that are gone already."""
        objects = [{"Key": self._location.prefix + key} for key in keys]
        answer = await self.call("delete_objects", None, Delete={"Objects": objects, "Quiet": True})
        for fault in answer.get("Errors", ()):
            raise Failed(f"s3://{self._location.bucket} can't remove {fault['Key']}: {fault.get('Message')}")

    async def pages(self, folder: str, *, deep: bool = False) -> AsyncIterator[Page]:
        """A folder's objects and the folders in it; with `deep`, all objects below it."""
        prefix = self._location.prefix + folder
        options = {"Prefix": prefix} if deep else {"Prefix": prefix, "Delimiter": "/"}
        while True:
            answer = await self.call("list_objects_v2", None, **options)
            files = [
                Listed(item["Key"].removeprefix(prefix), item["Size"], item["LastModified"])
                for item in answer.get("Contents", ())
            ]
            folders = [item["Prefix"] for item in answer.get("CommonPrefixes", ())]
            names = [folder.removeprefix(prefix).rstrip("/") for folder in folders]
            yield Page(files, names, _server_time(answer))
            if not answer.get("IsTruncated"):
                return
            options["ContinuationToken"] = answer["NextContinuationToken"]

    async def unfinished(self, folder: str) -> list[tuple[str, str]]:
        """The key and the id of each multipart upload below a folder that was neither completed nor given up."""
        prefix = self._location.prefix
        found: list[tuple[str, str]] = []
        options = {"Prefix": prefix + folder}
        while True:
            answer = await self.call("list_multipart_uploads", None, **options)
            found += [(item["Key"].removeprefix(prefix), item["UploadId"]) for item in answer.get("Uploads", ())]
            if not answer.get("IsTruncated"):
                return found
            options["KeyMarker"] = answer["NextKeyMarker"]
            options["UploadIdMarker"] = answer["NextUploadIdMarker"]

    @property
    def encryption(self) -> dict[str, str]:
        """What each write asks for."""
        return self._location.encryption

    async def call(self, operation: str, key: str | None, **options: Any) -> Any:
        """One request, tried again where that may help. Raises `AbsentError`, `ConditionError` or `Failed`."""
        named = {} if key is None else {"Key": self._location.prefix + key}
        try:
            async for attempt in stamina.retry_context(
                on=_may_pass, attempts=_ATTEMPTS, timeout=_ATTEMPTS_SECONDS
            ):
                with attempt:
                    return await getattr(self._client, operation)(Bucket=self._location.bucket, **named, **options)
        except ClientError as error:
            code = _code(error)
            if code in _ABSENT:
                raise AbsentError from None
            if code == _UNMET:
                raise ConditionError from None
            raise self._failed(operation, error) from None
        except (BotoCoreError, HttpError, OSError) as error:
            raise self._failed(operation, error) from None

    def _failed(self, operation: str, error: Exception) -> Failed:
        return Failed(f"s3://{self._location.bucket} does not work ({operation}: {error})")


class AbsentError(Exception):
    """There is no such object."""


class ConditionError(Exception):
    """A condition does not hold: there is such an object already, or it is another one now."""


def checksum(data: bytes) -> str:
    """What S3 checks a body against: its SHA-256 in base64."""
    return encoded(hashlib.sha256(data).digest())


def encoded(digest: bytes) -> str:
    """A checksum as S3 writes it."""
    return base64.b64encode(digest).decode()


def _rest(span: Span | None, done: int) -> dict[str, str]:
    """What asks for an object, or for a span of it, without its first bytes that are there already."""
    if span is not None:
        return {"Range": f"bytes={span.start + done}-{span.end - 1}"}
    return {"Range": f"bytes={done}-"} if done else {}


def _may_pass(error: Exception) -> bool:
    """True for what another attempt may not meet: a lost connection, a throttled or failing server."""
    if isinstance(error, ClientError):
        return _code(error) in _PASSING
    return isinstance(error, (LostConnection, HTTPClientError, HttpError, OSError))


def _code(error: ClientError) -> str:
    return str(error.response.get("Error", {}).get("Code", ""))


def _server_time(answer: Any) -> datetime:
    return parsedate_to_datetime(answer["ResponseMetadata"]["HTTPHeaders"]["date"])

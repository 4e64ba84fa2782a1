"""What is S3's alone: encryption, faults that pass and faults that stay."""

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from aiobotocore.session import get_session

from bundles.adapters.s3_bucket import S3Location, parse_s3_location
from bundles.adapters.s3_store import S3Store
from bundles.core.digest import Digest, digest_of
from bundles.core.errors import Failed, Invalid
from bundles.core.names import Product
from bundles.core.span import Span
from bundles.core.version import Version
from tests.contract.conftest import FaultyS3

pytestmark = pytest.mark.anyio

SDK, ONE = Product("sdk"), Version("1.0.0")


@asynccontextmanager
async def client_of(location: S3Location) -> AsyncIterator[Any]:
    """A client that knows nothing of Headrace."""
    options = {"endpoint_url": location.endpoint, "region_name": location.region}
    async with get_session().create_client("s3", **options) as client:
        yield client


async def heads(location: S3Location) -> list[dict[str, object]]:
    """What the server says of each object in the bucket."""
    async with client_of(location) as client:
        listed = await client.list_objects_v2(Bucket=location.bucket)
        return [
            await client.head_object(Bucket=location.bucket, Key=item["Key"], ChecksumMode="ENABLED")
            for item in listed["Contents"]
        ]


async def uploads(location: S3Location) -> list[object]:
    """The multipart uploads that were begun and neither ended nor taken away."""
    async with client_of(location) as client:
        return list((await client.list_multipart_uploads(Bucket=location.bucket)).get("Uploads", ()))


@pytest.mark.parametrize(("kms_key", "algorithm"), [(None, "AES256"), ("alias/headrace", "aws:kms")])
async def test_every_object_is_encrypted_at_rest_as_asked_for(
    s3_location: S3Location, kms_key: str | None, algorithm: str
) -> None:
    location = S3Location(
        s3_location.bucket, s3_location.prefix, s3_location.endpoint, s3_location.region, kms_key
    )
    large = b"large" * 4_000_000
    async with S3Store.open(location) as store:
        await store.put_blob(digest_of(b"small"), b"small")
        await store.put_blob(digest_of(large), large)
        await store.create_manifest(Product("sdk"), Version("1.0.0"), b"manifest")
    found = await heads(location)
    assert len(found) == 3
    for head in found:
        assert head["ServerSideEncryption"] == algorithm
        if kms_key is not None:
            assert kms_key in str(head["SSEKMSKeyId"])


@pytest.fixture
async def behind(faulty_s3: FaultyS3, s3_location: S3Location) -> AsyncIterator[S3Store]:
    """A store whose server fails when told to."""
    place = S3Location(s3_location.bucket, "", faulty_s3.url, s3_location.region)
    async with S3Store.open(place) as opened:
        yield opened


async def read(store: S3Store, digest: Digest, span: Span | None = None) -> bytes:
    return b"".join([chunk async for chunk in store.read_blob(digest, span)])


@pytest.mark.parametrize("times", [1, 3])
async def test_throttling_is_waited_out_with_backoff(behind: S3Store, faulty_s3: FaultyS3, times: int) -> None:
    faulty_s3.fail("throttle", times)
    assert await behind.create_manifest(SDK, ONE, b"manifest")
    faulty_s3.fail("throttle", times)
    assert await behind.read_manifest(SDK, ONE) == b"manifest"


async def test_throttling_is_not_waited_out_for_ever(behind: S3Store, faulty_s3: FaultyS3) -> None:
    faulty_s3.fail("throttle", 500)
    with pytest.raises(Failed, match="SlowDown"):
        await behind.create_manifest(SDK, ONE, b"manifest")


@pytest.mark.parametrize("size", [1, 3_000_000])
async def test_a_body_that_breaks_off_is_taken_up_where_it_broke(
    behind: S3Store, faulty_s3: FaultyS3, size: int
) -> None:
    body = os.urandom(size)
    digest = digest_of(body)
    await behind.put_blob(digest, body)
    await behind.create_manifest(SDK, ONE, body)
    faulty_s3.fail("reset", 3)
    assert await read(behind, digest) == body
    assert faulty_s3.seen("GET", digest) == 4
    faulty_s3.fail("reset", 3)
    assert await behind.read_manifest(SDK, ONE) == body


async def test_a_span_that_breaks_off_is_taken_up_where_it_broke(behind: S3Store, faulty_s3: FaultyS3) -> None:
    body = os.urandom(3_000_000)
    digest = digest_of(body)
    await behind.put_blob(digest, body)
    faulty_s3.fail("reset", 3)
    assert await read(behind, digest, Span(500_000, 2_900_000)) == body[500_000:2_900_000]
    assert faulty_s3.seen("GET", digest) == 4


async def test_a_body_that_always_breaks_off_is_given_up(behind: S3Store, faulty_s3: FaultyS3) -> None:
    body = os.urandom(100_000)
    await behind.put_blob(digest_of(body), body)
    faulty_s3.fail("reset", 500)
    with pytest.raises(Failed, match="get_object"):
        await read(behind, digest_of(body))
    assert faulty_s3.seen("GET", digest_of(body)) == 5


async def test_a_body_that_is_replaced_while_it_is_read_is_not_patched_together(
    behind: S3Store, s3_location: S3Location, faulty_s3: FaultyS3
) -> None:
    body = os.urandom(3_000_000)
    digest = digest_of(body)
    await behind.put_blob(digest, body)
    faulty_s3.fail("reset", 1)
    chunks = behind.read_blob(digest)
    await anext(chunks)
    async with client_of(s3_location) as client:
        key = f"blobs/{digest[:2]}/{digest}"
        await client.put_object(Bucket=s3_location.bucket, Key=key, Body=os.urandom(3_000_000))
    with pytest.raises(Failed, match="was replaced while it was read"):
        async for _ in chunks:
            pass


async def test_a_large_blob_that_someone_else_put_first_is_not_replaced_and_leaves_no_parts(
    s3_location: S3Location,
) -> None:
    large = b"large" * 4_000_000
    async with S3Store.open(s3_location) as store, client_of(s3_location) as client:
        versioned = {"Status": "Enabled"}
        await client.put_bucket_versioning(Bucket=s3_location.bucket, VersioningConfiguration=versioned)
        await store.put_blob(digest_of(large), large)
        await store.put_blob(digest_of(large), large)
        versions = await client.list_object_versions(Bucket=s3_location.bucket)
    assert len(versions["Versions"]) == 1
    assert await uploads(s3_location) == []


async def test_an_upload_that_fails_tells_why_and_not_that_it_could_not_tidy_up(
    behind: S3Store, faulty_s3: FaultyS3
) -> None:
    large = b"large" * 4_000_000
    faulty_s3.fail("throttle", 500, "uploadId=")
    with pytest.raises(Failed, match=r"\(upload_part: "):
        await behind.put_blob(digest_of(large), large)


async def test_a_server_that_is_away_is_one_clear_fault(s3_location: S3Location) -> None:
    away = S3Location(s3_location.bucket, "", "http://127.0.0.1:1", s3_location.region)
    async with S3Store.open(away) as store:
        with pytest.raises(Failed, match=rf"s3://{s3_location.bucket} does not work \(get_object: "):
            await store.read_manifest(Product("sdk"), Version("1.0.0"))


async def test_a_bucket_that_is_not_there_is_a_fault_and_no_empty_store(s3_location: S3Location) -> None:
    nowhere = S3Location("no-such-bucket", "", s3_location.endpoint, s3_location.region)
    async with S3Store.open(nowhere) as store:
        with pytest.raises(Failed, match="NoSuchBucket"):
            await store.read_manifest(Product("sdk"), Version("1.0.0"))
        with pytest.raises(Failed, match="NoSuchBucket"):
            await store.products()


@pytest.mark.parametrize(
    "text",
    [
        "",
        "s3://",
        "s3:///prefix",
        "http://bucket",
        "bucket/prefix",
        "s3://b?wat=1",
        "s3://b?kms=a&kms=b",
        "s3://[b",
        "s3://b?endpoint=http://[",
    ],
)
def test_what_is_no_place_in_s3_is_refused(text: str) -> None:
    with pytest.raises(Invalid, match="is no place in S3"):
        parse_s3_location(text)


def test_a_place_in_s3() -> None:
    assert parse_s3_location("s3://bucket") == S3Location("bucket")
    whole = parse_s3_location("s3://bucket/a/b/?endpoint=http://localhost:9&region=eu-west-1&kms=alias/x")
    assert whole == S3Location("bucket", "a/b/", "http://localhost:9", "eu-west-1", "alias/x")

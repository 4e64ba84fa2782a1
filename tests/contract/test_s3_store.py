"""What is S3's alone: encryption, faults that pass and faults that stay."""

import pytest
from aiobotocore.session import get_session

from bundles.adapters.s3_store import S3Location, S3Store, parse_s3_location
from bundles.core.digest import digest_of
from bundles.core.errors import Failed, Invalid
from bundles.core.names import Product
from bundles.core.version import Version
from tests.contract.conftest import free_port, http_server

pytestmark = pytest.mark.anyio


async def heads(location: S3Location) -> list[dict[str, object]]:
    """What the server says of each object in the bucket."""
    options = {"endpoint_url": location.endpoint, "region_name": location.region}
    async with get_session().create_client("s3", **options) as client:
        listed = await client.list_objects_v2(Bucket=location.bucket)
        return [
            await client.head_object(Bucket=location.bucket, Key=item["Key"], ChecksumMode="ENABLED")
            for item in listed["Contents"]
        ]


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


@pytest.mark.parametrize(("failures", "passes"), [(1, True), (3, True), (500, False)])
async def test_throttling_is_waited_out_with_backoff_and_not_for_ever(
    s3_server: str, s3_location: S3Location, failures: int, passes: bool
) -> None:
    port = free_port()
    with http_server(port, "tests.contract.faulty_proxy", s3_server, port, str(failures)) as url:
        throttled = S3Location(s3_location.bucket, "", url, s3_location.region)
        async with S3Store.open(throttled) as store:
            if passes:
                assert await store.create_manifest(Product("sdk"), Version("1.0.0"), b"manifest")
                assert await store.read_manifest(Product("sdk"), Version("1.0.0")) == b"manifest"
            else:
                with pytest.raises(Failed, match="SlowDown"):
                    await store.create_manifest(Product("sdk"), Version("1.0.0"), b"manifest")


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
    "text", ["", "s3://", "s3:///prefix", "http://bucket", "bucket/prefix", "s3://b?wat=1", "s3://b?kms=a&kms=b"]
)
def test_what_is_no_place_in_s3_is_refused(text: str) -> None:
    with pytest.raises(Invalid, match="is no place in S3"):
        parse_s3_location(text)


def test_a_place_in_s3() -> None:
    assert parse_s3_location("s3://bucket") == S3Location("bucket")
    whole = parse_s3_location("s3://bucket/a/b/?endpoint=http://localhost:9&region=eu-west-1&kms=alias/x")
    assert whole == S3Location("bucket", "a/b/", "http://localhost:9", "eu-west-1", "alias/x")

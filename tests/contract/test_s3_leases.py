"""Leases in S3: they outlast neither their process nor their holder's patience."""

import subprocess
import sys
import time
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager
from pathlib import Path

import anyio
import pytest

from bundles.adapters.s3_bucket import S3Bucket, S3Location
from bundles.adapters.s3_store import S3Store
from bundles.core.errors import Conflict, Failed
from bundles.core.names import Product
from bundles.core.version import Version
from tests.contract.conftest import FaultyS3

pytestmark = pytest.mark.anyio

LEASE_SECONDS = 3.0
HOLDER = """
import anyio, sys
from bundles.adapters.s3_bucket import S3Bucket, parse_s3_location
from bundles.adapters.s3_store import S3Store

async def hold():
    async with S3Bucket.open(parse_s3_location(sys.argv[2])) as bucket:
        async with getattr(S3Store(bucket), sys.argv[1])():
            print("held", flush=True)
            await anyio.sleep(600)

anyio.run(hold)
"""


@pytest.fixture
async def bucket(s3_location: S3Location) -> AsyncIterator[S3Bucket]:
    async with S3Bucket.open(s3_location) as opened:
        yield opened


def hold_and_be_killed(kind: str, place: str) -> None:
    """A process takes this lease and is killed while it has it."""
    command = [sys.executable, "-c", HOLDER, kind, place]
    with subprocess.Popen(command, stdout=subprocess.PIPE, cwd=Path(__file__).parents[2]) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == b"held\n"
        holder.kill()


async def leases(bucket: S3Bucket) -> list[str]:
    return [file.name async for page in bucket.pages("leases/", deep=True) for file in page.files]


async def sweep_once(store: S3Store) -> None:
    async with store.sweeping():
        pass


@pytest.mark.parametrize("kind", ["publishing", "sweeping"])
async def test_a_killed_holder_keeps_others_out_for_no_longer_than_its_lease(
    bucket: S3Bucket, s3_location: S3Location, kind: str
) -> None:
    hold_and_be_killed(kind, f"s3://{s3_location.bucket}/sdk/?endpoint={s3_location.endpoint}&region=us-east-1")
    killed_at = time.monotonic()
    store = S3Store(bucket, LEASE_SECONDS)
    with pytest.raises(Conflict):
        await sweep_once(store)
    if kind == "sweeping":
        async with store.publishing():
            pass
    else:
        while True:
            try:
                await sweep_once(store)
            except Conflict:
                await anyio.sleep(0.2)
            else:
                break
    assert time.monotonic() - killed_at > LEASE_SECONDS - 1
    assert await leases(bucket) == []


async def test_a_lease_is_renewed_for_as_long_as_the_work_takes(bucket: S3Bucket) -> None:
    store = S3Store(bucket, LEASE_SECONDS)
    async with store.publishing():
        await anyio.sleep(LEASE_SECONDS + 2)
        with pytest.raises(Conflict):
            await sweep_once(store)
    await sweep_once(store)
    assert await leases(bucket) == []


async def work_for_ever(lease: AbstractAsyncContextManager[object], faulty_s3: FaultyS3) -> None:
    """Work that only the end of its lease ends."""
    async with lease:
        faulty_s3.fail("throttle", 1_000, "leases/")
        await anyio.sleep_forever()


@pytest.mark.parametrize("kind", ["publishing", "sweeping"])
async def test_work_whose_lease_can_not_be_renewed_is_broken_off_before_the_lease_ends(
    s3_location: S3Location, faulty_s3: FaultyS3, kind: str
) -> None:
    behind = S3Location(s3_location.bucket, "", faulty_s3.url, s3_location.region)
    async with S3Bucket.open(behind) as bucket:
        store = S3Store(bucket, LEASE_SECONDS)
        with pytest.raises(Failed, match="the lease on the store ran out"):
            await work_for_ever(store.publishing() if kind == "publishing" else store.sweeping(), faulty_s3)


async def test_a_retirement_that_broke_off_is_done_by_the_next(
    s3_location: S3Location, faulty_s3: FaultyS3
) -> None:
    sdk, one = Product("sdk"), Version("1.0.0")
    behind = S3Location(s3_location.bucket, "", faulty_s3.url, s3_location.region)
    async with S3Store.open(behind) as store:
        await store.create_manifest(sdk, one, b"sealed")
        async with store.sweeping() as sweeper:
            faulty_s3.fail("throttle", 5, "delete")
            with pytest.raises(Failed, match="SlowDown"):
                await sweeper.retire_manifest(sdk, one)
            assert await store.read_manifest(sdk, one) == b"sealed"
            assert await store.versions(sdk) == [one]
            await sweeper.retire_manifest(sdk, one)
        assert await store.read_manifest(sdk, one) is None
        assert await store.is_retired(sdk, one)


async def test_uploads_that_a_killed_publisher_left_are_given_up(bucket: S3Bucket) -> None:
    for number in range(3):
        await bucket.call("create_multipart_upload", f"blobs/ab/{number}")
    assert len(await bucket.unfinished("blobs/")) == 3
    async with S3Store(bucket).sweeping() as sweeper:
        await sweeper.remove_unfinished()
    assert await bucket.unfinished("blobs/") == []

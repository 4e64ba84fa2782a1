"""What every store promises, whatever it is made of."""

import os
import time

import anyio
import pytest

from bundles.core.digest import Digest, digest_of
from bundles.core.errors import Conflict, Failed, Refused
from bundles.core.names import Product
from bundles.core.span import Span
from bundles.core.version import Version
from bundles.ports import BlobMissing, Store

pytestmark = pytest.mark.anyio

SDK, ONE = Product("sdk"), Version("1.0.0")


async def read(store: Store, digest: Digest, span: Span | None = None) -> bytes:
    return b"".join([chunk async for chunk in store.read_blob(digest, span)])


async def test_an_empty_store_has_nothing(store: Store) -> None:
    assert await store.read_manifest(SDK, ONE) is None
    assert await store.versions(SDK) == []
    assert await store.products() == []
    with pytest.raises(BlobMissing):
        await read(store, digest_of(b"nothing"))


@pytest.mark.parametrize("size", [0, 1, 100, 256 * 1024, 256 * 1024 + 1, 20_000_000])
async def test_a_blob_comes_back_as_it_was_also_when_put_twice(store: Store, size: int) -> None:
    body = os.urandom(size)
    digest = digest_of(body)
    await store.put_blob(digest, body)
    await store.put_blob(digest, body)
    assert await read(store, digest) == body


@pytest.mark.parametrize(
    ("start", "end"),
    [(0, 1), (5, 6), (999_999, 1_000_000), (0, 1_000_000), (262_143, 262_145), (100_000, 900_000)],
)
async def test_a_span_of_a_blob_is_those_bytes_of_it(store: Store, start: int, end: int) -> None:
    body = os.urandom(1_000_000)
    digest = digest_of(body)
    await store.put_blob(digest, body)
    assert await read(store, digest, Span(start, end)) == body[start:end]
    with pytest.raises(BlobMissing):
        await read(store, digest_of(b"nothing"), Span(start, end))


async def test_a_manifest_is_made_once_and_never_replaced(store: Store) -> None:
    assert await store.create_manifest(SDK, ONE, b"first")
    assert not await store.create_manifest(SDK, ONE, b"second")
    assert await store.read_manifest(SDK, ONE) == b"first"


async def test_a_manifest_that_is_too_large_is_told_and_not_read(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    for adapter in ("disk_store", "s3_store"):
        monkeypatch.setattr(f"bundles.adapters.{adapter}.MAX_SEALED_BYTES", 1_000_000)
    await store.create_manifest(SDK, ONE, b"x" * 1_000_000)
    assert await store.read_manifest(SDK, ONE) == b"x" * 1_000_000
    await store.replace_manifest(SDK, ONE, b"x" * 1_000_001)
    with pytest.raises(Failed, match=r"sdk.1\.0\.0.json has more than 1000000 bytes, the most"):
        await store.read_manifest(SDK, ONE)


async def test_a_manifest_is_put_in_place_of_another_as_a_whole(store: Store) -> None:
    await store.create_manifest(SDK, ONE, b"first" * 1_000)
    async with store.publishing():
        await store.replace_manifest(SDK, ONE, b"second")
    assert await store.read_manifest(SDK, ONE) == b"second"
    assert await store.versions(SDK) == [ONE]
    assert not await store.create_manifest(SDK, ONE, b"third")


async def test_of_many_that_make_a_manifest_at_once_exactly_one_does(store: Store) -> None:
    made: list[bytes] = []

    async def make(number: int) -> None:
        body = b"manifest %d" % number
        if await store.create_manifest(SDK, ONE, body):
            made.append(body)

    async with anyio.create_task_group() as group:
        for number in range(12):
            group.start_soon(make, number)
    assert [await store.read_manifest(SDK, ONE)] == made


async def test_builds_are_listed_by_product_and_precedence(store: Store) -> None:
    for version in ("1.10.0", "1.9.0", "1.10.0-rc.1"):
        await store.create_manifest(SDK, Version(version), b"m")
    for product in ("@acme/menu", "@acme/news", "@zeta/menu", "sdk-next"):
        await store.create_manifest(Product(product), ONE, b"m")
    assert await store.versions(SDK) == ["1.9.0", "1.10.0-rc.1", "1.10.0"]
    assert await store.versions(Product("@acme/menu")) == ["1.0.0"]
    assert await store.versions(Product("@acme/none")) == []
    assert await store.products() == ["@acme/menu", "@acme/news", "@zeta/menu", "sdk", "sdk-next"]


async def test_when_builds_were_published_is_known(store: Store) -> None:
    before = int(time.time())
    for version in ("1.0.0", "1.1.0"):
        await store.create_manifest(SDK, Version(version), b"m")
    published_at = await store.published_at(SDK)
    assert list(published_at) == ["1.0.0", "1.1.0"]
    assert all(before - 1 <= at <= time.time() + 1 for at in published_at.values())
    assert await store.published_at(Product("none")) == {}


async def test_a_retired_build_does_not_exist_and_never_will_again(store: Store) -> None:
    for version in ("1.0.0", "1.1.0"):
        await store.create_manifest(SDK, Version(version), b"m")
    async with store.sweeping() as sweeper:
        for _ in range(2):
            await sweeper.retire_manifest(SDK, ONE)
    assert await store.is_retired(SDK, ONE)
    assert not await store.is_retired(SDK, Version("1.1.0"))
    assert await store.read_manifest(SDK, ONE) is None
    assert await store.versions(SDK) == ["1.1.0"]
    assert not await store.create_manifest(SDK, ONE, b"m")
    assert await store.read_manifest(SDK, ONE) is None


async def test_a_product_whose_builds_are_all_retired_is_none(store: Store) -> None:
    await store.create_manifest(SDK, ONE, b"m")
    async with store.sweeping() as sweeper:
        await sweeper.retire_manifest(SDK, ONE)
    assert await store.products() == []
    assert await store.versions(SDK) == []


async def test_every_blob_is_listed_once_with_its_size_and_age(store: Store) -> None:
    bodies = [b"%d" % number for number in range(30)] + [b"", b"large" * 2_000_000]
    before = int(time.time())
    for body in bodies:
        await store.put_blob(digest_of(body), body)
    found = [blob async for blob in store.blobs()]
    assert sorted((blob.digest, blob.size) for blob in found) == sorted((digest_of(b), len(b)) for b in bodies)
    assert all(before - 1 <= blob.stored_at <= time.time() + 1 for blob in found)


async def test_removed_blobs_are_gone_and_the_others_are_not(store: Store) -> None:
    bodies = [b"%d" % number for number in range(5)]
    digests = [digest_of(body) for body in bodies]
    for digest, body in zip(digests, bodies, strict=True):
        await store.put_blob(digest, body)
    async with store.sweeping() as sweeper:
        await sweeper.remove_blobs([])
        await sweeper.remove_blobs([*digests[:3], digest_of(b"never there")])
    assert {blob.digest async for blob in store.blobs()} == set(digests[3:])
    with pytest.raises(BlobMissing):
        await read(store, digests[0])
    await store.put_blob(digests[0], bodies[0])
    assert await read(store, digests[0]) == bodies[0]


async def test_many_publish_at_a_time_and_none_while_one_sweeps(store: Store) -> None:
    async with store.publishing(), store.publishing():
        with pytest.raises(Conflict, match=r"publish .*is running: try again"):
            async with store.sweeping():
                pytest.fail("swept beside a publish")
    async with store.sweeping():
        with pytest.raises(Conflict, match=r"another sweep is running: try again"):
            async with store.sweeping():
                pytest.fail("swept beside a sweep")
    async with store.sweeping():
        pass


async def test_a_publisher_waits_until_the_sweep_is_done(store: Store) -> None:
    events: list[str] = []

    async def publish() -> None:
        async with store.publishing():
            events.append("publishing")

    async with anyio.create_task_group() as group, store.sweeping():
        group.start_soon(publish)
        await anyio.sleep(1)
        events.append("swept")
    assert events == ["swept", "publishing"]


async def test_a_fault_in_the_midst_of_the_work_is_told_as_it_is_and_lets_go(store: Store) -> None:
    with pytest.raises(Refused, match="as it is"):
        async with store.publishing():
            raise Refused("as it is")
    with pytest.raises(Refused, match="as it is"):
        async with store.sweeping():
            raise Refused("as it is")
    async with store.sweeping():
        pass

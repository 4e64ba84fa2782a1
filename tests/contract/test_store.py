"""What every store promises, whatever it is made of."""

import os

import anyio
import pytest

from bundles.core.digest import Digest, digest_of
from bundles.core.names import Product
from bundles.core.version import Version
from bundles.ports import BlobMissing, Store

pytestmark = pytest.mark.anyio

SDK, ONE = Product("sdk"), Version("1.0.0")


async def read(store: Store, digest: Digest) -> bytes:
    return b"".join([chunk async for chunk in store.read_blob(digest)])


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


async def test_a_manifest_is_made_once_and_never_replaced(store: Store) -> None:
    assert await store.create_manifest(SDK, ONE, b"first")
    assert not await store.create_manifest(SDK, ONE, b"second")
    assert await store.read_manifest(SDK, ONE) == b"first"


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

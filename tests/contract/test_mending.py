"""Blobs that a store has lost or damaged are written again by the next publish that has their bytes."""

import os
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import pytest
from aiobotocore.session import get_session

from bundles.adapters.directory import directory
from bundles.adapters.disk_store import DiskStore
from bundles.adapters.key_files import KeyFiles
from bundles.adapters.s3_bucket import S3Location
from bundles.core.digest import Digest, digest_of
from bundles.core.errors import Failed
from bundles.core.manifest import Manifest
from bundles.core.names import Product
from bundles.core.version import Version
from bundles.cores import Cores
from bundles.order import Order, Publisher
from bundles.ports import Store
from bundles.publish import Published, publish
from bundles.verify import verify
from tests.support.cli import write_build

pytestmark = pytest.mark.anyio

SDK, BASE, ONE = Product("sdk"), Version("1.0.0"), Version("1.1.0")
Spoil = Callable[[Digest, bytes | None], Awaitable[None]]


@pytest.fixture
async def spoil(store: Store, tmp_path: Path, request: pytest.FixtureRequest) -> AsyncIterator[Spoil]:
    """Puts other bytes in a blob's place, or takes the blob away, behind the store's back."""

    async def on_disk(digest: Digest, body: bytes | None) -> None:
        blob = tmp_path / "store" / "blobs" / digest[:2] / digest
        blob.unlink() if body is None else blob.write_bytes(body)

    if isinstance(store, DiskStore):
        yield on_disk
        return
    location: S3Location = request.getfixturevalue("s3_location")
    options = {"endpoint_url": location.endpoint, "region_name": location.region}
    async with get_session().create_client("s3", **options) as client:

        async def in_s3(digest: Digest, body: bytes | None) -> None:
            place = {"Bucket": location.bucket, "Key": f"{location.prefix}blobs/{digest[:2]}/{digest}"}
            await (client.delete_object(**place) if body is None else client.put_object(**place, Body=body))

        yield in_s3


@pytest.mark.parametrize("size", [0, 1, 1000, 20_000_000])
async def test_a_blob_that_is_lost_or_damaged_is_known_and_put_again(
    store: Store, spoil: Spoil, size: int
) -> None:
    body = os.urandom(size)
    digest = digest_of(body)
    assert not await store.has_blob(digest)
    await store.put_blob(digest, body)
    assert await store.has_blob(digest)
    for damaged in (b"x" * size + b"x", b"x" * size if size else b"x", None):
        await spoil(digest, damaged)
        assert not await store.has_blob(digest)
        await store.put_blob(digest, body)
        assert await store.has_blob(digest)
        assert b"".join([chunk async for chunk in store.read_blob(digest)]) == body


async def test_a_blob_that_someone_else_copied_there_is_whole(store: Store, spoil: Spoil) -> None:
    await store.put_blob(digest_of(b"body"), b"body")
    await spoil(digest_of(b"body"), b"body")
    assert await store.has_blob(digest_of(b"body"))


class House:
    """A build with deltas from the one before, and the files of both."""

    def __init__(self, store: Store, folder: Path) -> None:
        keys = KeyFiles(folder / "keys")
        self.store = store
        self.publisher = Publisher(store, keys.signing_key(), keys.trusted_keys(), Cores())
        script = "".join(f"let a{number * 7919 % 10_007} = {number};\n" for number in range(400))
        self.files = {
            version: write_build(folder / version, {"sdk.js": f"{script}// {version}", "same.js": script})
            for version in (BASE, ONE)
        }

    async def put(self, version: Version) -> Published:
        order = Order(SDK, version, bases=(BASE,) if version == ONE else ())
        return await publish(self.publisher, order, directory(self.files[version]), lambda _: None)

    async def is_well(self, manifest: Manifest) -> bool:
        return await verify(self.store, manifest, lambda _: None) == []


async def test_to_publish_a_build_again_mends_all_its_blobs(store: Store, spoil: Spoil, tmp_path: Path) -> None:
    house = House(store, tmp_path)
    await house.put(BASE)
    manifest = (await house.put(ONE)).manifest
    blobs = sorted(set(manifest.own_blobs()))
    assert len([delta for artifact in manifest.artifacts for delta in artifact.deltas]) == 2
    for number, digest in enumerate(blobs):
        await spoil(digest, (b"other", b"", None)[number % 3])
    assert not await house.is_well(manifest)
    mended = await house.put(ONE)
    assert (mended.created, mended.mended, mended.manifest) == (False, len(blobs), manifest)
    assert await house.is_well(manifest)
    assert (await house.put(ONE)).mended == 0


async def test_what_the_files_do_not_give_is_told_and_all_else_is_mended(
    store: Store, spoil: Spoil, tmp_path: Path
) -> None:
    house = House(store, tmp_path)
    await house.put(BASE)
    manifest = (await house.put(ONE)).manifest
    script = next(artifact for artifact in manifest.artifacts if artifact.path == "sdk.js")
    (delta,) = script.deltas
    for digest in (delta.dictionary, delta.digest, *(variant.digest for variant in script.variants)):
        await spoil(digest, None)
    with pytest.raises(Failed, match=r"1 blobs of sdk@1\.1\.0 .* can't be made again .*4 others were"):
        await house.put(ONE)
    assert (await house.put(BASE)).mended == 1
    assert (await house.put(ONE)).mended == 1
    assert await house.is_well(manifest)

"""The origin's own copies: bounded, used longest ago first to go, verified, and never needed."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from bundles.adapters.disk_store import DiskStore
from bundles.core.digest import Digest, digest_of
from bundles.core.errors import Failed
from bundles.core.trust import KeyRing
from bundles.ports import BlobMissing
from origin.adapters.disk_copies import DiskCopies
from origin.near_store import NearStore

pytestmark = pytest.mark.anyio

BODIES = [bytes([number]) * 1000 for number in range(40)]


async def one(body: bytes) -> AsyncIterator[bytes]:
    yield body


async def keep(copies: DiskCopies, body: bytes) -> Digest:
    await copies.keep(digest_of(body), one(body))
    return digest_of(body)


def sizes(folder: Path) -> list[int]:
    return [file.stat().st_size for file in folder.iterdir()]


async def joined(chunks: AsyncIterator[bytes]) -> bytes:
    return b"".join([chunk async for chunk in chunks])


async def test_copies_are_bounded_and_those_in_use_stay_also_after_a_restart(tmp_path: Path) -> None:
    copies = DiskCopies(tmp_path, 16_000)
    used = await keep(copies, BODIES[0])
    for number, body in enumerate(BODIES[1:]):
        assert await copies.use(used)
        await keep(copies if number < 20 else DiskCopies(tmp_path, 16_000), body)
        assert sum(sizes(tmp_path)) <= 16_000
    assert await joined(copies.read(used)) == BODIES[0]
    assert not await copies.use(digest_of(BODIES[1]))
    with pytest.raises(BlobMissing):
        await joined(copies.read(digest_of(BODIES[1])))


async def test_a_copy_that_is_broken_off_leaves_no_trace(tmp_path: Path) -> None:
    async def broken() -> AsyncIterator[bytes]:
        yield b"begin"
        raise Failed("the store went away")

    copies = DiskCopies(tmp_path, 16_000)
    with pytest.raises(Failed, match="went away"):
        await copies.keep(digest_of(b"x"), broken())
    assert sizes(tmp_path) == []


@pytest.fixture
async def store(tmp_path: Path) -> DiskStore:
    """A store with one blob."""
    store = DiskStore(tmp_path / "store")
    await store.put_blob(digest_of(BODIES[0]), BODIES[0])
    return store


def near(store: DiskStore, tmp_path: Path) -> NearStore:
    """The store as an origin sees it that has just been started."""
    return NearStore(store, DiskCopies(tmp_path / "copies", 100_000), KeyRing())


@pytest.mark.parametrize("damage", [b"", b"X", BODIES[1], BODIES[0] + b"X"])
async def test_a_damaged_copy_is_made_again_and_never_given_away(
    store: DiskStore, tmp_path: Path, damage: bytes
) -> None:
    digest = digest_of(BODIES[0])
    assert await joined(near(store, tmp_path).read_blob(digest)) == BODIES[0]
    copy = tmp_path / "copies" / digest
    copy.write_bytes(damage)
    assert await joined(near(store, tmp_path).read_blob(digest)) == BODIES[0]
    assert copy.read_bytes() == BODIES[0]


async def test_a_copy_outlives_the_store_and_a_restart(store: DiskStore, tmp_path: Path) -> None:
    digest = digest_of(BODIES[0])
    await joined(near(store, tmp_path).read_blob(digest))
    (tmp_path / "store").rename(tmp_path / "away")
    assert await joined(near(store, tmp_path).read_blob(digest)) == BODIES[0]


async def test_where_the_disk_takes_no_copies_the_store_is_served_from(store: DiskStore, tmp_path: Path) -> None:
    (tmp_path / "copies").write_text("no folder")
    assert await joined(near(store, tmp_path).read_blob(digest_of(BODIES[0]))) == BODIES[0]

"""What is a local disk's alone: links that lead nowhere, files that go meanwhile, folders that can't be read."""

from pathlib import Path

import pytest

from bundles.adapters.disk_store import DiskStore
from bundles.core.digest import digest_of
from bundles.core.errors import Failed
from bundles.core.names import Product
from bundles.core.version import Version

pytestmark = pytest.mark.anyio

SDK, ONE, GONE = Product("sdk"), Version("1.0.0"), Version("2.0.0")


@pytest.fixture
def store(tmp_path: Path) -> DiskStore:
    return DiskStore(tmp_path)


async def test_a_link_that_leads_nowhere_is_neither_a_build_nor_a_blob(store: DiskStore, tmp_path: Path) -> None:
    """So is a file that goes between the list and the look at it."""
    await store.create_manifest(SDK, ONE, b"manifest")
    await store.put_blob(digest_of(b"body"), b"body")
    gone = digest_of(b"gone")
    for link in (f"builds/sdk/{GONE}.json", f"builds/old/{ONE}.json", f"blobs/{gone[:2]}/{gone}"):
        (tmp_path / link).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / link).symlink_to("nowhere")
    assert await store.versions(SDK) == [ONE]
    assert list(await store.published_at(SDK)) == [ONE]
    assert await store.products() == [SDK]
    assert [blob.digest async for blob in store.blobs()] == [digest_of(b"body")]


@pytest.mark.parametrize("folder", ["builds", "builds/@acme", "builds/@acme/menu"])
async def test_builds_that_can_not_be_listed_are_not_taken_for_none(
    store: DiskStore, tmp_path: Path, folder: str
) -> None:
    """Else a sweep would remove what they need."""
    (tmp_path / folder).parent.mkdir(parents=True, exist_ok=True)
    (tmp_path / folder).symlink_to(Path(folder).name)
    with pytest.raises(Failed, match=f"can't read .*{folder}: .*symbolic links"):
        await store.products()

"""Publishing on a real disk: all or nothing, once and for ever."""

import base64
import hashlib
import os
from collections.abc import Callable
from pathlib import Path

import anyio
import pytest

from bundles.adapters.directory import directory
from bundles.adapters.disk_store import DiskStore
from bundles.adapters.key_files import KeyFiles
from bundles.core.digest import Digest
from bundles.core.errors import Failed, Invalid, Refused
from bundles.core.names import Product
from bundles.core.version import Version
from bundles.cores import Cores
from bundles.load import load_build
from bundles.order import Order, Publisher
from bundles.ports import Store
from bundles.publish import Published, publish
from bundles.verify import verify
from tests.support.cli import write_build

pytestmark = pytest.mark.anyio

SDK, ONE = Product("sdk"), Version("1.0.0")
FILES: dict[str, str | bytes] = {
    "sdk.js": "console.log('hello');\n" * 50,
    "lib/extra.mjs": "export {};\n" * 50,
    "logo.png": os.urandom(600),
    "empty.txt": "",
}


@pytest.fixture
def keys(tmp_path: Path) -> KeyFiles:
    return KeyFiles(tmp_path / "keys")


@pytest.fixture
def store(tmp_path: Path) -> DiskStore:
    return DiskStore(tmp_path / "store")


@pytest.fixture
def dist(tmp_path: Path) -> Path:
    return write_build(tmp_path / "dist", FILES)


async def put(
    store: Store, keys: KeyFiles, folder: Path, version: Version = ONE, product: Product = SDK
) -> Published:
    key = keys.signing_key()
    publisher = Publisher(store, key, keys.trusted_keys(), Cores())
    return await publish(publisher, Order(product, version), directory(folder), lambda _: None)


def everything(folder: Path) -> dict[str, tuple[int, int, bytes]]:
    """All files with their inode, time of change and content."""
    return {
        str(path.relative_to(folder)): (path.stat().st_ino, path.stat().st_mtime_ns, path.read_bytes())
        for path in folder.rglob("*")
        if path.is_file()
    }


async def test_each_variant_is_stored_under_the_digest_of_its_bytes(
    store: DiskStore, keys: KeyFiles, dist: Path, tmp_path: Path
) -> None:
    published = await put(store, keys, dist)
    assert published.created
    assert [artifact.path for artifact in published.manifest.artifacts] == sorted(FILES)
    for artifact in published.manifest.artifacts:
        for variant in artifact.variants:
            body = (tmp_path / "store" / "blobs" / variant.digest[:2] / variant.digest).read_bytes()
            assert hashlib.sha256(body).hexdigest() == variant.digest
            assert len(body) == variant.size
        original = (dist / artifact.path).read_bytes()
        assert artifact.digest == hashlib.sha256(original).hexdigest()
        assert artifact.integrity == "sha384-" + base64.b64encode(hashlib.sha384(original).digest()).decode()


async def test_the_same_publish_again_changes_nothing(
    store: DiskStore, keys: KeyFiles, dist: Path, tmp_path: Path
) -> None:
    first = await put(store, keys, dist)
    before = everything(tmp_path / "store")
    again = await put(store, keys, dist)
    assert (again.created, again.manifest) == (False, first.manifest)
    assert everything(tmp_path / "store") == before


@pytest.mark.parametrize("change", ["other bytes", "one file more", "one file less"])
async def test_the_same_version_with_other_contents_is_refused_and_nothing_changes(
    store: DiskStore, keys: KeyFiles, dist: Path, tmp_path: Path, change: str
) -> None:
    await put(store, keys, dist)
    before = everything(tmp_path / "store")
    match change:
        case "other bytes":
            (dist / "sdk.js").write_text("console.log('bye');\n")
        case "one file more":
            (dist / "sdk.js.txt").write_text("a{}")
        case _:
            (dist / "sdk.js").unlink()
    with pytest.raises(Refused, match=r"1 of its files differ, the first is 'sdk\.js"):
        await put(store, keys, dist)
    assert everything(tmp_path / "store") == before


async def test_a_publish_that_breaks_off_leaves_no_build_and_can_be_done_again(
    store: DiskStore, keys: KeyFiles, dist: Path, tmp_path: Path
) -> None:
    class FullDisk(DiskStore):
        left = 3

        async def put_blob(self, digest: Digest, data: bytes) -> None:
            self.left -= 1
            if self.left < 0:
                raise Failed("no space left on the device")
            await super().put_blob(digest, data)

    with pytest.raises(Failed, match="no space left"):
        await put(FullDisk(tmp_path / "store"), keys, dist)
    assert await store.products() == []
    assert await load_build(store, keys.trusted_keys(), SDK, ONE) is None
    assert (await put(store, keys, dist)).created


async def test_of_two_that_publish_other_bytes_as_one_version_exactly_one_wins(
    store: DiskStore, keys: KeyFiles, tmp_path: Path
) -> None:
    outcomes: list[str] = []

    async def race(number: int) -> None:
        folder = write_build(tmp_path / f"dist{number}", {"sdk.js": f"// {number}\n" * 20})
        try:
            await put(store, keys, folder)
        except Refused:
            outcomes.append("refused")
        else:
            outcomes.append("won")

    async with anyio.create_task_group() as group:
        for number in range(6):
            group.start_soon(race, number)
    assert sorted(outcomes) == ["refused"] * 5 + ["won"]


async def test_a_blob_cut_short_by_a_crash_is_mended_by_the_next_publish(
    store: DiskStore, keys: KeyFiles, dist: Path, tmp_path: Path
) -> None:
    manifest = (await put(store, keys, dist)).manifest
    digest = manifest.artifacts[-1].digest
    blob = tmp_path / "store" / "blobs" / digest[:2] / digest
    whole = blob.read_bytes()
    blob.write_bytes(whole[:-1])
    await put(store, keys, dist, Version("1.0.1"))
    assert blob.read_bytes() == whole


async def test_no_temporary_file_is_left(store: DiskStore, keys: KeyFiles, dist: Path, tmp_path: Path) -> None:
    await put(store, keys, dist)
    assert not [name for name in everything(tmp_path) if name.endswith(".tmp")]


async def test_products_and_versions_are_listed_in_order(store: DiskStore, keys: KeyFiles, dist: Path) -> None:
    for version in ("1.10.0", "1.9.0", "1.10.0-rc.1"):
        await put(store, keys, dist, Version(version))
    await put(store, keys, dist, product=Product("@acme/menu"))
    assert await store.products() == ["@acme/menu", "sdk"]
    assert await store.versions(SDK) == ["1.9.0", "1.10.0-rc.1", "1.10.0"]
    assert await store.versions(Product("nope")) == []


async def test_an_unwritable_store_is_one_clear_fault(keys: KeyFiles, dist: Path, tmp_path: Path) -> None:
    (tmp_path / "store").write_text("a file where the folder should be")
    with pytest.raises(Failed, match="can't write") as fault:
        await put(DiskStore(tmp_path / "store"), keys, dist)
    assert len(str(fault.value).splitlines()) == 1


async def test_a_manifest_that_was_altered_is_never_taken_for_the_build(
    store: DiskStore, keys: KeyFiles, dist: Path, tmp_path: Path
) -> None:
    await put(store, keys, dist)
    path = tmp_path / "store" / "builds" / "sdk" / "1.0.0.json"
    path.write_bytes(path.read_bytes().replace(b'"payload":"', b'"payload":"AAAA'))
    with pytest.raises(Failed, match="not signed by a trusted key"):
        await put(store, keys, dist)


async def test_links_within_the_directory_are_published_as_what_they_point_to(
    store: DiskStore, keys: KeyFiles, dist: Path
) -> None:
    (dist / "latest.js").symlink_to("sdk.js")
    contents = (await put(store, keys, dist)).manifest.contents()
    assert (
        contents[next(path for path in contents if path == "latest.js")]
        == hashlib.sha256((dist / "sdk.js").read_bytes()).hexdigest()
    )


def link_out(folder: Path) -> None:
    (folder.parent / "secret").write_text("s")
    (folder / "a.js").symlink_to("../secret")


def link_to_folder(folder: Path) -> None:
    (folder / "lib").symlink_to("/")


def dangling_link(folder: Path) -> None:
    (folder / "a.js").symlink_to("nowhere")


def link_to_itself(folder: Path) -> None:
    (folder / "a.js").symlink_to("a.js")


def pipe(folder: Path) -> None:
    os.mkfifo(folder / "pipe")


def no_utf8(folder: Path) -> None:
    (folder / os.fsdecode(b"\xff.js")).write_text("x")


def line_break(folder: Path) -> None:
    (folder / "a\nb.js").write_text("x")


def case_collision(folder: Path) -> None:
    (folder / "A.js").write_text("x")
    (folder / "a.js").write_text("x")


def no_files(folder: Path) -> None:
    (folder / "only" / "folders").mkdir(parents=True)


def too_large(folder: Path) -> None:
    with (folder / "a.js").open("wb") as file:
        file.truncate(64 * 1024 * 1024 + 1)


@pytest.mark.parametrize(
    ("make", "why"),
    [
        (link_out, "link out of the directory"),
        (link_to_folder, "link to a folder"),
        (dangling_link, "can't be read"),
        (link_to_itself, "can't be read"),
        (pipe, "no regular file"),
        (no_utf8, "not valid UTF-8"),
        (line_break, "control character"),
        (case_collision, "differ by case or"),
        (no_files, "has no files"),
        (too_large, "larger than"),
    ],
)
def test_a_directory_that_can_not_be_published_is_refused_by_name(
    tmp_path: Path, make: Callable[[Path], None], why: str
) -> None:
    folder = tmp_path / "dist"
    folder.mkdir()
    make(folder)
    with pytest.raises(Invalid, match=why):
        directory(folder)


def test_include_narrows_a_directory(dist: Path) -> None:
    assert directory(dist, ["lib/"]).paths == ("lib/extra.mjs",)
    assert directory(dist, ["sdk.js", "lib"]).paths == ("lib/extra.mjs", "sdk.js")
    for name, why in [("../dist/sdk.js", "segment"), ("/etc/passwd", "absolute"), ("li", "no such file")]:
        with pytest.raises(Invalid, match=why):
            directory(dist, [name])


def test_the_private_key_is_its_owners_alone_and_is_made_once(keys: KeyFiles, tmp_path: Path) -> None:
    first = keys.signing_key()
    assert (tmp_path / "keys" / "signing.pem").stat().st_mode & 0o777 == 0o600
    assert keys.signing_key().private_bytes_raw() == first.private_bytes_raw()
    assert len(list(keys.trusted_keys())) == 1


def test_a_lost_private_key_is_told_and_not_replaced_in_silence(keys: KeyFiles, tmp_path: Path) -> None:
    keys.signing_key()
    (tmp_path / "keys" / "signing.pem").unlink()
    with pytest.raises(Failed, match=r"can't read the signing key .*signing\.pem"):
        keys.signing_key()


def test_a_damaged_key_is_named(keys: KeyFiles, tmp_path: Path) -> None:
    keys.signing_key()
    (tmp_path / "keys" / "signing.pem").write_text("-----BEGIN NONSENSE-----")
    with pytest.raises(Failed, match=r"signing\.pem is no private key"):
        keys.signing_key()
    public = next((tmp_path / "keys" / "trusted").glob("*.pem"))
    public.write_text("nonsense")
    with pytest.raises(Failed, match=f"{public.name} is no public key"):
        list(keys.trusted_keys())


async def test_a_file_that_changes_meanwhile_makes_no_build(store: DiskStore, keys: KeyFiles, dist: Path) -> None:
    """What was screened for secrets, what is stored and what deltas are made of are the same bytes."""
    await put(store, keys, dist)
    two = Version("2.0.0")
    publisher = Publisher(store, keys.signing_key(), keys.trusted_keys(), Cores())

    def rewrite(_: str) -> None:
        (dist / "sdk.js").write_text("console.log('another');\n" * 50)

    with pytest.raises(Failed, match="changed while it was published"):
        await publish(publisher, Order(SDK, two, bases=(ONE,)), directory(dist), rewrite)
    assert two not in await store.versions(SDK)


async def test_a_damaged_blob_is_mended_by_the_next_build_that_has_it(
    store: DiskStore, keys: KeyFiles, dist: Path
) -> None:
    published = await put(store, keys, dist)
    for artifact in published.manifest.artifacts:
        for variant in artifact.variants:
            blob = next(store_folder(dist).rglob(variant.digest))
            blob.write_bytes(bytes(variant.size))
    manifest = (await put(store, keys, dist, Version("2.0.0"))).manifest
    assert await verify(store, manifest, lambda _: None) == []


def store_folder(dist: Path) -> Path:
    return dist.parent / "store" / "blobs"

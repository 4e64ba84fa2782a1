"""A build's deltas against the builds that clients hold, stored on a real disk."""

import random
import resource
from collections.abc import Mapping
from pathlib import Path

import pytest

from bundles.adapters.directory import directory
from bundles.adapters.disk_store import DiskStore
from bundles.adapters.key_files import KeyFiles
from bundles.core.budget import parse_budget
from bundles.core.delta import apply_delta
from bundles.core.digest import digest_of
from bundles.core.errors import Refused
from bundles.core.manifest import MAX_ARTIFACT_BYTES, Artifact, Manifest
from bundles.core.names import Product
from bundles.core.version import Version
from bundles.cores import Cores
from bundles.deltas import read_whole
from bundles.load import load_build
from bundles.order import DEFAULT_DELTA_BYTES, Order, Publisher
from bundles.publish import publish
from bundles.verify import verify
from tests.support.cli import write_build

pytestmark = pytest.mark.anyio

SDK = Product("sdk")
_WORDS = random.Random(1).choices(["function", "return", "const", "this", "await", "=>", "{", "}"], k=4_000)


def script(seed: int) -> str:
    """Script-like text that shares most lines with that of other seeds."""
    words = [*_WORDS]
    edits = random.Random(seed)
    for _ in range(20):
        words[edits.randrange(len(words))] = f"name{edits.randrange(10_000)}"
    return " ".join(words)


class House:
    """A store, and the key that publishes into it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.store = DiskStore(folder / "store")
        self.keys = KeyFiles(folder / "keys")

    async def put(
        self,
        version: str,
        files: Mapping[str, str | bytes],
        *bases: str,
        delta_bytes: int = DEFAULT_DELTA_BYTES,
        budgets: tuple[str, ...] = (),
        source_maps: bool = False,
    ) -> Manifest:
        key = self.keys.signing_key()
        source = directory(write_build(self.folder / f"dist-{version}", dict(files)))
        order = Order(
            SDK,
            Version(version),
            bases=tuple(map(Version, bases)),
            delta_bytes=delta_bytes,
            budgets=tuple(map(parse_budget, budgets)),
            baseline=Version(bases[0]) if bases else None,
            source_maps=source_maps,
        )
        publisher = Publisher(self.store, key, self.keys.trusted_keys(), Cores())
        return (await publish(publisher, order, source, lambda _: None)).manifest


@pytest.fixture
def house(tmp_path: Path) -> House:
    return House(tmp_path)


def artifact(manifest: Manifest, path: str) -> Artifact:
    return next(artifact for artifact in manifest.artifacts if artifact.path == path)


async def test_each_delta_turns_the_older_file_into_the_newer_one(house: House) -> None:
    old = {version: {"sdk.js": script(number)} for number, version in enumerate(("1.0.0", "1.1.0"))}
    for version, files in old.items():
        await house.put(version, files)
    new = script(9).encode()
    manifest = await house.put("1.2.0", {"sdk.js": new, "new.js": script(8)}, "1.1.0", "1.0.0")
    deltas = artifact(manifest, "sdk.js").deltas
    assert [delta.base for delta in deltas] == ["1.1.0", "1.0.0"]
    for delta in deltas:
        dictionary = old[delta.base]["sdk.js"].encode()
        assert delta.dictionary == digest_of(dictionary)
        body = await read_whole(house.store, delta.digest)
        assert body is not None
        assert len(body) == delta.size
        assert apply_delta(body, dictionary, len(new)) == new
    assert artifact(manifest, "new.js").deltas == ()
    assert await load_build(house.store, house.keys.trusted_keys(), SDK, Version("1.2.0")) == manifest


async def test_the_same_bytes_of_two_bases_make_one_delta_and_a_file_that_stayed_makes_a_tiny_one(
    house: House,
) -> None:
    await house.put("1.0.0", {"sdk.js": script(1)})
    await house.put("1.1.0", {"sdk.js": script(1)})
    manifest = await house.put("1.2.0", {"sdk.js": script(1)}, "1.1.0", "1.0.0")
    (delta,) = artifact(manifest, "sdk.js").deltas
    assert (delta.base, delta.size < 100) == ("1.1.0", True)


async def test_what_saves_too_little_and_source_maps_have_no_delta(house: House) -> None:
    noise = [random.Random(seed).randbytes(20_000) for seed in (1, 2)]
    await house.put("1.0.0", {"noise.bin": noise[0], "sdk.js.map": script(1)}, source_maps=True)
    manifest = await house.put(
        "1.1.0", {"noise.bin": noise[1], "sdk.js.map": script(2)}, "1.0.0", source_maps=True
    )
    assert [found.deltas for found in manifest.artifacts] == [(), ()]


async def test_the_budget_goes_to_the_first_base_and_its_largest_files_first(house: House) -> None:
    files = {"large.js": script(1) * 2, "small.js": script(2)}
    await house.put("1.0.0", files)
    await house.put("1.1.0", {path: text + "// 1.1" for path, text in files.items()})
    newer = {path: text + "// 1.2" for path, text in files.items()}
    free = await house.put("1.2.0", newer, "1.1.0", "1.0.0")
    assert [len(found.deltas) for found in free.artifacts] == [2, 2]
    first = artifact(free, "large.js").deltas[0].size
    tight = await house.put("1.3.0", newer, "1.1.0", "1.0.0", delta_bytes=first)
    assert [delta.base for delta in artifact(tight, "large.js").deltas] == ["1.1.0"]
    assert artifact(tight, "small.js").deltas == ()
    assert (await house.put("1.4.0", newer, "1.1.0", delta_bytes=0)).artifacts[0].deltas == ()


async def test_an_old_build_that_is_gone_or_damaged_does_not_stop_a_new_one(house: House) -> None:
    old = await house.put("1.0.0", {"sdk.js": script(1)})
    (house.folder / "store" / "blobs" / old.artifacts[0].digest[:2] / old.artifacts[0].digest).write_bytes(b"x")
    await house.put("1.1.0", {"sdk.js": script(2)})
    (house.folder / "store" / "builds" / "sdk" / "1.1.0.json").write_bytes(b"{}")
    manifest = await house.put("1.2.0", {"sdk.js": script(3)}, "1.1.0", "1.0.0", "0.9.0", "1.2.0")
    assert manifest.artifacts[0].deltas == ()


async def test_no_more_is_read_of_a_damaged_blob_than_an_artifact_may_have(house: House) -> None:
    digest = digest_of(b"blob")
    await house.store.put_blob(digest, b"blob")
    assert await read_whole(house.store, digest) == b"blob"
    with (house.folder / "store" / "blobs" / digest[:2] / digest).open("wb") as file:
        file.truncate(64 * MAX_ARTIFACT_BYTES)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    assert await read_whole(house.store, digest) is None
    grown_kb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    assert grown_kb * 1024 < 4 * MAX_ARTIFACT_BYTES


async def test_verify_names_a_damaged_delta_and_a_lost_dictionary(house: House) -> None:
    await house.put("1.0.0", {"sdk.js": script(1)})
    manifest = await house.put("1.1.0", {"sdk.js": script(2)}, "1.0.0")
    assert await verify(house.store, manifest, lambda _: None) == []
    (delta,) = manifest.artifacts[0].deltas
    blobs = house.folder / "store" / "blobs"
    body = blobs / delta.digest[:2] / delta.digest
    good = body.read_bytes()
    body.write_bytes(good[:-1] + bytes((good[-1] ^ 1,)))
    (damage,) = await verify(house.store, manifest, lambda _: None)
    assert (damage.path, damage.encoding) == ("sdk.js", "dcz")
    assert damage.fault == f"against 1.0.0: its bytes do not have the digest {delta.digest}"
    body.write_bytes(good)
    (blobs / delta.dictionary[:2] / delta.dictionary).unlink()
    (damage,) = await verify(house.store, manifest, lambda _: None)
    assert "its dictionary" in damage.fault


async def test_a_file_over_its_budget_makes_no_build(house: House) -> None:
    await house.put("1.0.0", {"sdk.js": script(1)})
    with pytest.raises(Refused, match=r"sdk\.js has \d+ bytes, \d+\.\d% more than before.*raise the budget"):
        await house.put("1.1.0", {"sdk.js": script(1) + script(2)}, "1.0.0", budgets=("*.js=+1%",))
    assert await house.store.versions(SDK) == ["1.0.0"]
    await house.put("1.1.0", {"sdk.js": script(1) + script(2)}, "1.0.0", budgets=("*.js=+500%",))

"""What is not in memory yet: read once however many ask, never wrong, and within bounds, on a store that fails."""

import asyncio
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.contract.conftest import AWS, FaultyS3, faulty_proxy, faulty_s3, new_bucket, s3_server
from tests.support.cli import succeed, write_build
from tests.support.load import Reply, ask, ask_and_leave, ask_many
from tests.support.processes import Origin, origin

__all__ = ["faulty_proxy", "faulty_s3", "s3_server"]

pytestmark = pytest.mark.anyio

SMALL = b"let small;\n" * 50
LARGE = bytes(range(256)) * 94_000
FILES = {"small.js": SMALL, "large.bin": LARGE}


class Store:
    """Two files in S3, behind a proxy that fails when told to."""

    def __init__(self, faults: FaultyS3, published: dict[str, Any]) -> None:
        self.faults = faults
        self.digests = {
            artifact["path"]: str(artifact["variants"][0]["digest"]) for artifact in published["artifacts"]
        }


@pytest.fixture(scope="module")
def published(
    s3_server: str, faulty_proxy: FaultyS3, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[Path, Store]]:
    """The two files, published once, and the keys that they were signed with."""
    folder = tmp_path_factory.mktemp("misses")
    place = f"s3://{new_bucket(s3_server).bucket}?endpoint={faulty_proxy.url}&region=us-east-1"
    dist = write_build(folder / "dist", dict(FILES))
    with pytest.MonkeyPatch.context() as patch:
        for name, value in {**AWS, "HEADRACE_STORE": place}.items():
            patch.setenv(name, value)
        made = succeed(folder, "publish", str(dist), "--product", "sdk", "--version", "1.0.0")
        yield folder / "keys", Store(faulty_proxy, made)


@pytest.fixture
def store(published: tuple[Path, Store], data: Path, faulty_s3: FaultyS3) -> Store:  # noqa: ARG001 - ends faults
    """The store, and a data folder without copies."""
    keys, store = published
    shutil.copytree(keys, data / "keys")
    return store


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """The data folder of an origin that has never run."""
    return tmp_path / "data"


@contextmanager
def small_origin(data: Path) -> Iterator[Origin]:
    """An origin whose memory holds the small file and not the large one."""
    with origin(data, "--cache-mib", "1") as process:
        yield process


def url_of(process: Origin, path: str, version: str = "1.0.0") -> str:
    return f"{process.url}/sdk@{version}/{path}"


@pytest.mark.parametrize(("path", "count"), [("small.js", 1000), ("large.bin", 10)])
async def test_however_many_ask_for_a_cold_object_it_is_read_once(
    store: Store, data: Path, path: str, count: int
) -> None:
    with small_origin(data) as process:
        store.faults.fail("slow", 2)
        replies = await ask_many(url_of(process, path), count)
    assert set(replies) == {Reply(200, FILES[path])}
    assert len(replies) == count
    assert store.faults.seen("GET", store.digests[path]) == 1
    assert store.faults.seen("GET", "builds/sdk/1.0.0.json") == 1


async def test_a_first_reader_that_leaves_does_not_fail_the_others(store: Store, data: Path) -> None:
    with small_origin(data) as process:
        store.faults.fail("slow", 2)
        first = asyncio.create_task(ask_and_leave(url_of(process, "small.js")))
        await asyncio.sleep(0.1)
        replies = await ask_many(url_of(process, "small.js"), 50)
        await first
    assert set(replies) == {Reply(200, SMALL)}
    assert store.faults.seen("GET", store.digests["small.js"]) == 1


async def test_what_is_not_there_is_looked_for_once_and_remembered_for_a_moment(store: Store, data: Path) -> None:
    with small_origin(data) as process:
        store.faults.fail("slow", 1)
        replies = await ask_many(url_of(process, "small.js", "9.9.9"), 300)
        assert {reply.status for reply in replies} == {404}
        assert (await ask(url_of(process, "small.js", "9.9.9"))).status == 404
    assert store.faults.seen("GET", "builds/sdk/9.9.9.json") == 1


@pytest.mark.parametrize("damaged", ["manifest", "large.bin"])
@pytest.mark.parametrize("fault", ["throttle", "reset", "truncate", "lie"])
async def test_a_store_that_fails_for_a_moment_is_asked_again_and_no_client_sees_it(
    store: Store, data: Path, damaged: str, fault: str
) -> None:
    part = store.digests.get(damaged, "builds/")
    with small_origin(data) as process:
        store.faults.fail(fault, 2, part)
        assert await ask(url_of(process, "large.bin")) == Reply(200, LARGE)
    assert store.faults.seen("GET", part) == 3


@pytest.mark.parametrize(("path", "fault"), [("small.js", "truncate"), ("large.bin", "lie")])
async def test_a_store_that_goes_on_giving_wrong_bytes_is_an_error_until_it_gives_the_right_ones(
    store: Store, data: Path, path: str, fault: str
) -> None:
    with small_origin(data) as process:
        store.faults.fail(fault, 500, store.digests[path])
        replies = await ask_many(url_of(process, path), 20)
        assert {reply.status for reply in replies} == {503}
        assert (await ask(url_of(process, path))).status == 503
        assert store.faults.seen("GET", store.digests[path]) == 3
        store.faults.fail("none", 0)
        await until(url_of(process, path), Reply(200, FILES[path]))


async def test_a_store_that_never_answers_is_given_up_and_what_is_known_goes_on(store: Store, data: Path) -> None:
    with small_origin(data) as process:
        assert (await ask(url_of(process, "small.js"))).status == 200
        store.faults.fail("stall", 500)
        unknown = [
            asyncio.create_task(ask(url_of(process, path, version)))
            for path, version in (("small.js", "2.0.0"), ("large.bin", "1.0.0"))
        ]
        assert await ask(url_of(process, "small.js")) == Reply(200, SMALL)
        assert [reply.status for reply in await asyncio.gather(*unknown)] == [503, 503]
        store.faults.fail("none", 0)
        await until(url_of(process, "large.bin"), Reply(200, LARGE))


@pytest.mark.usefixtures("store")
def test_a_large_object_passes_through_memory_in_pieces(data: Path) -> None:
    with small_origin(data) as process:
        httpx.get(url_of(process, "small.js")).raise_for_status()
        before = process.peak_kb()
        for _ in range(3):
            assert httpx.get(url_of(process, "large.bin")).content == LARGE
        assert (process.peak_kb() - before) * 1024 < len(LARGE) / 2


async def until(url: str, wanted: Reply) -> None:
    """Ask until this is the answer."""
    async with asyncio.timeout(30):
        while await ask(url) != wanted:
            await asyncio.sleep(0.1)

"""A released product and an origin that serves it, shared by the tests that only read."""

import random
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.support.cli import publish, release, succeed, write_build
from tests.support.processes import origin

SEEDED = random.Random(9110)
CLIP = SEEDED.randbytes(1_300_005)  # does not compress: one variant, as it is
SCRIPT = "".join(f"let v{SEEDED.getrandbits(30)} = {SEEDED.getrandbits(30)};\n" for _ in range(500))


@pytest.fixture(scope="session")
def served(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data folder: 1.0.0 and 1.1.0 were released, 1.2.0 is in a cohort of 50%, 1.3.0 is published alone.

    1.0.1 is blocked; `pinned` is pinned to 1.0.0 and `ranged` to ~1.0. `kit` has a source map, a large file that
    does not compress, and an empty one.
    """
    folder = tmp_path_factory.mktemp("served")
    data = folder / "data"
    for version in ("1.0.0", "1.0.1", "1.1.0", "1.2.0", "1.3.0"):
        publish(data, folder, version)
    publish(data, folder, "1.0.0", product="@acme/menu")
    release(data, "1.0.0")
    release(data, "1.1.0")
    release(data, "1.0.0", product="@acme/menu")
    release(data, "1.1.0", channel="next")
    succeed(data, "rollout", "start", "sdk", "1.2.0", "--stages", "50@1h,100")
    succeed(data, "pin", "set", "pinned", "sdk", "1.0.0")
    succeed(data, "pin", "set", "ranged", "sdk", "~1.0")
    succeed(data, "block", "set", "sdk", "1.0.1", "--reason", "leaks")
    kit: dict[str, str | bytes] = {
        "app.js": SCRIPT,
        "app.js.map": '{"version":3}' * 9,
        "clip.bin": CLIP,
        "empty.txt": "",
    }
    source = str(write_build(folder / "kit", kit))
    succeed(data, "publish", source, "--product", "kit", "--version", "1.0.0", "--source-maps")
    return data


@pytest.fixture(scope="session")
def client(served: Path) -> Iterator[httpx.Client]:
    """A client of the real origin, which adds no headers of its own."""
    with origin(served) as process, httpx.Client(base_url=process.url) as opened:
        opened.headers.clear()
        yield opened


@pytest.fixture(scope="session")
def streaming_client(served: Path) -> Iterator[httpx.Client]:
    """A client of an origin with so little memory that it streams `clip.bin` from the store."""
    with origin(served, "--cache-mib", "1") as process, httpx.Client(base_url=process.url) as opened:
        opened.headers.clear()
        yield opened


@pytest.fixture(scope="session")
def dist(served: Path) -> Path:
    """What the build system made of 1.1.0."""
    return served.parent / "sdk-1.1.0"

"""Both stores: a folder of a real disk, and a bucket of a real S3-speaking server in a process of its own."""

import socket
import subprocess
import sys
import time
import uuid
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

from bundles.adapters.disk_store import DiskStore
from bundles.adapters.s3_bucket import S3Location, parse_s3_location
from bundles.adapters.s3_store import S3Store
from bundles.ports import Store

PATIENCE_SECONDS = 60


def free_port() -> str:
    """A port that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return str(probe.getsockname()[1])


@contextmanager
def http_server(port: str, *command: str) -> Iterator[str]:
    """A server in a process of its own, from its first answer on. Yields its URL."""
    process = subprocess.Popen(
        [sys.executable, "-m", *command],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        wait_until_listening(port, process)
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait(PATIENCE_SECONDS)


def wait_until_listening(port: str, process: subprocess.Popen[bytes]) -> None:
    """Return once the server accepts connections."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while True:
        try:
            socket.create_connection(("127.0.0.1", int(port))).close()
        except OSError:
            assert process.poll() is None, "the server ended at its start"
            assert time.monotonic() < deadline, "the server did not start"
            time.sleep(0.1)
        else:
            return


@pytest.fixture(scope="session")
def s3_server() -> Iterator[str]:
    """The URL of the S3-speaking server."""
    port = free_port()
    with http_server(port, "moto.server", "-H", "127.0.0.1", "-p", port) as url:
        yield url


AWS = {"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test", "AWS_EC2_METADATA_DISABLED": "true"}


@pytest.fixture
def s3_location(s3_server: str, monkeypatch: pytest.MonkeyPatch) -> S3Location:
    """A bucket of the test's own."""
    for name, value in AWS.items():
        monkeypatch.setenv(name, value)
    return new_bucket(s3_server)


def new_bucket(s3_server: str) -> S3Location:
    """An empty bucket."""
    bucket = f"builds-{uuid.uuid4().hex[:8]}"
    httpx.put(f"{s3_server}/{bucket}").raise_for_status()
    return parse_s3_location(f"s3://{bucket}/sdk/?endpoint={s3_server}&region=us-east-1")


class FaultyS3:
    """The S3-speaking server behind a proxy that fails when told to."""

    def __init__(self, url: str) -> None:
        self.url = url

    def fail(self, kind: str, times: int, part: str = "") -> None:
        """Let the next requests fail whose URL has this in it; what was told before is forgotten."""
        fault = {"kind": kind, "times": str(times), "part": part}
        httpx.put(f"{self.url}/_fault", json=fault).raise_for_status()

    def seen(self, method: str, part: str) -> int:
        """How many requests there have been since then, by this method for a path with this in it."""
        counts = httpx.get(f"{self.url}/_seen").json()
        return sum(count for asked, count in counts.items() if asked.startswith(method) and part in asked)


@pytest.fixture(scope="session")
def faulty_proxy(s3_server: str) -> Iterator[FaultyS3]:
    """The proxy's process."""
    port = free_port()
    with http_server(port, "tests.contract.faulty_proxy", s3_server, port) as url:
        yield FaultyS3(url)


@pytest.fixture
def faulty_s3(faulty_proxy: FaultyS3) -> Iterator[FaultyS3]:
    """The proxy, which fails nothing yet."""
    yield faulty_proxy
    faulty_proxy.fail("none", 0)


@pytest.fixture(params=["disk", "s3"])
async def store(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Store]:
    """Each store, empty."""
    if request.param == "disk":
        yield DiskStore(tmp_path / "store")
        return
    async with S3Store.open(request.getfixturevalue("s3_location")) as opened:
        yield opened

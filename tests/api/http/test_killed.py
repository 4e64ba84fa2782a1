"""A running API that is killed in the midst of a publish or of changes: what is left, and what is made."""

import io
import random
import socket
import threading
import time
import zipfile
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from urllib.parse import urlsplit

import anyio
import httpx
import pytest

from api.core.role import Role
from headrace import wiring
from release.snapshot import read_table
from tests.support.api import Asker, grant_of, make_token
from tests.support.cli import succeed
from tests.support.processes import ApiProcess

BUILD = "/products/sdk/builds/7.0.0"
ZIP = {"content-type": "application/zip"}
PATIENCE_SECONDS = 60


@pytest.fixture
def token(released_data: Path) -> str:
    return make_token(released_data, "admin", grant_of(Role.ADMIN))


@pytest.fixture
def scratch(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where the API puts what it throws away."""
    folder = tmp_path / "scratch"
    folder.mkdir()
    monkeypatch.setenv("TMPDIR", str(folder))
    return folder


@contextmanager
def killed(data: Path, token: str) -> Iterator[tuple[ApiProcess, Asker]]:
    """A running API, and an admin; at the end it is killed."""
    process = ApiProcess(data, "--changes", "100000", "--reads", "100000")
    try:
        with httpx.Client(timeout=PATIENCE_SECONDS) as http:
            yield process, Asker(http, process.url, token)
            process.kill()
    finally:
        process.kill()
        process.stop()


def archive() -> bytes:
    """A build that takes a while to compress."""
    chance = random.Random(7)
    words = ["".join(chance.choices("abcdefghijklmnop", k=6)) for _ in range(5_000)]
    with io.BytesIO() as written:
        with zipfile.ZipFile(written, "w") as opened:
            opened.writestr("sdk.js", " ".join(chance.choices(words, k=100_000)))
        return written.getvalue()


def wait_for(folder: Path, name: str) -> None:
    """Return once there is a file of this name, with something in it."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not any(file.stat().st_size for file in folder.rglob(name)):
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_a_publish_that_is_killed_leaves_no_half_of_a_build_and_no_archive(
    released_data: Path, scratch: Path, token: str
) -> None:
    body = archive()
    with killed(released_data, token) as (process, _):
        url = urlsplit(process.url)
        with closing(socket.create_connection((str(url.hostname), int(url.port or 0)))) as client:
            head = [
                f"POST /api/v1{BUILD} HTTP/1.1",
                "host: x",
                f"authorization: Bearer {token}",
                "content-type: application/zip",
                f"content-length: {len(body)}",
            ]
            client.sendall("\r\n".join([*head, "", ""]).encode() + body[: len(body) // 2])
            wait_for(scratch, "archive")
            process.kill()
    for seconds in (0.1, 0.6):
        with killed(released_data, token) as (process, admin), ThreadPoolExecutor(1) as beside:
            assert list(scratch.rglob("archive")) == []
            sent = beside.submit(post, admin, body)
            wait_for(scratch, "archive")
            time.sleep(seconds)
            process.kill()
            sent.result()
    with killed(released_data, token) as (process, admin):
        assert admin.ask("POST", BUILD, content=body, headers=ZIP).status_code in (200, 201)
        assert [each["path"] for each in admin.get(BUILD)["artifacts"]["items"]] == ["sdk.js"]
        assert process.stop() == 0
    assert list(scratch.iterdir()) == []
    succeed(released_data, "verify", "sdk", "7.0.0")


def post(admin: Asker, body: bytes) -> None:
    with suppress(httpx.TransportError):
        admin.ask("POST", BUILD, content=body, headers=ZIP)


def test_changes_that_are_killed_are_made_once_and_all_that_is_kept_agrees(
    released_data: Path, token: str
) -> None:
    pending: set[str] = set()
    for turn in range(3):
        with killed(released_data, token) as (process, admin), ThreadPoolExecutor(4) as writers:
            enough = threading.Semaphore(0)
            running = [writers.submit(write, admin, f"{turn}-{each}", enough, pending) for each in range(4)]
            for _ in range(6):
                assert enough.acquire(timeout=PATIENCE_SECONDS)
            process.kill()
            for each in running:
                each.result()
    with killed(released_data, token) as (process, admin):
        assert len(pending) > 12, "nobody was in the midst of a change"
        for reason in sorted(pending):
            assert set_pin(admin, reason).status_code == 200
        made = Counter(each["reason"] for each in admin.get("/changes", params={"limit": "1000"})["items"])
        assert {made[reason] for reason in pending} == {1}
        verdict = admin.get("/audit/verdict")
        assert verdict["faults"] == []
        table = anyio.run(read_table, wiring.snapshots(released_data), wiring.trusted_keys(released_data))
        assert table is not None
        assert table.revision == verdict["revision"]
        assert process.stop() == 0


def write(admin: Asker, writer: str, enough: threading.Semaphore, pending: set[str]) -> None:
    """Change a pin again and again until nobody answers any more."""
    with suppress(httpx.TransportError):
        for number in range(10_000):
            reason = f"{writer} {number}"
            pending.add(reason)
            answer = set_pin(admin, reason)
            assert answer.status_code == 200, answer.text
            enough.release()


def set_pin(admin: Asker, reason: str) -> httpx.Response:
    tenant = reason.partition(" ")[0]
    change = {"json": {"target": "1.0.0", "reason": reason}, "headers": {"idempotency-key": reason}}
    return admin.ask("PUT", f"/products/sdk/pins/t{tenant}/production", **change)

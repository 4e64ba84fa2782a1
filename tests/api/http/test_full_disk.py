"""A running API whose disk is full: it changes nothing, says so, and reads on; once there is room, all goes on."""

import io
import random
import zipfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import httpx

from api.core.role import Role
from headrace import wiring
from tests.support.api import Asker, grant_of, make_token
from tests.support.cli import HEADRACE
from tests.support.disks import filled, small_disk
from tests.support.processes import api

PIN = "/products/sdk/pins/acme/production"
ZIP = {"content-type": "application/zip"}


def archive() -> bytes:
    """A build of some hundred kilobytes."""
    chance = random.Random(1)
    with io.BytesIO() as written:
        with zipfile.ZipFile(written, "w") as opened:
            opened.writestr("sdk.js", "// " + "".join(chance.choices("abcdefghij", k=300_000)))
        return written.getvalue()


@contextmanager
def asker(data: Path, token: str, *command: str) -> Iterator[Asker]:
    """An admin at a running API."""
    with api(data, command=(*command, str(HEADRACE))) as process, httpx.Client(timeout=60) as http:
        yield Asker(http, process.url, token)
        assert not [line for line in process.log if line["event"] == "request broke"]


def publish(admin: Asker, version: str) -> httpx.Response:
    path = f"/products/sdk/builds/{version}"
    return admin.ask("POST", path, params={"deltas": 0}, content=archive(), headers=ZIP)


def see_refused(admin: Asker, data: Path) -> None:
    """A change is not made, and what is there is read."""
    before = wiring.snapshot_file(data).read_bytes()
    told = admin.refused("PUT", PIN, 503, "failed", json={"target": "1.0.0"})
    assert "disk is full" in told["detail"]
    admin.refused("GET", PIN, 404, "not-found")
    assert admin.get("/products/sdk/channels/stable")["stable"] == "1.0.0"
    assert admin.get("/audit/verdict")["faults"] == []
    assert wiring.snapshot_file(data).read_bytes() == before


def test_on_a_full_disk_nothing_is_changed_and_all_is_read(released_data: Path) -> None:
    """By strace where no small disk can be had."""
    token = make_token(released_data, "admin", grant_of(Role.ADMIN))
    strace = ("strace", "-f", "-qq", "-o", "/dev/null", "-P", str(released_data / "control.db-wal"))
    full = (*strace, "-e", "trace=pwrite64", "-e", "inject=pwrite64:error=ENOSPC")
    with small_disk(released_data) as is_mounted, ExitStack() as around:
        admin = around.enter_context(asker(released_data, token, *(() if is_mounted else full)))
        assert admin.get("/me")["name"] == "token:admin"
        if not is_mounted:
            see_refused(admin, released_data)
            return
        with filled(released_data, 0):
            see_refused(admin, released_data)
            told = publish(admin, "7.0.0")
            assert (told.status_code, "No space left" in told.json()["detail"]) == (503, True), told.text
            admin.refused("GET", "/products/sdk/builds/7.0.0", 404, "not-found")
        assert publish(admin, "7.0.0").status_code == 201
        assert admin.ask("PUT", PIN, json={"target": "1.0.0"}).status_code == 200
        assert admin.get("/audit/verdict")["faults"] == []


def test_an_archive_for_which_there_is_no_room_is_refused_as_such(released_data: Path) -> None:
    """As one is that is larger than a file of the process's may be."""
    token = make_token(released_data, "admin", grant_of(Role.ADMIN))
    with asker(released_data, token, "prlimit", f"--fsize={1024 * 1024}") as admin:
        told = admin.refused(
            "POST", "/products/sdk/builds/7.0.0", 503, "failed", content=b"x" * (2 * 1024 * 1024), headers=ZIP
        )
        assert "can't keep the archive in" in told["detail"]
        assert "File too large" in told["detail"]
        assert publish(admin, "7.0.0").status_code == 201

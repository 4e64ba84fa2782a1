"""The demo: its builds are the locked ones, and the whole walk keeps its promises off a terminal."""

import io
import json
import subprocess
import tarfile
from base64 import b64encode
from hashlib import sha512
from pathlib import Path

import msgspec
import pytest

from bundles.core.errors import Failed
from headrace.demo.fetch import Lock, default_cache, fetch_builds, find_npm, read_lock
from tests.support.cli import HEADRACE, environment

MEMBERS = {"package/dist/array.js": b"real", "package/dist/other.js": b"other"}


def fake_npm(folder: Path, script: str) -> Path:
    """A program in npm's place."""
    npm = folder / "npm"
    npm.write_text(f"#!/bin/sh\n{script}\n")
    npm.chmod(0o755)
    return npm


def tarball(members: dict[str, bytes], link: str | None = None) -> bytes:
    """A package as npm packs it."""
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz") as archive:
        for name, data in members.items():
            member = tarfile.TarInfo(name)
            member.size = len(data)
            archive.addfile(member, io.BytesIO(data))
        if link is not None:
            member = tarfile.TarInfo(link)
            member.type, member.linkname = tarfile.SYMTYPE, "/etc/passwd"
            archive.addfile(member)
    return packed.getvalue()


def lock_of(packed: bytes) -> Lock:
    """A lock of one version, of these bytes."""
    lock = read_lock()
    integrity = "sha512-" + b64encode(sha512(packed).digest()).decode()
    npm = msgspec.structs.replace(lock.npm, files=("array.js", "other.js"), versions={"1.0.0": integrity})
    return msgspec.structs.replace(lock, npm=npm)


def npm_that_brings(folder: Path, packed: bytes) -> Path:
    (folder / "packed").write_bytes(packed)
    return fake_npm(folder, f'cp "{folder}/packed" "$6/posthog-js-1.0.0.tgz"')


def test_npm_brings_four_consecutive_builds_by_their_integrity_hashes() -> None:
    sdk = fetch_builds(default_cache(), read_lock(), find_npm())
    assert (sdk.product, sdk.away) == ("posthog-js", None)
    assert [build.version for build in sdk.builds] == ["1.434.15", "1.434.16", "1.434.17", "1.434.18"]
    entries = {(build.folder / sdk.entry).read_bytes() for build in sdk.builds}
    assert len(entries) == 4
    for build in sdk.builds:
        assert build.version.encode() in (build.folder / sdk.entry).read_bytes()


def test_what_is_cached_needs_no_npm() -> None:
    fetch_builds(default_cache(), read_lock(), find_npm())
    assert fetch_builds(default_cache(), read_lock(), None).away is None


@pytest.mark.parametrize(
    ("script", "why"), [(None, "there is no npm here"), ("exit 7", "exit code 7"), ("exit 0", "did not bring")]
)
def test_where_npm_is_away_the_repositorys_own_copy_is_used(tmp_path: Path, script: str | None, why: str) -> None:
    npm = None if script is None else fake_npm(tmp_path, script)
    sdk = fetch_builds(tmp_path / "cache", read_lock(), npm)
    assert sdk.product == "web-vitals"
    assert sdk.away is not None
    assert why in sdk.away
    assert len({(build.folder / sdk.entry).read_bytes() for build in sdk.builds}) == len(sdk.builds) == 4


def test_only_the_locked_files_are_unpacked(tmp_path: Path) -> None:
    packed = tarball({**MEMBERS, "../../evil.js": b"evil", "package/dist/more.js": b"more"})
    sdk = fetch_builds(tmp_path / "cache", lock_of(packed), npm_that_brings(tmp_path, packed))
    files = {path.name for path in sdk.builds[0].folder.rglob("*") if path.is_file()}
    assert files == {"array.js", "other.js"}
    assert (sdk.builds[0].folder / "array.js").read_bytes() == b"real"
    assert not list(tmp_path.rglob("evil.js"))


def test_other_bytes_than_the_locked_ones_are_a_fault_and_no_reason_to_fall_back(tmp_path: Path) -> None:
    packed = tarball(MEMBERS)
    npm = npm_that_brings(tmp_path, packed + b"\0")
    with pytest.raises(Failed, match="not the file that was locked"):
        fetch_builds(tmp_path / "cache", lock_of(packed), npm)
    assert not [path for path in (tmp_path / "cache").rglob("*") if path.is_file()]


@pytest.mark.parametrize(
    ("packed", "why"),
    [
        (tarball({"package/dist/array.js": b"real"}), r"has no package/dist/other\.js"),
        (tarball({"package/dist/array.js": b"real"}, link="package/dist/other.js"), "is no file"),
    ],
)
def test_a_package_without_a_locked_file_is_a_fault(tmp_path: Path, packed: bytes, why: str) -> None:
    with pytest.raises(Failed, match=why):
        fetch_builds(tmp_path / "cache", lock_of(packed), npm_that_brings(tmp_path, packed))
    assert not [path for path in (tmp_path / "cache").rglob("*") if path.is_file()]


def test_the_demo_keeps_its_promises_off_a_terminal(tmp_path: Path) -> None:
    result = subprocess.run(
        [HEADRACE, "demo", "--json"],
        env=environment(tmp_path),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )
    assert result.returncode == 0, result.stderr
    story = json.loads(result.stdout)
    assert story["failed"] == 0
    assert story["requests"] > story["tenants"] == 1_000
    stages = story["stages"]
    assert list(stages) == ["staging", "canary", "5%", "25%", "50%", "100%"]
    assert (stages["staging"], stages["canary"], stages["100%"]) == (0, 1, 999)
    assert 0 < stages["5%"] < stages["25%"] < stages["50%"] < 999
    assert story["rollback"]["ms_from_command"] > story["rollback"]["ms_from_flip"]
    assert "is rolled back to" in result.stderr
    taken_back = story["taken_back"]
    assert taken_back["reason"].startswith("health gate: its error rate is above the stable build's")
    assert 0 < taken_back["failed_pages"] < taken_back["loads"] < story["requests"]
    assert taken_back["ms_to_last_answer"] > 0
    assert "was taken back by itself" in result.stderr
    assert list(tmp_path.iterdir()) == []

"""Keys that are rotated while origins run, and builds that are checked to the byte."""

import base64
import gzip
import hashlib
import json
import time
from pathlib import Path
from typing import Any

import httpx
import pytest

from bundles.core.compress import Encoding, decode, encode
from bundles.core.envelope import seal
from bundles.core.errors import Invalid
from bundles.core.manifest import PAYLOAD_TYPE
from headrace import wiring
from tests.support.cli import fail, publish, release, run, succeed
from tests.support.processes import origin

PATIENCE_SECONDS = 20


@pytest.fixture
def data(released_data: Path) -> Path:
    """Two published builds, the first one released."""
    return released_data


def key_ids(data: Path) -> dict[bool, list[str]]:
    """The trusted keys' ids, those that sign under True."""
    listed = succeed(data, "keys", "list")
    return {signs: [key["key_id"] for key in listed if key["signs"] is signs] for signs in (True, False)}


def variants(data: Path, path: str) -> dict[str, tuple[Path, dict[str, Any]]]:
    """A file's variants of 1.0.0: each one's blob, and what the manifest says of it."""
    sealed = json.loads((data / "store" / "builds" / "sdk" / "1.0.0.json").read_bytes())
    manifest = json.loads(base64.b64decode(sealed["payload"]))
    artifact = next(artifact for artifact in manifest["artifacts"] if artifact["path"] == path)
    return {
        variant["encoding"]: (data / "store" / "blobs" / variant["digest"][:2] / variant["digest"], variant)
        for variant in artifact["variants"]
    }


def test_old_and_new_key_are_valid_side_by_side_and_a_running_origin_learns_the_new_one(
    data: Path, tmp_path: Path
) -> None:
    (old,) = key_ids(data)[True]
    with origin(data) as process:
        assert httpx.get(f"{process.url}/sdk@1.0.0/sdk.js").status_code == 200
        succeed(data, "keys", "rotate")
        after = key_ids(data)
        assert after[False] == [old]
        assert len(after[True]) == 1
        publish(data, tmp_path, "2.0.0")
        release(data, "2.0.0")
        deadline = time.monotonic() + PATIENCE_SECONDS
        while httpx.get(f"{process.url}/t/acme/sdk.json").json()["version"] != "2.0.0":
            assert time.monotonic() < deadline
            time.sleep(0.05)
        for version in ("1.1.0", "2.0.0"):
            assert httpx.get(f"{process.url}/sdk@{version}/sdk.js").status_code == 200
    assert all(not build["damages"] and build["fault"] is None for build in succeed(data, "verify", "sdk"))


def test_a_key_is_distrusted_only_when_nothing_hangs_on_it(data: Path) -> None:
    (old,) = key_ids(data)[True]
    assert "the key that signs now" in fail(data, "keys", "distrust", old, "--force", code=3)
    succeed(data, "keys", "rotate")
    line = fail(data, "keys", "distrust", old, code=3)
    assert "3 documents are signed by that key alone, the first is the snapshot" in line
    succeed(data, "keys", "distrust", old, "--force")
    assert key_ids(data)[False] == []
    verified = run(data, "verify", "sdk", "--json")
    assert verified.returncode == 1
    assert all("not signed by a trusted key" in build["fault"] for build in json.loads(verified.stdout))
    assert "no trusted key has the id" in fail(data, "keys", "distrust", old, "--force", code=2)


def test_an_origin_of_its_own_needs_the_public_key_alone(data: Path, tmp_path: Path) -> None:
    public = next((data / "keys" / "trusted").glob("*.pem"))
    edge = tmp_path / "edge"
    edge.mkdir()
    for name in ("store", "snapshots"):
        (edge / name).symlink_to(data / name)
    listed = succeed(edge, "keys", "trust", str(public))
    assert listed == [{"key_id": public.stem, "signs": False, "scope": None}]
    with origin(edge) as process:
        assert httpx.get(f"{process.url}/t/acme/sdk.json").json()["version"] == "1.0.0"
    assert not (edge / "keys" / "signing.pem").exists()
    assert "is no public key" in fail(edge, "keys", "trust", str(data / "keys" / "signing.pem"), code=1)
    assert "can't read the public key" in fail(edge, "keys", "trust", "nowhere.pem", code=1)


def test_a_build_that_is_whole_verifies(data: Path) -> None:
    found = succeed(data, "verify", "sdk", "1.0.0")
    assert found == [
        {"product": "sdk", "version": "1.0.0", "files": 3, "damages": [], "attestations": [], "fault": None}
    ]
    assert "sdk@1.1.0: 3 files, all is well" in run(data, "verify", "sdk").stdout


@pytest.mark.parametrize(
    ("damage", "fault"),
    [
        ("flip", "do not have the digest"),
        ("cut", "is not of"),
        ("grow", "is not of"),
        ("remove", "is missing"),
        ("folder", "can't read"),
    ],
)
@pytest.mark.parametrize("encoding", ["identity", "br"])
def test_each_damaged_variant_is_named(data: Path, damage: str, fault: str, encoding: str) -> None:
    blob, _ = variants(data, "sdk.js")[encoding]
    body = blob.read_bytes()
    match damage:
        case "flip":
            blob.write_bytes(body[:5] + bytes([body[5] ^ 1]) + body[6:])
        case "cut":
            blob.write_bytes(body[:-1])
        case "grow":
            blob.write_bytes(body + b"\0")
        case _:
            blob.unlink()
    if damage == "folder":
        blob.mkdir()
    result = run(data, "verify", "sdk", "1.0.0", "--json")
    assert result.returncode == 1
    ((found,),) = (build["damages"] for build in json.loads(result.stdout))
    assert (found["path"], found["encoding"]) == ("sdk.js", encoding)
    assert fault in found["fault"]
    text = run(data, "verify", "sdk")
    assert text.returncode == 1
    assert f"  sdk.js ({encoding}): " in text.stdout


def test_a_variant_that_decodes_to_other_bytes_is_found_though_its_digest_holds(data: Path) -> None:
    path = data / "store" / "builds" / "sdk" / "1.0.0.json"
    manifest = json.loads(base64.b64decode(json.loads(path.read_bytes())["payload"]))
    variant = next(v for v in manifest["artifacts"][2]["variants"] if v["encoding"] == "gzip")
    original = (data.parent / "sdk-1.0.0" / "sdk.js").read_bytes()
    wrong = gzip.compress(original.swapcase())
    variant["digest"], variant["size"] = hashlib.sha256(wrong).hexdigest(), len(wrong)
    blob = data / "store" / "blobs" / variant["digest"][:2] / variant["digest"]
    blob.parent.mkdir(exist_ok=True)
    blob.write_bytes(wrong)
    path.write_bytes(seal(PAYLOAD_TYPE, json.dumps(manifest).encode(), wiring.keys(data).signing_key()))
    result = run(data, "verify", "sdk", "1.0.0", "--json")
    assert result.returncode == 1
    ((found,),) = (build["damages"] for build in json.loads(result.stdout))
    assert (found["encoding"], found["fault"]) == ("gzip", "it decodes to other bytes than the artifact's")


def test_a_damaged_build_is_mended_by_its_publish_again(data: Path) -> None:
    for blob, _ in variants(data, "sdk.js").values():
        blob.write_bytes(b"")
    again = ["publish", str(data.parent / "sdk-1.0.0"), "--product", "sdk", "--version", "1.0.0"]
    text = run(data, *again).stdout
    assert text.startswith("already published, 4 damaged blobs mended: sdk@1.0.0")
    published = succeed(data, *again)
    assert (published["created"], published["mended"]) == (False, 0)
    assert succeed(data, "verify", "sdk", "1.0.0")[0]["damages"] == []


def test_a_build_that_is_gone_though_the_routing_table_needs_it_is_named(data: Path, tmp_path: Path) -> None:
    for version in ("1.2.0", "1.3.0", "1.4.0"):
        publish(data, tmp_path, version)
    release(data, "1.1.0")
    succeed(data, "pin", "set", "acme", "sdk", "1.2.0")
    succeed(data, "rollout", "start", "sdk", "1.3.0")
    builds = data / "store" / "builds" / "sdk"
    for version in ("1.0.0", "1.1.0", "1.2.0", "1.3.0", "1.4.0"):
        (builds / f"{version}.json").rename(tmp_path / version)
    result = run(data, "verify", "sdk", "--json")
    assert result.returncode == 1
    assert {build["version"]: build["fault"] for build in json.loads(result.stdout)} == {
        version: f"its manifest is gone, but it is {need}: restore it from a backup"
        for version, need in {
            "1.0.0": "a build that channel stable may be rolled back to",
            "1.1.0": "the stable build of channel stable",
            "1.2.0": "the build that acme~production is pinned to",
            "1.3.0": "the candidate of the rollout on channel stable",
        }.items()
    }
    assert "its manifest is gone" in run(data, "verify", "sdk", "1.1.0").stdout
    assert "there is no build sdk@1.4.0" in fail(data, "verify", "sdk", "1.4.0", code=2)
    for version in ("1.0.0", "1.1.0", "1.2.0", "1.3.0"):
        (tmp_path / version).rename(builds / f"{version}.json")
    assert len(succeed(data, "verify", "sdk")) == 4


def test_a_snapshot_that_can_not_be_read_is_told_beside_what_was_verified(data: Path) -> None:
    (data / "snapshots" / "routing.json").write_text("{}")
    result = run(data, "verify", "sdk", "--json")
    assert (result.returncode, len(json.loads(result.stdout))) == (1, 2)
    (line,) = result.stderr.splitlines()
    assert "the snapshot" in line
    assert "whether builds that it needs are gone was not looked at" in line


@pytest.mark.parametrize("place", [".", "..", "/", "", "keys", "keys/"])
def test_a_key_is_not_made_where_a_folder_is(data: Path, place: str) -> None:
    line = fail(data, "keys", "create", place, code=2, cwd=data)
    assert "is a folder: name the file that the key is to be in, as in acme.pem" in line


@pytest.mark.parametrize(("trusted", "why"), [("a file", "Not a directory"), ("a loop", "symbolic links")])
def test_trusted_keys_that_can_not_be_listed_are_no_absent_ones(data: Path, trusted: str, why: str) -> None:
    folder = data / "keys" / "trusted"
    folder.rename(data / "keys" / "away")
    if trusted == "a loop":
        folder.symlink_to(folder.name)
    else:
        folder.write_text("no folder")
    for verb in (["verify", "sdk"], ["keys", "list"], ["why", "acme", "sdk"]):
        line = fail(data, *verb, code=1)
        assert f"can't read {folder}" in line
        assert why in line


def test_what_is_not_there_can_not_be_verified(data: Path) -> None:
    assert "there is no build of 'nope'" in fail(data, "verify", "nope", code=2)
    assert "there is no build sdk@9.0.0" in fail(data, "verify", "sdk", "9.0.0", code=2)


@pytest.mark.parametrize("encoding", [encoding for encoding in Encoding if encoding is not Encoding.IDENTITY])
def test_a_body_is_never_decoded_beyond_its_size(encoding: Encoding) -> None:
    bomb = encode(b"\0" * 50_000_000, encoding)
    with pytest.raises(Invalid, match="does not decode to 1000 bytes"):
        decode(bomb, encoding, 1000)
    with pytest.raises(Invalid, match="does not decode"):
        decode(b"no such thing at all", encoding, 1000)
    whole = encode(b"abc" * 1000, encoding)
    with pytest.raises(Invalid, match="does not decode"):
        decode(whole[: len(whole) // 2], encoding, 3000)
    assert decode(whole, encoding, 3000) == b"abc" * 1000

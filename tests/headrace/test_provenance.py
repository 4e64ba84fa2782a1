"""How a build was made is recorded with it, kept, and verified, through the command line."""

import base64
import hashlib
import json
import os
import tarfile
from pathlib import Path
from typing import Any

import httpx
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from bundles.core.builders import builder_key_id
from headrace import wiring
from headrace.demo.fetch import NpmAwayError
from tests.support import npm
from tests.support.attest import BUILDER, COMMIT, REPOSITORY, envelope, statement, write_public_key
from tests.support.cli import fail, release, run, succeed, write_build
from tests.support.processes import origin

NAMED = ("--product", "sdk", "--version", "1.0.0")
CI_VARIABLES = ("GITHUB_ACTIONS", "GITLAB_CI")


@pytest.fixture(autouse=True)
def no_ci(monkeypatch: pytest.MonkeyPatch) -> None:
    """The CI system that the tests run in builds Headrace, not these builds."""
    for name in CI_VARIABLES:
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def archive(tmp_path: Path) -> Path:
    """A package as npm packs it."""
    folder = write_build(tmp_path / "package", {"package.json": "{}", "sdk.js": "let a = 1;\n" * 50})
    with tarfile.open(tmp_path / "sdk-1.0.0.tgz", "w:gz") as packed:
        packed.add(folder, "package")
    return tmp_path / "sdk-1.0.0.tgz"


def digests(file: Path) -> dict[str, str]:
    data = file.read_bytes()
    return {"sha256": hashlib.sha256(data).hexdigest(), "sha512": hashlib.sha512(data).hexdigest()}


def attest(folder: Path, digest: dict[str, str], key: Ed25519PrivateKey, **changes: Any) -> Path:
    """A builder's attestation of one subject, as a file."""
    document = envelope(statement(digest, **changes), key, builder_key_id(key.public_key()))
    path = folder / "build.intoto.json"
    path.write_text(json.dumps(document))
    return path


def blob_of(data: Path, digest: str) -> Path:
    return data / "store" / "blobs" / digest[:2] / digest


def states(data: Path) -> list[tuple[str, str | None]]:
    found = json.loads(run(data, "provenance", "sdk", "1.0.0", "--json").stdout)
    return [(attested["state"], attested["fault"]) for attested in found["attestations"]]


def test_a_real_npm_package_keeps_its_provenance_which_is_verified(tmp_path: Path) -> None:
    try:
        tarball = npm.tarball()
    except NpmAwayError as error:
        pytest.skip(f"npm did not bring the package: {error}")
    data = tmp_path / "data"
    published = succeed(data, "publish", str(tarball), *NAMED, "--attestation", str(npm.ATTESTATIONS))
    recorded = published["provenance"]
    assert recorded["source"] == {"repository": npm.REPOSITORY, "commit": npm.COMMIT}
    assert recorded["builder"] == "https://github.com/actions/runner/github-hosted"
    assert [(i["name"], i["digest"], i["sha512"]) for i in recorded["inputs"]] == [
        (tarball.name, *digests(tarball).values())
    ]
    assert states(data) == [("unverified", None)] * 2
    assert run(data, "verify", "sdk").returncode == 0
    (tmp_path / "npm.pem").write_text(npm.NPM_KEY)
    succeed(data, "builders", "trust", str(tmp_path / "npm.pem"))
    assert states(data) == [("verified", None), ("unverified", None)]
    succeed(data, "builders", "trust", npm.REPOSITORY)
    assert states(data) == [("verified", None)] * 2
    text = run(data, "provenance", "sdk", "1.0.0").stdout
    assert f"commit      {npm.COMMIT}" in text
    assert f"attested    https://slsa.dev/provenance/v1: verified, by {npm.REPOSITORY}/.github/" in text


def test_what_is_said_of_a_build_is_recorded_and_the_build_is_served(archive: Path, tmp_path: Path) -> None:
    data, key = tmp_path / "data", Ed25519PrivateKey.generate()
    lock = write_build(tmp_path, {"package-lock.json": "{}"}) / "package-lock.json"
    sbom = write_build(tmp_path, {"sbom.json": "[]"}) / "sbom.json"
    attestation = attest(tmp_path, {"sha512": digests(archive)["sha512"]}, key)
    options = ["--input", str(lock), "--attestation", str(attestation), "--commit", COMMIT, "--builder", BUILDER]
    options += ["--sbom", "https://acme.example/sbom.json", "--sbom-file", str(sbom)]
    arguments = ["publish", str(archive), *NAMED, *options, "--source-repository", f"{REPOSITORY}.git"]
    published = succeed(data, *arguments)
    ref = published["provenance"]["attestations"][0]
    assert blob_of(data, ref["digest"]).read_bytes() == attestation.read_bytes()
    view = succeed(data, "provenance", "sdk", "1.0.0")
    assert view["recorded"] == published["provenance"]
    assert view["recorded"]["source"] == {"repository": REPOSITORY, "commit": COMMIT}
    assert [each["name"] for each in view["recorded"]["inputs"]] == [archive.name, lock.name]
    assert view["recorded"]["sbom"]["digest"] == digests(sbom)["sha256"]
    succeed(data, "builders", "trust", str(write_public_key(tmp_path / "builder.pem", key)))
    assert states(data) == [("verified", None)]
    assert succeed(data, *arguments)["created"] is False
    release(data, "1.0.0")
    for blob in (data / "store" / "blobs").rglob("*"):
        os.utime(blob, (0, 0))
    assert succeed(data, "retire", "--apply", "--reason", "quarterly")["removed_blobs"] == 0
    assert states(data) == [("verified", None)]
    with origin(data) as process:
        assert httpx.get(f"{process.url}/sdk@1.0.0/sdk.js").status_code == 200


def test_an_attestation_may_be_about_a_file_of_the_build_and_a_build_may_have_none(tmp_path: Path) -> None:
    data, key = tmp_path / "data", Ed25519PrivateKey.generate()
    dist = write_build(tmp_path / "dist", {"sdk.js": "let a;"})
    path = attest(tmp_path, {"sha256": digests(dist / "sdk.js")["sha256"]}, key)
    succeed(data, "publish", str(dist), *NAMED)
    assert succeed(data, "provenance", "sdk", "1.0.0")["recorded"] == {}
    assert "attested    by nobody" in run(data, "provenance", "sdk", "1.0.0").stdout
    refused = fail(data, "publish", str(dist), *NAMED, "--attestation", str(path), code=3)
    assert "already published without the attestation" in refused
    second = ("--product", "sdk", "--version", "1.0.1")
    published = succeed(data, "publish", str(dist), *second, "--attestation", str(path))
    assert published["provenance"]["source"] == {"repository": REPOSITORY, "commit": COMMIT}
    assert "there is no build sdk@9.0.0" in fail(data, "provenance", "sdk", "9.0.0", code=2)


def test_what_does_not_belong_to_the_build_is_refused_before_it_exists(archive: Path, tmp_path: Path) -> None:
    data, key = tmp_path / "data", Ed25519PrivateKey.generate()
    arguments = ["publish", str(archive), *NAMED]
    path = attest(tmp_path, {"sha512": "0" * 128}, key)
    assert "is about none of this build" in fail(data, *arguments, "--attestation", str(path), code=2)
    path = attest(tmp_path, digests(archive), key)
    contradiction = fail(data, *arguments, "--attestation", str(path), "--commit", "f" * 40, code=2)
    assert f"{'f' * 40} and {COMMIT} are both named as the build's commit" in contradiction
    other = fail(data, *arguments, "--attestation", str(path), "--source-repository", "https://a.example", code=2)
    assert "are both named as the build's repository" in other
    succeed(data, "builders", "trust", str(write_public_key(tmp_path / "builder.pem", key)))
    document = json.loads(path.read_text())
    altered = base64.b64decode(document["payload"]).replace(b"acme/tools", b"acme/toolz")
    path.write_text(json.dumps({**document, "payload": base64.b64encode(altered).decode()}))
    assert "has a bad signature" in fail(data, *arguments, "--attestation", str(path), code=3)
    path.write_text('{"a":' * 100_000)
    assert "nested too deeply" in fail(data, *arguments, "--attestation", str(path), code=2)
    assert "is not a file" in fail(data, *arguments, "--attestation", str(tmp_path), code=2)
    assert "is not a file" in fail(data, *arguments, "--input", str(tmp_path / "gone"), code=2)
    assert "is no commit" in fail(data, *arguments, "--commit", "main", code=2)
    assert "https" in fail(data, *arguments, "--sbom", "sbom.json", code=2)
    assert "--sbom URL" in fail(data, *arguments, "--sbom-file", str(archive), code=2)
    assert not (data / "store" / "builds").exists()


@pytest.mark.parametrize(("damage", "fault"), [("flip", "does not have that digest"), ("remove", "is missing")])
def test_a_damaged_attestation_is_named(archive: Path, tmp_path: Path, damage: str, fault: str) -> None:
    data, key = tmp_path / "data", Ed25519PrivateKey.generate()
    path = attest(tmp_path, digests(archive), key)
    published = succeed(data, "publish", str(archive), *NAMED, "--attestation", str(path))
    blob = blob_of(data, published["provenance"]["attestations"][0]["digest"])
    if damage == "flip":
        blob.write_bytes(blob.read_bytes().replace(b"payload", b"Payload", 1))
    else:
        blob.unlink()
    for verb in (["verify", "sdk"], ["provenance", "sdk", "1.0.0"]):
        result = run(data, *verb)
        assert result.returncode == 1
        assert fault in result.stdout
    (verified,) = json.loads(run(data, "verify", "sdk", "--json").stdout)
    assert verified["damages"] == []
    assert fault in verified["attestations"][0]["fault"]


def test_a_key_that_comes_to_be_trusted_shows_that_its_signature_is_bad(archive: Path, tmp_path: Path) -> None:
    """Kept while nobody could tell, and told apart from what is merely unverified once somebody can."""
    data, key, forger = tmp_path / "data", Ed25519PrivateKey.generate(), Ed25519PrivateKey.generate()
    document = envelope(statement(digests(archive)), forger, builder_key_id(key.public_key()))
    path = tmp_path / "forged.json"
    path.write_text(json.dumps(document))
    succeed(data, "publish", str(archive), *NAMED, "--attestation", str(path))
    assert states(data) == [("unverified", None)]
    assert run(data, "verify", "sdk").returncode == 0
    succeed(data, "builders", "trust", str(write_public_key(tmp_path / "builder.pem", key)))
    assert states(data) == [("bad", None)]
    assert run(data, "verify", "sdk").returncode == 1
    assert run(data, "provenance", "sdk", "1.0.0").returncode == 1


def test_a_ci_system_need_not_be_told_what_it_builds(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {
        "GITLAB_CI": "true",
        "CI_PROJECT_URL": REPOSITORY,
        "CI_COMMIT_SHA": COMMIT,
        "CI_JOB_URL": f"{REPOSITORY}/-/jobs/7",
    }.items():
        monkeypatch.setenv(name, value)
    dist = write_build(tmp_path / "dist", {"sdk.js": "let a;"})
    published = succeed(tmp_path / "data", "publish", str(dist), *NAMED, "--commit", "f" * 40)
    assert published["provenance"] == {
        "source": {"repository": REPOSITORY, "commit": "f" * 40},
        "builder": f"{REPOSITORY}/-/jobs/7",
    }


def test_builders_are_listed_and_come_and_go(tmp_path: Path) -> None:
    data, key = tmp_path / "data", Ed25519PrivateKey.generate()
    assert succeed(data, "builders", "list") == []
    assert "stay unverified" in run(data, "builders", "list").stdout
    key_id = builder_key_id(key.public_key())
    assert succeed(data, "builders", "trust", str(write_public_key(tmp_path / "b.pem", key))) == [
        {"key_id": key_id}
    ]
    issuer = "https://token.actions.githubusercontent.com"
    assert succeed(data, "builders", "trust", REPOSITORY)[1] == {"repository": REPOSITORY, "issuer": issuer}
    assert f"{REPOSITORY}  by {issuer}" in run(data, "builders", "list").stdout
    assert not any(wiring.keys(data).trusted_keys())
    assert "name its URL" in fail(data, "builders", "trust", "b.pem", "--issuer", issuer, code=2)
    assert succeed(data, "builders", "distrust", REPOSITORY) == [{"key_id": key_id}]
    assert succeed(data, "builders", "distrust", key_id) == []
    assert "no trusted builder" in fail(data, "builders", "distrust", key_id, code=2)

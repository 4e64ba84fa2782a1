"""The origin lives on snapshots: without controller and database, through restarts, and past bad snapshots."""

import json
import time
from pathlib import Path

import httpx
import pytest

from headrace import wiring
from tests.support.cli import publish, release, succeed
from tests.support.processes import Origin, Process, controller, origin

PATIENCE_SECONDS = 20


@pytest.fixture
def data(released_data: Path) -> Path:
    """Two published builds, the first one released."""
    return released_data


def version_for(url: str, tenant: str = "acme") -> str:
    response = httpx.get(f"{url}/t/{tenant}/sdk.json")
    assert response.status_code == 200, response.text
    return str(response.json()["version"])


def wait_until_served(url: str, version: str) -> None:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while version_for(url) != version:
        assert time.monotonic() < deadline, f"{version} was never served"
        time.sleep(0.01)


def test_a_change_is_served_without_a_restart(data: Path) -> None:
    with origin(data) as process:
        assert version_for(process.url) == "1.0.0"
        release(data, "1.1.0")
        wait_until_served(process.url, "1.1.0")
        succeed(data, "rollback", "sdk")
        wait_until_served(process.url, "1.0.0")


def test_the_origin_answers_without_controller_and_database_also_after_its_restart(data: Path) -> None:
    with controller(data), origin(data) as process:
        assert version_for(process.url) == "1.0.0"
    for file in data.glob("control.db*"):
        file.rename(data.parent / file.name)
    with origin(data) as process:
        assert version_for(process.url) == "1.0.0"
        assert httpx.get(f"{process.url}/sdk@1.1.0/sdk.js").status_code == 200
        assert httpx.get(f"{process.probes}/readyz").status_code == 200
    assert not list(data.glob("control.db*")), "the origin must not make a database"


def test_the_origin_starts_from_its_own_copy_when_the_snapshot_is_gone(data: Path) -> None:
    with origin(data):
        pass
    wiring.snapshot_file(data).unlink()
    with origin(data) as process:
        assert version_for(process.url) == "1.0.0"


@pytest.mark.parametrize("damage", ["empty", "garbage", "cut", "forged", "older"])
def test_a_bad_snapshot_is_refused_logged_and_not_taken_after_a_restart_either(data: Path, damage: str) -> None:
    file = wiring.snapshot_file(data)
    older = file.read_bytes()
    release(data, "1.1.0")
    good = file.read_bytes()
    envelope = json.loads(good)
    bad = {
        "empty": b"",
        "garbage": b"\x00\xff" * 50,
        "cut": good[: len(good) // 2],
        "forged": json.dumps({**envelope, "payload": "eyJyZXZpc2lvbiI6OTl9"}).encode(),
        "older": older,
    }[damage]
    with origin(data) as process:
        assert version_for(process.url) == "1.1.0"
        file.write_bytes(bad)
        refused = process.wait_for("snapshot refused")
        assert refused["level"] == "error"
        assert refused["why"]
        assert version_for(process.url) == "1.1.0"
    with origin(data) as process:
        assert version_for(process.url) == "1.1.0"
        file.write_bytes(good)
        succeed(data, "rollback", "sdk")
        wait_until_served(process.url, "1.0.0")


def test_an_origin_before_the_first_release_is_alive_but_not_ready(tmp_path: Path) -> None:
    data = tmp_path / "data"
    publish(data, tmp_path, "1.0.0")
    with origin(data) as process:
        assert httpx.get(f"{process.probes}/healthz").status_code == 200
        assert httpx.get(f"{process.probes}/readyz").status_code == 503
        assert httpx.get(f"{process.url}/sdk@1.0.0/sdk.js").status_code == 200
        moving = httpx.get(f"{process.url}/t/acme/sdk/sdk.js")
        assert (moving.status_code, moving.headers["cache-control"]) == (503, "no-store")
        assert moving.headers["retry-after"] == "1"
        release(data, "1.0.0")
        deadline = time.monotonic() + PATIENCE_SECONDS
        while httpx.get(f"{process.probes}/readyz").status_code != 200:
            assert time.monotonic() < deadline
            time.sleep(0.05)
        assert version_for(process.url) == "1.0.0"


def test_a_build_published_later_is_served_within_seconds_of_a_404(data: Path, tmp_path: Path) -> None:
    with origin(data) as process:
        assert httpx.get(f"{process.url}/sdk@1.2.0/sdk.js").status_code == 404
        publish(data, tmp_path, "1.2.0")
        deadline = time.monotonic() + PATIENCE_SECONDS
        while httpx.get(f"{process.url}/sdk@1.2.0/sdk.js").status_code != 200:
            assert time.monotonic() < deadline
            time.sleep(0.05)


def blobs(data: Path, version: str) -> list[Path]:
    manifest = succeed(
        data, "publish", str(data.parent / f"sdk-{version}"), "--product", "sdk", "--version", version
    )
    entry = next(artifact for artifact in manifest["artifacts"] if artifact["path"] == "sdk.js")
    return [data / "store" / "blobs" / v["digest"][:2] / v["digest"] for v in entry["variants"]]


@pytest.mark.parametrize("fault", ["other bytes", "cut", "longer", "gone"])
def test_a_damaged_blob_is_never_served(data: Path, fault: str) -> None:
    for blob in blobs(data, "1.0.0"):
        body = blob.read_bytes()
        match fault:
            case "other bytes":
                blob.write_bytes(b"X" + body[1:])
            case "cut":
                blob.write_bytes(body[:-1])
            case "longer":
                blob.write_bytes(body + b"X")
            case _:
                blob.unlink()
    with origin(data) as process:
        for coding in ("identity", "br"):
            response = httpx.get(f"{process.url}/sdk@1.0.0/sdk.js", headers={"accept-encoding": coding})
            assert response.status_code == 503
            assert response.headers["cache-control"] == "no-store"
            assert response.headers["retry-after"] == "1"
            assert process.wait_for("request failed")["request_id"] in response.text
        assert version_for(process.url) == "1.0.0"


def test_a_build_whose_signature_is_wrong_is_not_served(data: Path) -> None:
    manifest = data / "store" / "builds" / "sdk" / "1.0.0.json"
    envelope = json.loads(manifest.read_bytes())
    envelope["signatures"][0]["sig"] = "A" * 86 + "=="
    manifest.write_text(json.dumps(envelope))
    with origin(data) as process:
        assert httpx.get(f"{process.url}/sdk@1.0.0/sdk.js").status_code == 503
        assert "not signed by a trusted key" in process.wait_for("request failed")["why"]


def test_what_is_in_memory_is_served_when_the_store_is_away(data: Path) -> None:
    with origin(data) as process:
        first = httpx.get(f"{process.url}/sdk@1.0.0/sdk.js")
        (data / "store").rename(data / "away")
        again = httpx.get(f"{process.url}/sdk@1.0.0/sdk.js")
        assert (again.status_code, again.content) == (200, first.content)
        assert httpx.get(f"{process.url}/t/acme/sdk/sdk.js").status_code == 302


def test_a_body_larger_than_the_cache_allows_is_streamed_whole(data: Path, tmp_path: Path) -> None:
    big = tmp_path / "big"
    big.mkdir()
    content = bytes(range(256)) * 12_000
    (big / "big.bin").write_bytes(content)
    succeed(data, "publish", str(big), "--product", "big", "--version", "1.0.0")
    with origin(data, "--cache-mib", "1") as process:
        response = httpx.get(f"{process.url}/big@1.0.0/big.bin", headers={"accept-encoding": "identity"})
        assert response.headers["content-length"] == str(len(content))
        assert response.content == content


def test_of_a_large_body_that_is_damaged_at_its_end_nothing_is_sent(data: Path, tmp_path: Path) -> None:
    big = tmp_path / "big"
    big.mkdir()
    content = bytes(range(256)) * 12_000
    (big / "big.bin").write_bytes(content)
    published = succeed(data, "publish", str(big), "--product", "big", "--version", "1.0.0")
    digest = published["artifacts"][0]["variants"][0]["digest"]
    (data / "store" / "blobs" / digest[:2] / digest).write_bytes(content[:-1] + b"X")
    with origin(data, "--cache-mib", "1") as process:
        response = httpx.get(f"{process.url}/big@1.0.0/big.bin", headers={"accept-encoding": "identity"})
        assert response.status_code == 503


def test_a_stopped_origin_has_finished_what_it_began(data: Path) -> None:
    process = Origin(data)
    assert version_for(process.url) == "1.0.0"
    assert process.stop() == 0
    assert process.log[-1]["event"] == "origin stopped"


def test_the_controller_promotes_a_rollout_to_its_end_and_origins_follow(data: Path) -> None:
    with controller(data), origin(data) as process:
        succeed(data, "rollout", "start", "sdk", "1.1.0", "--bake", "1s", "--stages", "staging,50,100")
        wait_until_served(process.url, "1.1.0")
        deadline = time.monotonic() + PATIENCE_SECONDS
        while succeed(data, "rollout", "status", "sdk")["rollout"] is not None:
            assert time.monotonic() < deadline
    assert succeed(data, "rollout", "status", "sdk")["stable"] == "1.1.0"


def test_the_controller_killed_in_the_midst_goes_on_after_its_restart(data: Path) -> None:
    succeed(data, "rollout", "start", "sdk", "1.1.0", "--bake", "1s", "--stages", "10,50,100")
    for _ in range(3):
        process = Process(data, "controller", "--interval", "0.1")
        process.wait_for("promoted")
        process.kill()
        process.stop()
    assert succeed(data, "rollout", "status", "sdk")["stable"] == "1.1.0"

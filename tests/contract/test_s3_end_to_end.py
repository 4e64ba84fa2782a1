"""The main job with its builds in S3: the real command line and the real origin."""

import json
from pathlib import Path

import httpx
import pytest

from bundles.adapters.s3_bucket import S3Location
from tests.contract.conftest import FaultyS3
from tests.support.cli import fail, publish, release, run, succeed
from tests.support.processes import origin


def test_builds_in_s3_are_published_released_verified_and_served(
    s3_location: S3Location, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = f"s3://{s3_location.bucket}/builds?endpoint={s3_location.endpoint}&region=us-east-1"
    monkeypatch.setenv("HEADRACE_STORE", place)
    data = tmp_path / "data"
    publish(data, tmp_path, "1.0.0")
    publish(data, tmp_path, "1.0.0")
    (tmp_path / "sdk-1.0.0" / "sdk.js").write_text("other")
    again = ["--product", "sdk", "--version", "1.0.0"]
    assert "a build is immutable" in fail(data, "publish", str(tmp_path / "sdk-1.0.0"), *again, code=3)
    release(data, "1.0.0")
    assert not (data / "store").exists()
    assert succeed(data, "verify", "sdk", "1.0.0")[0]["damages"] == []
    with origin(data) as process, httpx.Client(base_url=process.url, follow_redirects=True) as client:
        served = client.get("/t/acme/sdk/lib/extra.mjs")
        assert (served.status_code, served.text) == (200, "export default '1.0.0';\n")
        assert client.get("/sdk@9.9.9/sdk.js").status_code == 404


def test_a_verb_that_must_try_again_logs_that_as_json_lines(
    s3_location: S3Location, faulty_s3: FaultyS3, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = f"s3://{s3_location.bucket}/builds?endpoint={faulty_s3.url}&region=us-east-1"
    monkeypatch.setenv("HEADRACE_STORE", place)
    publish(tmp_path / "data", tmp_path, "1.0.0")
    faulty_s3.fail("throttle", 2)
    result = run(tmp_path / "data", "verify", "sdk", "1.0.0", "--json")
    assert (result.returncode, json.loads(result.stdout)[0]["damages"]) == (0, [])
    logged = [json.loads(line) for line in result.stderr.splitlines()]
    assert {line["event"] for line in logged} == {"stamina.retry_scheduled"}


@pytest.mark.parametrize("place", ["ftp://somewhere", "s3://[b", "s3://b?endpoint=http://["])
def test_a_store_that_is_no_place_is_told(place: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    publish(tmp_path / "data", tmp_path, "1.0.0")
    monkeypatch.setenv("HEADRACE_STORE", place)
    assert "is no place in S3" in fail(tmp_path / "data", "verify", "sdk", code=2)

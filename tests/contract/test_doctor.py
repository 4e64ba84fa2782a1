"""What `headrace doctor` sees of a store in S3."""

import json
import os
import subprocess
from pathlib import Path

import pytest

from bundles.adapters.s3_bucket import S3Bucket, S3Location
from tests.support.cli import HEADRACE, environment

pytestmark = pytest.mark.anyio


def look_at_store(data: Path, bucket: str, location: S3Location) -> dict[str, str]:
    place = f"s3://{bucket}/sdk?endpoint={location.endpoint}&region=us-east-1"
    result = subprocess.run(
        [HEADRACE, "doctor", "--json"],
        env={**environment(data), **os.environ, "HEADRACE_STORE": place},
        capture_output=True,
        text=True,
        check=False,
    )
    return next(found for found in json.loads(result.stdout)["findings"] if found["name"] == "store")


async def test_a_probe_is_written_and_gone_again(s3_location: S3Location, tmp_path: Path) -> None:
    assert look_at_store(tmp_path, s3_location.bucket, s3_location)["state"] == "ok"
    async with S3Bucket.open(s3_location) as bucket:
        assert [page.files async for page in bucket.pages("", deep=True)] == [[]]


async def test_rights_that_are_missing_are_named(s3_location: S3Location, tmp_path: Path) -> None:
    found = look_at_store(tmp_path, "no-such-bucket", s3_location)
    assert found["state"] == "failed"
    for right in ("s3:ListBucket", "s3:PutObject", "s3:DeleteObject"):
        assert right in found["remedy"]

"""The export in a bucket, put there by the script of docs/static-failover.md."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from botocore.session import get_session

from tests.contract.conftest import AWS, new_bucket
from tests.support.cli import succeed
from tests.support.static_host import entries

DOCUMENT = Path(__file__).parents[2] / "docs" / "static-failover.md"
SYSTEM = ("cache-control", "content-encoding", "content-length", "content-type")
OWN = ("accept-ranges", "cache-tag", "etag", "repr-digest", "sourcemap", "use-as-dictionary", "vary")


def test_a_bucket_has_each_file_with_its_headers_and_nothing_else(
    released_data: Path, tmp_path: Path, s3_server: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in {**AWS, "AWS_ENDPOINT_URL": s3_server, "AWS_DEFAULT_REGION": "us-east-1"}.items():
        monkeypatch.setenv(name, value)
    bucket = new_bucket(s3_server).bucket
    client = get_session().create_client("s3")
    client.put_object(Bucket=bucket, Key="sdk@0.9.0/blocked.js", Body=b"")
    folder = tmp_path / "failover"
    succeed(released_data, "export-static", str(folder))
    script = tmp_path / "upload.py"
    script.write_text(DOCUMENT.read_text().partition("```python\n")[2].partition("```")[0])
    subprocess.run([sys.executable, script, folder, bucket], env=os.environ, check=True, timeout=60)

    files = {entry["file"]: entry["headers"] for entry in entries(folder) if entry["file"]}
    listed = client.list_objects_v2(Bucket=bucket)["Contents"]
    assert {item["Key"] for item in listed} == set(files)
    for key, headers in files.items():
        answer = client.get_object(Bucket=bucket, Key=key)
        assert answer["Body"].read() == (folder / "tree" / key).read_bytes()
        sent = answer["ResponseMetadata"]["HTTPHeaders"]
        assert {name: sent.get(name) for name in SYSTEM} == {name: headers.get(name) for name in SYSTEM}
        assert {name: sent.get(f"x-amz-meta-{name}") for name in OWN} == {name: headers.get(name) for name in OWN}
    client.close()

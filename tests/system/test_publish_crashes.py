"""A publisher that is killed, or whose disk fails, at any step: nothing torn is seen; the next one completes."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from bundles.adapters.s3_bucket import S3Location
from tests.contract.conftest import s3_location, s3_server
from tests.support.cli import write_build
from tests.support.injection import run_injected

__all__ = ["s3_location", "s3_server"]


def crash(kind: str, folder: Path, **environment: str) -> dict[str, Any]:
    """What the harness found."""
    result = subprocess.run(
        [sys.executable, "-m", "tests.system.crash_harness", kind, folder],
        env={**os.environ, **environment},
        cwd=Path(__file__).parents[2],
        capture_output=True,
        text=True,
        timeout=900,
        check=False,
    )
    assert result.returncode == 0, result.stderr
    return dict(json.loads(result.stdout))


@pytest.mark.parametrize(("kind", "least"), [("disk", 200), ("enospc", 50), ("eio", 50)])
def test_a_publisher_on_disk_is_broken_off_at_each_step(kind: str, least: int, tmp_path: Path) -> None:
    found = crash(kind, tmp_path)
    assert found["faults"] == {}
    assert found["steps"] >= least


def test_a_publisher_in_s3_is_killed_before_and_after_each_request(
    s3_location: S3Location, tmp_path: Path
) -> None:
    place = f"s3://{s3_location.bucket}/PREFIX?endpoint={s3_location.endpoint}&region=us-east-1"
    found = crash("s3", tmp_path, CRASH_PLACE=place)
    assert found["faults"] == {}
    assert found["steps"] >= 20


@pytest.mark.parametrize(
    ("inject", "told"),
    [
        ("fsync:error=EIO", "Input/output error"),
        ("rename,renameat,renameat2:error=ENOSPC", "No space left on device"),
        ("mkdir,mkdirat:error=EROFS", "Read-only file system"),
        ("link,linkat:error=EIO", "Input/output error"),
    ],
)
def test_a_disk_that_fails_under_the_command_gives_one_clear_line(inject: str, told: str, tmp_path: Path) -> None:
    dist = write_build(tmp_path / "dist", {"sdk.js": "let a;\n" * 100})
    order = ["--product", "sdk", "--version", "1.0.0", "--data", str(tmp_path / "data")]
    result = run_injected(inject, ["publish", str(dist), *order])
    assert (result.returncode, result.stdout) == (1, ""), result.stderr
    assert len(result.stderr.splitlines()) == 1, result.stderr
    assert told in result.stderr
    assert not list((tmp_path / "data").rglob("1.0.0.json"))

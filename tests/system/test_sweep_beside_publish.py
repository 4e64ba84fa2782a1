"""Sweeps beside publishes, in processes of their own; processes that are killed. No build ever lacks a byte."""

import json
import os
import random
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from bundles.adapters.s3_bucket import S3Location
from headrace import wiring
from tests.contract.conftest import s3_location, s3_server
from tests.support.cli import HEADRACE, environment, succeed, write_build

__all__ = ["s3_location", "s3_server"]

ROOT = Path(__file__).parents[2]


def part(*arguments: str | Path) -> subprocess.Popen[str]:
    """One part of the harness, begun."""
    command = [sys.executable, "-m", "tests.system.sweep_harness", *map(str, arguments)]
    return subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)


def found_by(process: subprocess.Popen[str]) -> dict[str, Any]:
    """What a part found, once it has ended."""
    output, _ = process.communicate(timeout=300)
    assert process.returncode == 0
    return dict(json.loads(output))


@pytest.fixture(params=["disk", "s3"])
def data(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A data folder with keys, its builds on disk or in S3."""
    if request.param == "s3":
        location: S3Location = request.getfixturevalue("s3_location")
        place = f"s3://{location.bucket}/builds?endpoint={location.endpoint}&region=us-east-1"
        monkeypatch.setenv("HEADRACE_STORE", place)
    wiring.keys(tmp_path / "data").signing_key()
    return tmp_path / "data"


def test_builds_published_beside_sweeps_have_all_their_bytes(data: Path) -> None:
    sweeper = part("sweep", data)
    publishers = [part("publish", data, product, "12") for product in ("sdk", "menu")]
    damaged = [found_by(publisher)["damaged"] for publisher in publishers]
    swept = found_by(sweeper)
    assert damaged == [[], []]
    assert swept["sweeps"] >= 3
    assert swept["removed"] > 0
    for product in ("sdk", "menu"):
        assert all(not each["damages"] and not each["fault"] for each in succeed(data, "verify", product))


def test_a_retirement_on_disk_that_is_killed_at_any_step_is_completed_by_the_next(tmp_path: Path) -> None:
    found = found_by(part("kill", tmp_path))
    assert found["faults"] == {}
    assert found["steps"] >= 15


def test_a_killed_publisher_on_disk_keeps_no_sweeper_out_and_its_rest_is_removed(tmp_path: Path) -> None:
    data = tmp_path / "data"
    first = write_build(tmp_path / "first", {"sdk.js": "let a;\n" * 100})
    succeed(data, "publish", str(first), "--product", "sdk", "--version", "1.0.0")
    succeed(data, "rollout", "start", "sdk", "1.0.0")
    files: dict[str, str | bytes] = {f"{n}.bin": random.Random(n).randbytes(20_000) for n in range(300)}
    write_build(tmp_path / "large", files)
    blobs = data / "store" / "blobs"
    large = ["publish", str(tmp_path / "large"), "--product", "sdk", "--version", "1.1.0"]
    killed = subprocess.Popen([HEADRACE, *large], env=environment(data), stdout=subprocess.DEVNULL)
    deadline = time.monotonic() + 60
    while len(list(blobs.rglob("*"))) < 30:
        assert time.monotonic() < deadline
        time.sleep(0.01)
    killed.kill()
    killed.wait()
    assert not (data / "store" / "builds" / "sdk" / "1.1.0.json").exists()
    yesterday = time.time() - 2 * 86_400
    for path in blobs.rglob("*"):
        os.utime(path, (yesterday, yesterday))
    (blobs / "ab").mkdir(exist_ok=True)
    (blobs / "ab" / ".abc.0123456789abcdef.tmp").write_bytes(b"half")
    assert succeed(data, "retire", "--apply")["removed_blobs"] > 0
    assert not list(blobs.rglob("*.tmp"))
    assert succeed(data, "retire")["removed_blobs"] == 0
    succeed(data, *large)
    assert all(not each["damages"] for each in succeed(data, "verify", "sdk"))

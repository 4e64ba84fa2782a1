"""The control plane's disk fails or is full: one clear line, nothing acknowledged, and all goes on afterwards."""

import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import anyio
import pytest

from headrace import wiring
from release.core.routing import RoutingTable
from release.snapshot import read_table
from tests.support.cli import run, succeed
from tests.support.disks import filled, small_disk
from tests.support.injection import run_injected
from tests.support.processes import controller

START = ("rollout", "start", "sdk", "1.1.0", "--idempotency-key", "one", "--actor", "sam")
COMMITTED = "revision 3 is committed, but origins can't see it yet"
PATIENCE_SECONDS = 60


def served(data: Path) -> RoutingTable:
    """What origins read."""
    table = anyio.run(read_table, wiring.snapshots(data), wiring.trusted_keys(data))
    assert table is not None
    return table


def refused(result: subprocess.CompletedProcess[str]) -> str:
    """The one line of a command that failed, which says nothing else."""
    assert (result.returncode, result.stdout) == (1, ""), result.stderr
    assert len(result.stderr.splitlines()) == 1, result.stderr
    assert result.stderr.startswith("headrace: ")
    return result.stderr


def wait_until(holds: Callable[[], bool]) -> None:
    """Return once it holds."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def see_made_once(data: Path) -> None:
    """The change, sent again with its idempotency key, is there once, and everything agrees."""
    assert succeed(data, *START)["revision"] == 3
    assert succeed(data, "audit", "verify") == {"revision": 3, "vouched_for": 3, "faults": []}
    assert served(data).revision == 3
    assert succeed(data, "rollout", "abort", "sdk")["revision"] == 4


@pytest.mark.parametrize(
    ("file", "inject", "told"),
    [
        ("control.db-wal", "fdatasync:error=EIO", "disk I/O error. The change may be made or not"),
        ("control.db-wal", "pwrite64:error=EIO", "disk I/O error"),
        ("control.db-wal", "pwrite64:error=ENOSPC:when=4+", "database or disk is full"),
        ("control.db-shm", "pwrite64,fallocate,ftruncate:error=ENOSPC", "does not work"),
    ],
)
def test_a_database_whose_disk_fails_changes_nothing(
    file: str, inject: str, told: str, released_data: Path
) -> None:
    before = wiring.snapshot_file(released_data).read_bytes()
    line = refused(run_injected(inject, [*START, "--data", str(released_data)], released_data / file))
    assert told in line
    assert wiring.snapshot_file(released_data).read_bytes() == before
    assert succeed(released_data, "audit", "verify") == {"revision": 2, "vouched_for": 2, "faults": []}
    see_made_once(released_data)


@pytest.mark.parametrize(
    ("path", "inject", "told"),
    [
        ("snapshots/shards", "fsync:error=EIO", "Input/output error"),
        ("snapshots", "fsync:error=EIO", "Input/output error"),
        (None, "rename,renameat,renameat2:error=ENOSPC", "No space left on device"),
        (None, "rename,renameat,renameat2:error=EIO:when=2+", "Input/output error"),
        ("snapshots/.lock", "open,openat:error=EROFS", "Read-only file system"),
    ],
)
def test_a_change_whose_snapshot_cannot_be_written_is_told_and_mended_by_the_next_start(
    path: str | None, inject: str, told: str, released_data: Path
) -> None:
    place = None if path is None else released_data / path
    line = refused(run_injected(inject, [*START, "--data", str(released_data)], place))
    assert COMMITTED in line
    assert told in line
    assert served(released_data).revision in (2, 3)
    with controller(released_data):
        wait_until(lambda: served(released_data).revision == 3)
    see_made_once(released_data)


@pytest.mark.parametrize("spare_pages", [0, 8])
def test_on_a_full_disk_nothing_is_changed_until_there_is_room(spare_pages: int, released_data: Path) -> None:
    """Full at once, or in the midst of the change; by strace where no small disk can be had."""
    with small_disk(released_data) as is_mounted:
        if is_mounted:
            with filled(released_data, spare_pages):
                result = run(released_data, *START)
        else:
            inject = f"pwrite64:error=ENOSPC:when={spare_pages + 1}+"
            result = run_injected(inject, [*START, "--data", str(released_data)], released_data / "control.db-wal")
        assert "disk" in refused(result)
        assert served(released_data).revision == 2
        see_made_once(released_data)


def test_where_only_the_snapshots_disk_is_full_the_change_is_told_to_be_made(released_data: Path) -> None:
    snapshots = released_data / "snapshots"
    with small_disk(snapshots) as is_mounted:
        if is_mounted:
            with filled(snapshots, 0):
                result = run(released_data, *START)
        else:
            result = run_injected("rename:error=ENOSPC", [*START, "--data", str(released_data)])
        line = refused(result)
        assert COMMITTED in line
        assert "No space left on device" in line
        assert served(released_data).revision == 2
        see_made_once(released_data)

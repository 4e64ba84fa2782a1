"""`headrace export-static` on folders that change, and what it refuses."""

import fcntl
import signal
from pathlib import Path

import pytest

from tests.support.cli import fail, release, run, succeed
from tests.support.injection import run_injected
from tests.support.static_host import entries


@pytest.fixture
def data(released_data: Path) -> Path:
    """Two published builds, the first one released."""
    return released_data


@pytest.fixture
def exported(data: Path, tmp_path: Path) -> Path:
    """The export of it."""
    folder = tmp_path / "failover"
    succeed(data, "export-static", str(folder))
    return folder


def files(folder: Path) -> set[str]:
    """Every file of the export's tree."""
    tree = folder / "tree"
    return {str(path.relative_to(tree)) for path in tree.rglob("*") if path.is_file()}


def listed(folder: Path) -> set[str]:
    """Every file that the export's list names."""
    return {entry["file"] for entry in entries(folder) if entry["file"]}


def test_what_was_exported_is_told(data: Path, tmp_path: Path) -> None:
    told = succeed(data, "export-static", str(tmp_path / "failover"))
    tree = tmp_path / "failover" / "tree"
    sizes = [path.stat().st_size for path in tree.rglob("*") if path.is_file()]
    assert told["builds"] == 1
    assert told["urls"] == 3 * 4  # three files by version, stable, 1 and 1.0
    assert (told["files"], told["bytes"]) == (len(sizes), sum(sizes))
    text = run(data, "export-static", str(tmp_path / "failover"))
    assert "12 URLs of 1 builds" in text.stdout


def test_a_second_export_keeps_what_is_sound_mends_what_is_not_and_drops_what_is_gone(
    data: Path, exported: Path
) -> None:
    tree = exported / "tree"
    kept, damaged = tree / "sdk@1.0.0" / "sdk.js", tree / "br" / "sdk@1.0.0" / "sdk.js"
    before, sound = kept.stat(), damaged.read_bytes()
    damaged.write_bytes(sound[:-1])
    (tree / "sdk@0.9.0").mkdir()
    (tree / "sdk@0.9.0" / "sdk.js").write_text("old")
    release(data, "1.1.0")
    told = succeed(data, "export-static", str(exported))
    assert told["builds"] == 2
    assert damaged.read_bytes() == sound
    assert (kept.stat().st_ino, kept.stat().st_mtime_ns) == (before.st_ino, before.st_mtime_ns)
    assert files(exported) == listed(exported)
    assert not (tree / "sdk@0.9.0").exists()
    succeed(data, "block", "set", "sdk", "1.1.0", "--reason", "leaks")
    succeed(data, "export-static", str(exported))
    assert not any("1.1.0" in file for file in files(exported))
    assert files(exported) == listed(exported)


@pytest.mark.parametrize("damage", ["flip", "remove"])
def test_a_damaged_body_ends_the_export_and_the_list_stays_what_it_was(
    data: Path, exported: Path, damage: str
) -> None:
    before = (exported / "export.json").read_bytes()
    (exported / "tree" / "sdk@1.0.0" / "data.json").unlink()
    release(data, "1.1.0")
    for blob in (path for path in (data / "store" / "blobs").rglob("*") if path.is_file()):
        body = blob.read_bytes()
        if damage == "flip":
            blob.write_bytes(bytes([body[0] ^ 1]) + body[1:])
        else:
            blob.unlink()
    assert "missing or damaged: restore the blob" in fail(data, "export-static", str(exported), code=1)
    assert (exported / "export.json").read_bytes() == before


def test_a_first_export_that_fails_leaves_no_list_and_can_be_run_again(data: Path, tmp_path: Path) -> None:
    (tmp_path / "away").mkdir()
    blobs = data / "store" / "blobs"
    moved = blobs.rename(tmp_path / "away" / "blobs")
    fail(data, "export-static", str(tmp_path / "failover"), code=1)
    assert not (tmp_path / "failover" / "export.json").exists()
    moved.rename(blobs)
    succeed(data, "export-static", str(tmp_path / "failover"))
    assert files(tmp_path / "failover") == listed(tmp_path / "failover")


@pytest.mark.parametrize("at", ["tree/sdk@1.1.0", "tree/br/sdk@1.1.0", "tree/zstd/sdk@1.1.0"])
def test_an_export_that_is_killed_leaves_the_old_list_and_all_of_its_files(
    data: Path, exported: Path, at: str
) -> None:
    before, kept = (exported / "export.json").read_bytes(), listed(exported)
    release(data, "1.1.0")
    kill_export(data, exported, "mkdir", at)
    assert (exported / "export.json").read_bytes() == before
    assert kept <= files(exported)
    succeed(data, "export-static", str(exported))
    assert files(exported) == listed(exported) > kept


def test_an_export_that_is_killed_while_it_takes_files_away_has_the_new_list_and_all_of_its_files(
    data: Path, exported: Path
) -> None:
    release(data, "1.1.0")
    succeed(data, "export-static", str(exported))
    succeed(data, "block", "set", "sdk", "1.1.0", "--reason", "leaks")
    kill_export(data, exported, "unlink", "tree/sdk@1.1.0/sdk.js")
    assert not any("1.1.0" in file for file in listed(exported))
    assert listed(exported) < files(exported)
    succeed(data, "export-static", str(exported))
    assert files(exported) == listed(exported)


def kill_export(data: Path, folder: Path, call: str, file: str) -> None:
    """Run an export that is killed at this system call on this file or folder."""
    arguments = ["export-static", str(folder), "--data", str(data)]
    killed = run_injected(f"{call}:signal=SIGKILL", arguments, folder / file)
    assert killed.returncode == -signal.SIGKILL, killed.stderr


def test_a_folder_of_others_files_is_left_alone(data: Path, tmp_path: Path) -> None:
    mine = tmp_path / "mine"
    mine.mkdir()
    (mine / "thesis.txt").write_text("years of work")
    assert "holds other files" in fail(data, "export-static", str(mine), code=3)
    assert [path.name for path in mine.iterdir()] == ["thesis.txt"]
    assert "can't read" in fail(data, "export-static", str(mine / "thesis.txt"), code=1)


def test_two_exports_into_one_folder_take_turns(data: Path, exported: Path) -> None:
    with (exported / ".headrace-export").open() as mark:
        fcntl.flock(mark, fcntl.LOCK_EX)
        assert "another export" in fail(data, "export-static", str(exported), code=5)


def test_what_can_not_be_exported_is_named(data: Path, tmp_path: Path) -> None:
    folder = str(tmp_path / "failover")
    assert "'nope'" in fail(data, "export-static", folder, "--product", "nope", code=2)
    assert "no released build is in the range '^7'" in fail(data, "export-static", folder, "--range", "^7", code=2)
    assert "never move" in fail(data, "export-static", folder, "--range", "1.0.0", code=2)
    (data / "store" / "builds" / "sdk" / "1.0.0.json").unlink()
    assert "not in the store" in fail(data, "export-static", folder, code=1)
    (data / "snapshots" / "routing.json").unlink()
    assert "nothing was released" in fail(data, "export-static", folder, code=1)
    assert not Path(folder).exists()

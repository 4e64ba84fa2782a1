"""`headrace retire`, as a release engineer or a cron job runs it."""

import fcntl
import os
import shutil
import time
from pathlib import Path

import httpx
import pytest

from bundles.adapters.s3_bucket import S3Location
from tests.contract.conftest import s3_location, s3_server
from tests.support.cli import fail, publish, release, run, succeed
from tests.support.processes import origin

__all__ = ["s3_location", "s3_server"]


def age(data: Path, days: int) -> None:
    """Make all that was published until now so old."""
    then = time.time() - days * 86_400
    for path in (data / "store").rglob("*"):
        if path.is_file():
            os.utime(path, (then, then))


def contents(data: Path) -> dict[str, bytes]:
    files = (path for path in data.rglob("*") if path.is_file() and not path.name.startswith("control.db-"))
    return {str(path): path.read_bytes() for path in files}


@pytest.fixture(scope="module")
def retirable(released_once: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Builds of four months ago, of which 1.0.0 and 1.0.1 were followed by the stable 1.1.0; 1.0.2 is of today.

    To be copied, not changed.
    """
    folder = tmp_path_factory.mktemp("retirable")
    shutil.copytree(released_once, folder, dirs_exist_ok=True)
    publish(folder / "data", folder, "1.0.1")
    for version in ("1.0.1", "1.1.0"):
        release(folder / "data", version)
    age(folder / "data", 120)
    publish(folder / "data", folder, "1.0.2")
    return folder


@pytest.fixture
def data(retirable: Path, tmp_path: Path) -> Path:
    """A data folder of the test's own with these builds."""
    shutil.copytree(retirable, tmp_path, dirs_exist_ok=True)
    return tmp_path / "data"


def test_it_is_shown_first_and_done_only_when_told(data: Path, tmp_path: Path) -> None:
    before = contents(data)
    shown = succeed(data, "retire", "sdk", "--keep", "1")
    assert contents(data) == before
    verdicts = [(build["version"], build["verdict"], build["reason"]) for build in shown["builds"]]
    assert verdicts == [
        ("1.1.0", "keep", "the stable build of channel stable"),
        ("1.0.2", "keep", "published 0 days ago"),
        ("1.0.1", "keep", "a build that channel stable may be rolled back to"),
        ("1.0.0", "retire", "published 120 days ago and needed by nothing"),
    ]
    assert not shown["applied"]
    assert shown["removed_blobs"] > 0
    done = succeed(data, "retire", "sdk", "--keep", "1", "--apply", "--reason", "quarterly")
    assert done == {**shown, "applied": True}
    gone = {Path(name) for name in before.keys() - contents(data).keys()}
    assert data / "store" / "builds" / "sdk" / "1.0.0.json" in gone
    removed = [len(before[str(path)]) for path in gone if "blobs" in path.parts]
    assert (shown["removed_blobs"], shown["removed_bytes"]) == (len(removed), sum(removed))
    assert all(each["damages"] == [] and not each["fault"] for each in succeed(data, "verify", "sdk"))
    assert "no build sdk@1.0.0" in fail(data, "verify", "sdk", "1.0.0", code=2)
    again = ["--product", "sdk", "--version", "1.0.0"]
    assert "sdk@1.0.0 was retired" in fail(data, "publish", str(tmp_path / "sdk-1.0.0"), *again, code=3)


def test_text_for_people(data: Path) -> None:
    shown = run(data, "retire", "--keep", "1")
    assert shown.returncode == 0
    assert "sdk@1.0.0  20" in shown.stdout
    assert "retire   published 120 days ago and needed by nothing" in shown.stdout
    assert shown.stdout.splitlines()[-1].startswith("1 builds to retire, ")
    assert shown.stdout.splitlines()[-1].endswith(" to remove: nothing was changed, --apply does it")
    done = run(data, "retire", "--keep", "1", "--apply")
    assert done.stdout.splitlines()[-1].startswith("1 builds retired, ")


def test_by_default_the_last_ten_and_all_of_ninety_days_stay(data: Path) -> None:
    assert {build["verdict"] for build in succeed(data, "retire", "--apply")["builds"]} == {"keep"}
    assert {
        build["verdict"] for build in succeed(data, "retire", "--keep", "1", "--older-than", "121d")["builds"]
    } == {"keep"}


@pytest.mark.parametrize(
    ("arguments", "code", "why"),
    [
        (["sdk", "1.1.0"], 3, "nothing is retired: 1.1.0 is the stable build of channel stable"),
        (["sdk", "1.0.2", "1.1.0", "--apply"], 3, "1.1.0 is the stable build of channel stable"),
        (["sdk", "1.0.0", "--apply"], 3, "1.0.0 is a build that channel stable may be rolled back to"),
        (["sdk", "9.9.9", "--apply"], 2, "there is no build sdk@9.9.9"),
        (["sdk", "one"], 2, "'one' is not a version"),
        (["nope"], 2, "no product matches 'nope'; known are sdk"),
        (["s*", "1.0.0"], 2, "'s*' is not a product name"),
        (["--older-than", "soon"], 2, "'soon' is not a duration"),
    ],
)
def test_what_is_needed_or_unknown_is_told_in_one_line_and_nothing_changes(
    data: Path, arguments: list[str], code: int, why: str
) -> None:
    before = contents(data)
    assert why in fail(data, "retire", *arguments, code=code)
    assert contents(data) == before


def test_a_pinned_build_and_a_candidate_stay(data: Path) -> None:
    succeed(data, "pin", "set", "acme", "sdk", "1.0.0")
    succeed(data, "rollout", "start", "sdk", "1.0.2")
    keep = ["--keep", "1", "--older-than", "0s"]
    verdicts = {build["version"]: build["reason"] for build in succeed(data, "retire", *keep)["builds"]}
    assert verdicts["1.0.0"] == "the build that acme~production is pinned to"
    assert verdicts["1.0.2"] == "the candidate of the rollout on channel stable"
    assert "1.0.0 is the build that acme~production is pinned to" in fail(
        data, "retire", "sdk", "1.0.0", *keep, "--apply", code=3
    )


def test_a_build_that_is_named_goes_whatever_its_age(data: Path) -> None:
    done = succeed(data, "retire", "sdk", "1.0.2", "--apply")
    assert [(build["version"], build["reason"]) for build in done["builds"]] == [("1.0.2", "named")]
    assert done["removed_blobs"] == 0, "blobs of today stay for a day"
    again = succeed(data, "retire", "sdk", "1.0.2", "--apply")
    assert (again["builds"], again["retired_already"]) == ([], ["sdk@1.0.2"])


def test_a_products_last_build_is_retired_twice_and_the_second_time_says_so(data: Path, tmp_path: Path) -> None:
    publish(data, tmp_path, "1.0.0", product="old")
    for words in ("1 builds retired", "old@1.0.0 is retired already"):
        done = run(data, "retire", "old", "1.0.0", "--apply")
        assert (done.returncode, done.stderr) == (0, "")
        assert words in done.stdout


def test_while_a_publish_runs_it_is_a_conflict(data: Path) -> None:
    before = contents(data)
    with (data / "store" / ".lock").open() as lock:
        fcntl.flock(lock, fcntl.LOCK_SH)
        assert "try again once it is done" in fail(data, "retire", "--keep", "1", "--apply", code=5)
        assert succeed(data, "retire", "--keep", "1")["removed_blobs"] > 0
    assert contents(data) == before


def test_an_origin_that_has_the_build_in_memory_answers_404_too(data: Path) -> None:
    with origin(data) as process, httpx.Client(base_url=process.url) as client:
        assert client.get("/sdk@1.0.0/sdk.js").status_code == 200
        succeed(data, "retire", "sdk", "--keep", "1", "--apply")
        deadline = time.monotonic() + 30
        while (gone := client.get("/sdk@1.0.0/sdk.js")).status_code == 200:
            assert time.monotonic() < deadline, "the origin goes on serving a retired build"
            time.sleep(0.1)
        assert (gone.status_code, gone.text) == (404, "sdk@1.0.0 was retired\n")
        assert "immutable" not in gone.headers["cache-control"]
        assert client.get("/sdk@1.0.1/sdk.js").status_code == 200
        assert client.get("/t/acme/sdk.json").json()["version"] == "1.1.0"
        assert client.get("/sdk@~1.0/sdk.js").headers["location"] == "/sdk@1.0.1/sdk.js"


def test_builds_in_s3_are_retired_in_the_same_way(
    s3_location: S3Location, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = f"s3://{s3_location.bucket}/builds?endpoint={s3_location.endpoint}&region=us-east-1"
    monkeypatch.setenv("HEADRACE_STORE", place)
    data = tmp_path / "data"
    for version in ("1.0.0", "1.0.1"):
        publish(data, tmp_path, version)
    release(data, "1.0.1")
    done = succeed(data, "retire", "sdk", "1.0.0", "--apply")
    assert (done["builds"][0]["verdict"], done["removed_blobs"]) == ("retire", 0)
    assert [each["version"] for each in succeed(data, "verify", "sdk")] == ["1.0.1"]
    again = ["--product", "sdk", "--version", "1.0.0"]
    assert "sdk@1.0.0 was retired" in fail(data, "publish", str(tmp_path / "sdk-1.0.0"), *again, code=3)

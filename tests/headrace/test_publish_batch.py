"""Many small builds in one run: each line is told what became of it, and a broken run is finished later."""

import hashlib
import json
import subprocess
import tarfile
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import httpx
import pytest

from bundles.batch import MAX_BUILD_BYTES
from tests.support.cli import HEADRACE, environment, fail, release, run, succeed, write_build
from tests.support.processes import origin

MANY = 500
Line = dict[str, str]


def bundle(folder: Path, number: int, text: str = "soup") -> Line:
    """A tenant's small bundle in the folder, and its line for the list beside it."""
    write_build(folder / str(number), {"menu.json": json.dumps({"dish": text, "tenant": number}) + " " * 200})
    return {"product": f"@t{number}/menu", "version": "1.0.0", "files": str(number)}


def write_list(folder: Path, lines: Iterable[Line | str]) -> Path:
    listing = folder / "list.jsonl"
    listing.write_text("".join((line if isinstance(line, str) else json.dumps(line)) + "\n" for line in lines))
    return listing


def batch(data: Path, listing: Path, *arguments: str, code: int = 0) -> dict[int, dict[str, Any]]:
    """Publish the list with --json. Each outcome by its line's number; every line has exactly one."""
    result = run(data, "publish-batch", str(listing), "--json", *arguments)
    assert result.returncode == code, result.stderr
    outcomes = [json.loads(line) for line in result.stdout.splitlines()]
    by_line = {outcome["line"]: outcome for outcome in outcomes}
    assert len(by_line) == len(outcomes)
    return by_line


def states(outcomes: dict[int, dict[str, Any]]) -> list[str]:
    return [outcomes[number]["state"] for number in sorted(outcomes)]


def stored(data: Path) -> dict[Path, int]:
    return {path: path.stat().st_mtime_ns for path in (data / "store").rglob("*") if path.is_file()}


@pytest.fixture
def data(tmp_path: Path) -> Path:
    return tmp_path / "data"


def test_what_is_wrong_with_one_line_stops_no_other(data: Path, tmp_path: Path) -> None:
    write_build(tmp_path / "leak", {".env": "TOKEN=1"})
    write_build(tmp_path / "large", {"huge.bin": b"\0" * (MAX_BUILD_BYTES + 1)})
    (tmp_path / "empty").mkdir()
    bad: dict[str, tuple[str, str]] = {
        "{": ("invalid", "truncated"),
        "[]": ("invalid", "Expected `object`"),
        "\xff": ("invalid", "malformed"),
        json.dumps({"product": "@t/a", "version": "1.0.0"}): ("invalid", "missing required field `files`"),
        json.dumps({"product": "@t/a", "version": "1.0.0", "files": "0", "fils": "1"}): ("invalid", "`fils`"),
        json.dumps({"product": "@T/a", "version": "1.0.0", "files": "0"}): ("invalid", "is not a product name"),
        json.dumps({"product": "@t/a", "version": "1", "files": "0"}): ("invalid", "version"),
        json.dumps({"product": "@t/a", "version": "1.0.0", "files": "no"}): ("invalid", "neither a folder nor"),
        json.dumps({"product": "@t/a", "version": "1.0.0", "files": "empty"}): ("invalid", "has no files"),
        json.dumps({"product": "@t/a", "version": "1.0.0", "files": "\0"}): ("invalid", "names a folder"),
        json.dumps({"product": "@t/a", "version": "1.0.0", "files": ""}): ("invalid", "names a folder"),
        json.dumps({"product": "@t/a", "version": "1.0.0", "files": "/etc"}): ("invalid", "leaves the list's"),
        json.dumps({"product": "@t/a", "version": "1.0.0", "files": "0/../../x"}): ("invalid", "without '..'"),
        json.dumps({"product": "@t/a", "version": "1.0.0", "files": "x" * 300}): ("invalid", "File name too long"),
        json.dumps({"product": "@t/a", "version": "1.0.0", "files": "large"}): ("invalid", "publish it by itself"),
        json.dumps({"product": "@t/a", "version": "1.0.0", "files": "leak"}): ("refused", "secret"),
    }
    lines: list[Line | str] = []
    for number, line in enumerate(bad):
        lines += [bundle(tmp_path, number), line]
    outcomes = batch(data, write_list(tmp_path, lines), code=3)
    assert len(outcomes) == len(lines)
    for number, (state, error) in enumerate(bad.values()):
        good, faulty = outcomes[2 * number + 1], outcomes[2 * number + 2]
        assert (good["state"], good["product"], good["error"]) == ("created", f"@t{number}/menu", None)
        assert faulty["state"] == state
        assert error in faulty["error"]
    assert all(not build["damages"] for build in succeed(data, "verify", "@t3/menu"))
    assert "there is no build of '@t/a'" in fail(data, "verify", "@t/a", code=2)


def test_a_second_run_changes_nothing_and_says_so(data: Path, tmp_path: Path) -> None:
    listing = write_list(tmp_path, (bundle(tmp_path, number) for number in range(30)))
    assert Counter(states(batch(data, listing))) == {"created": 30}
    before = stored(data)
    assert Counter(states(batch(data, listing))) == {"unchanged": 30}
    assert stored(data) == before
    bundle(tmp_path, 7, "salad")
    outcomes = batch(data, listing, code=3)
    assert Counter(states(outcomes)) == {"unchanged": 29, "refused": 1}
    assert "@t7/menu@1.0.0 is already published with other contents" in outcomes[8]["error"]
    assert stored(data) == before


def test_a_second_run_mends_what_was_damaged(data: Path, tmp_path: Path) -> None:
    listing = write_list(tmp_path, (bundle(tmp_path, number) for number in range(3)))
    batch(data, listing)
    digest = hashlib.sha256((tmp_path / "1/menu.json").read_bytes()).hexdigest()
    (data / "store" / "blobs" / digest[:2] / digest).unlink()
    assert states(batch(data, listing)) == ["unchanged", "mended", "unchanged"]
    assert states(batch(data, listing)) == ["unchanged"] * 3
    assert run(data, "verify", "@t1/menu").returncode == 0


def test_budgets_secrets_source_maps_and_provenance_are_as_with_publish(data: Path, tmp_path: Path) -> None:
    lines = [bundle(tmp_path, number) for number in range(2)]
    write_build(tmp_path / "0", {"key.txt": "sk" + "_live_" + "a1" * 12, "a.css.map": "{}"})
    write_build(tmp_path / "1", {"key.txt": "", "a.css.map": "{}"})
    listing = write_list(tmp_path, lines)
    outcomes = batch(data, listing, "--allow-secret", "key.txt", "--budget", "*.json=10B", code=3)
    assert states(outcomes) == ["refused", "refused"]
    assert "menu.json has" in outcomes[1]["error"]
    (tmp_path / "lock").write_text("of all")
    made = [
        "--commit",
        "c" * 40,
        "--source-repository",
        "https://example.org/content",
        "--builder",
        "https://ci.example",
    ]
    made += ["--input", str(tmp_path / "lock"), "--sbom", "https://example.org/sbom"]
    outcomes = batch(data, listing, "--allow-secret", "key.txt", "--source-maps", "--budget", "*.json=+5%", *made)
    assert states(outcomes) == ["created", "created"]
    assert [outcome["unmeasured"][0]["budget"] for outcome in outcomes.values()] == ["*.json=+5%"] * 2
    recorded = succeed(data, "provenance", "@t1/menu", "1.0.0")["recorded"]
    assert recorded["source"] == {"repository": "https://example.org/content", "commit": "c" * 40}
    assert ([given["name"] for given in recorded["inputs"]], recorded["builder"]) == (
        ["lock"],
        "https://ci.example",
    )
    assert recorded["sbom"]["url"] == "https://example.org/sbom"
    assert succeed(data, "verify", "@t0/menu")[0]["files"] == 3
    text = run(data, "publish-batch", str(listing), "--source-maps", "--budget", "*.json=+5%")
    assert "2 builds have a growth budget that was not measured: --json says why" in text.stdout
    release(data, "1.0.0", product="@t0/menu")
    bundle(tmp_path, 0, "a much longer dish than soup")
    grown = write_list(tmp_path, [{**lines[0], "version": "1.0.1"}])
    options = ["--allow-secret", "key.txt", "--budget", "*.json=+5%"]
    assert "over its budget of 5% more" in batch(data, grown, *options, code=3)[1]["error"]
    assert (
        "channel nxt of @t0/menu has no build"
        in batch(data, grown, *options, "--channel", "nxt", code=2)[1]["error"]
    )


def test_an_archive_is_an_input_of_its_own_build(data: Path, tmp_path: Path) -> None:
    bundle(tmp_path, 0)
    with tarfile.open(tmp_path / "menu.tgz", "w:gz") as archive:
        archive.add(tmp_path / "0" / "menu.json", "menu.json")
    line = {"product": "@t0/menu", "version": "1.0.0", "files": "menu.tgz"}
    assert states(batch(data, write_list(tmp_path, [line]))) == ["created"]
    recorded = succeed(data, "provenance", "@t0/menu", "1.0.0")["recorded"]
    assert [given["name"] for given in recorded["inputs"]] == ["menu.tgz"]


def test_a_build_that_is_listed_twice_is_made_once(data: Path, tmp_path: Path) -> None:
    once, other = bundle(tmp_path, 1), bundle(tmp_path, 2, "salad")
    outcomes = batch(data, write_list(tmp_path, [once] * 8))
    assert Counter(states(outcomes)) == {"created": 1, "unchanged": 7}
    twice = [{**once, "version": "2.0.0"}, {**other, "product": once["product"], "version": "2.0.0"}]
    assert Counter(states(batch(data, write_list(tmp_path, twice), code=3))) == {"created": 1, "refused": 1}


def test_a_run_that_is_killed_is_finished_by_the_same_list(data: Path, tmp_path: Path) -> None:
    listing = write_list(tmp_path, (bundle(tmp_path, number) for number in range(MANY)))
    command: list[str | Path] = [HEADRACE, "publish-batch", listing, "--json"]
    with subprocess.Popen(command, env=environment(data), stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        told = [json.loads(process.stdout.readline()) for _ in range(MANY // 10)]
        process.kill()
    assert Counter(outcome["state"] for outcome in told) == {"created": MANY // 10}
    outcomes = batch(data, listing)
    counts = Counter(states(outcomes))
    assert set(outcomes) == set(range(1, MANY + 1))
    assert counts["created"] > 0
    assert counts["created"] + counts["unchanged"] == MANY
    assert all(outcomes[outcome["line"]]["state"] == "unchanged" for outcome in told)
    with origin(data) as process_of_origin, httpx.Client(base_url=process_of_origin.url) as client:
        for number in range(MANY):
            assert client.get(f"/@t{number}/menu@1.0.0/menu.json").json() == {"dish": "soup", "tenant": number}


def test_a_tenants_key_publishes_its_own_lines_alone(data: Path, tmp_path: Path) -> None:
    key = tmp_path / "t1.pem"
    public = succeed(data, "keys", "create", str(key))["public"]
    succeed(data, "keys", "trust", public, "--scope", "@t1")
    lines = [bundle(tmp_path, number) for number in range(3)]
    outcomes = batch(data, write_list(tmp_path, lines), "--key", str(key), code=3)
    assert states(outcomes) == ["refused", "created", "refused"]
    assert "may not sign @t0/menu: it is trusted for products of @t1 alone" in outcomes[1]["error"]


def test_a_person_reads_the_first_faults_and_the_counts(data: Path, tmp_path: Path) -> None:
    lines: list[Line | str] = [bundle(tmp_path, 0), *(["", "  "] + ["no JSON"] * 25)]
    result = run(data, "publish-batch", str(write_list(tmp_path, lines)))
    assert result.returncode == 2
    text = result.stdout.splitlines()
    assert sum(line.startswith("line ") and ": invalid: " in line for line in text) == 20
    assert text[0].startswith("line 4: invalid: JSON is malformed")
    assert text[-2:] == [
        "and 5 more: --json has each of them",
        "1 created, 0 unchanged, 0 mended, 25 invalid, 0 refused, 0 failed",
    ]
    assert result.stderr == ""


def test_a_store_that_does_not_work_is_given_up_soon(data: Path, tmp_path: Path) -> None:
    (data / "store").mkdir(parents=True)
    (data / "store" / "builds").write_text("no folder")
    listing = write_list(tmp_path, (bundle(tmp_path, number) for number in range(100)))
    result = run(data, "publish-batch", str(listing), "--json")
    assert result.returncode == 1
    told = [json.loads(line) for line in result.stdout.splitlines()]
    assert {outcome["state"] for outcome in told} == {"failed"}
    assert 20 <= len(told) < 40
    (line,) = result.stderr.splitlines()
    assert "failures in a row, the last: can't write" in line


def test_what_is_no_list_is_told(data: Path, tmp_path: Path) -> None:
    for place in (tmp_path, tmp_path / "nowhere"):
        assert "is no file: name a list of builds" in fail(data, "publish-batch", str(place), code=2)
    outcomes = batch(data, write_list(tmp_path, ["x" * 50_000, bundle(tmp_path, 1)]), code=2)
    assert states(outcomes) == ["invalid", "created"]
    assert "longer than 16384 bytes" in outcomes[1]["error"]
    assert batch(data, write_list(tmp_path, [])) == {}

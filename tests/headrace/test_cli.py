"""The command line: payloads, exit codes, one clear line for each mistake, and nothing half-written."""

import json
import os
import re
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import typer

from headrace.cli import app
from tests.support.cli import HEADRACE, environment, fail, publish, release, run, succeed, write_build
from tests.support.processes import controller


@pytest.fixture
def data(tmp_path: Path) -> Path:
    return tmp_path / "data"


@pytest.fixture
def dist(tmp_path: Path) -> Path:
    return write_build(tmp_path / "dist", {"sdk.js": "console.log(1);\n" * 30})


@pytest.fixture(scope="module")
def released(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data folder with a released build and a newer one. Tests that use it must be refused."""
    folder = tmp_path_factory.mktemp("cli")
    publish(folder / "data", folder, "1.0.0")
    publish(folder / "data", folder, "1.1.0")
    release(folder / "data", "1.0.0")
    return folder / "data"


@pytest.fixture
def unchanged(released: Path) -> Iterator[Path]:
    """The released data folder, which is as it was when the test ends."""
    before = contents(released)
    yield released
    assert contents(released) == before


def contents(folder: Path) -> dict[str, bytes]:
    """Every file that holds state; SQLite's own journals come and go."""
    files = (path for path in folder.rglob("*") if path.is_file() and not path.name.startswith("control.db-"))
    return {str(path): path.read_bytes() for path in files}


def test_the_walk_of_a_release(data: Path, tmp_path: Path) -> None:
    publish(data, tmp_path, "1.0.0")
    publish(data, tmp_path, "1.1.0")
    release(data, "1.0.0")
    started = succeed(
        data, "rollout", "start", "sdk", "1.1.0", "--canary", "acme", "--stages", "staging,canary,100"
    )
    assert started["rollout"]["candidate"] == "1.1.0"
    assert [stage["name"] for stage in started["rollout"]["stages"]] == ["staging", "canary", "100%"]
    assert succeed(data, "why", "acme", "sdk", "--environment", "staging")["reason"] == "staging"
    assert succeed(data, "why", "acme", "sdk")["version"] == "1.0.0"
    assert succeed(data, "rollout", "promote", "sdk")["rollout"]["stage"] == 1
    assert succeed(data, "why", "acme", "sdk")["reason"] == "canary"
    assert succeed(data, "rollout", "pause", "sdk")["rollout"]["progress"] == "paused"
    assert succeed(data, "rollout", "resume", "sdk")["rollout"]["progress"] == "running"
    assert succeed(data, "rollout", "abort", "sdk")["rollout"] is None
    release(data, "1.1.0")
    assert succeed(data, "pin", "set", "acme", "sdk", "1.0.0", "--reason", "tested")["target"] == "1.0.0"
    why = succeed(data, "why", "acme", "sdk")
    assert (why["version"], why["reason"], why["rule"]) == ("1.0.0", "pin", "pinned to 1.0.0 by sam: tested")
    assert [pin["tenant"] for pin in succeed(data, "pin", "list", "sdk")] == ["acme"]
    rolled_back = succeed(data, "rollback", "sdk", "--reason", "errors")
    assert (rolled_back["stable"], rolled_back["earlier"]) == ("1.0.0", [])
    assert succeed(data, "rollout", "status", "sdk") == rolled_back
    assert succeed(data, "pin", "clear", "acme", "sdk")["tenant"] == "acme"
    assert succeed(data, "pin", "list", "sdk") == []
    assert succeed(data, "block", "set", "sdk", "1.1.0", "--reason", "leaks")["version"] == "1.1.0"
    assert [block["reason"] for block in succeed(data, "block", "list", "sdk")] == ["leaks"]
    assert fail(data, "rollout", "start", "sdk", "1.1.0", code=3).endswith("publish a mended build")
    assert succeed(data, "block", "clear", "sdk", "1.1.0")["version"] == "1.1.0"


def test_text_for_people(data: Path, tmp_path: Path) -> None:
    publish(data, tmp_path, "1.0.0")
    again = run(data, "publish", str(tmp_path / "sdk-1.0.0"), "--product", "sdk", "--version", "1.0.0")
    assert again.stdout.startswith("already published, nothing changed: sdk@1.0.0")
    assert re.search(r"sdk\.js +\d+ +\d+ +\d+ +\d+ +sha384-", again.stdout)
    release(data, "1.0.0")
    publish(data, tmp_path, "1.1.0")
    started = run(data, "rollout", "start", "sdk", "1.1.0", "--bake", "1h")
    assert "rollout: 1.1.0 running: (staging) > canary > 5% > 25% > 50% > 100% > done" in started.stdout
    assert "promoted by the controller at 20" in started.stdout
    assert "acme is pinned to sdk@^1.0" in run(data, "pin", "set", "acme", "sdk", "^1.0").stdout
    assert "acme    production   ^1.0       never    sam" in run(data, "pin", "list", "sdk").stdout
    why = run(data, "why", "acme", "sdk").stdout
    assert "acme (production) gets sdk@1.0.0" in why
    assert "because: pinned to ^1.0 by sam [pin]" in why
    assert "bucket: 0." in run(data, "why", "globex", "sdk").stdout


def test_publishing_does_not_change_what_is_served(data: Path, tmp_path: Path) -> None:
    publish(data, tmp_path, "1.0.0")
    release(data, "1.0.0")
    before = succeed(data, "why", "acme", "sdk")
    publish(data, tmp_path, "2.0.0")
    assert succeed(data, "why", "acme", "sdk") == before


def test_an_expired_pin_says_so(data: Path, tmp_path: Path) -> None:
    publish(data, tmp_path, "1.0.0")
    release(data, "1.0.0")
    pinned = succeed(data, "pin", "set", "acme", "sdk", "1.0.0", "--until", "2999-01-31")
    assert pinned["expires_at"] == "2999-01-31T00:00:00+00:00"
    assert succeed(data, "why", "acme", "sdk")["next_change"] == "2999-01-31T00:00:00+00:00"


PUBLISH = ["--product", "sdk", "--version", "1.0.0"]


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        (["dist", "--product", "sdk", "--version", "1.0"], "'1.0' is not a version"),
        (["dist", "--product", "sdk", "--version", "v1.0.0"], "'v1.0.0' is not a version"),
        (["dist", "--product", "sdk", "--version", "1.0.0+5"], "publish it as 1.0.0"),
        (["dist", "--product", "../sdk", "--version", "1.0.0"], "'../sdk' is not a product name"),
        (["dist", "--product", "SDK", "--version", "1.0.0"], "'SDK' is not a product name"),
        (["nowhere", *PUBLISH], "nowhere is neither a folder nor an archive"),
        (["dist/sdk.js", *PUBLISH], "is neither a folder nor a tar, tar.gz or zip archive"),
        (["empty", *PUBLISH], "has no files"),
        (["linked", *PUBLISH], "link out of the directory"),
        (["dist", "--include", "../dist/sdk.js", *PUBLISH], "segment"),
        (["dist", "--include", "/etc/passwd", *PUBLISH], "absolute"),
        (["dist", "--include", "nope.js", *PUBLISH], "no such file or folder"),
    ],
)
def test_what_can_not_be_published_is_told_in_one_line_and_leaves_nothing(
    data: Path, dist: Path, tmp_path: Path, arguments: list[str], why: str
) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "linked").mkdir()
    (tmp_path / "linked" / "a.js").symlink_to("/etc/passwd")
    assert dist.is_dir()
    assert why in fail(data, "publish", *arguments, code=2, cwd=tmp_path)
    assert not data.exists()


def test_a_version_published_with_other_bytes_is_refused_and_nothing_changes(data: Path, dist: Path) -> None:
    succeed(data, "publish", str(dist), *PUBLISH)
    before = contents(data)
    assert succeed(data, "publish", str(dist), *PUBLISH)["created"] is False
    (dist / "sdk.js").write_text("other")
    assert "a build is immutable" in fail(data, "publish", str(dist), *PUBLISH, code=3)
    assert contents(data) == before


@pytest.mark.parametrize(
    ("arguments", "code", "why"),
    [
        ("rollout start nope 1.0.0", 2, "unknown product 'nope'; known are sdk"),
        ("rollout start sdk 9.0.0", 2, "no build sdk@9.0.0; the newest published are: 1.1.0, 1.0.0"),
        ("rollout start sdk one", 2, "'one' is not a version"),
        ("rollout start sdk 1.0.0", 3, "is the stable build already"),
        ("rollout start sdk 1.1.0 --stages 5,25", 2, "last stage must be 100"),
        ("rollout start sdk 1.1.0 --stages 50,5,100", 2, "must grow"),
        ("rollout start sdk 1.1.0 --bake soon", 2, "'soon' is not a duration"),
        ("rollout start sdk 1.1.0 --canary a/b", 2, "'a/b' is not a tenant id"),
        ("rollout start sdk 1.1.0 --channel Stable", 2, "'Stable' is not a channel"),
        ("rollout start sdk 1.1.0 --expect-revision 1", 5, "at revision 2, not 1"),
        ("rollout promote sdk", 3, "no live rollout"),
        ("rollout pause sdk", 3, "no live rollout"),
        ("rollout resume sdk", 3, "no live rollout"),
        ("rollout abort sdk", 3, "no live rollout"),
        ("rollout status nope", 2, "unknown product 'nope'"),
        ("rollout status sdk --channel next", 2, "sdk has no channel 'next'"),
        ("rollback sdk", 3, "no earlier stable build"),
        ("rollback sdk --to 1.1.0", 3, "is no stable build that this channel can go back to"),
        ("rollback nope", 2, "unknown product 'nope'"),
        ("pin set acme nope 1.0.0", 2, "unknown product 'nope'"),
        ("pin set acme nope ^1", 2, "unknown product 'nope'"),
        ("pin set acme sdk 9.9.9", 2, "no build sdk@9.9.9"),
        ("pin set acme sdk ^9", 3, "no released build of sdk satisfies '^9'"),
        ("pin set acme sdk latest", 2, "'latest' is not a range"),
        ("pin set acme~dev sdk 1.0.0", 2, "'acme~dev' is not a tenant id"),
        ("pin set acme sdk 1.0.0 --until 2001-01-01", 2, "expired already"),
        ("pin set acme sdk 1.0.0 --until tomorrow", 2, "'tomorrow' is no time"),
        ("pin set acme sdk 1.0.0 --environment PROD", 2, "'PROD' is not an environment"),
        ("pin clear acme sdk", 2, "acme has no pin on sdk in production"),
        ("pin list nope", 2, "unknown product 'nope'"),
        ("block set sdk 9.9.9", 2, "no build sdk@9.9.9"),
        ("block clear sdk 1.0.0", 2, "sdk@1.0.0 is not blocked"),
        ("block list nope", 2, "unknown product 'nope'"),
        ("why acme nope", 2, "unknown product 'nope'"),
        ("why acme sdk --channel ^1", 2, "'^1' is not a channel"),
    ],
)
def test_a_mistake_is_one_line_the_right_code_and_no_change(
    unchanged: Path, arguments: str, code: int, why: str
) -> None:
    assert why in fail(unchanged, *arguments.split(), code=code)


@pytest.mark.parametrize("text", ["na\udcffve", "two\nlines", "\x1b[31m", "x" * 501])
def test_a_reason_that_could_not_be_kept_or_shown_is_refused(unchanged: Path, text: str) -> None:
    for verb in (["rollback", "sdk"], ["pin", "set", "acme", "sdk", "1.0.0"], ["block", "set", "sdk", "1.1.0"]):
        assert "a reason is one line" in fail(unchanged, *verb, "--reason", text, code=2)
    assert "an actor's name is one line" in fail(unchanged, "rollback", "sdk", "--actor", text, code=2)


def test_words_that_are_missing_or_unknown_are_usage_errors(tmp_path: Path) -> None:
    for arguments in (["publish"], ["nope"], ["rollout", "start", "sdk"], ["why", "a", "b", "--wat"]):
        result = run(tmp_path / "data", *arguments)
        assert result.returncode == 2
        assert result.stdout == ""
        assert "Traceback" not in result.stderr
    assert "'rollback'" in run(tmp_path / "data", "rolback").stderr


@pytest.mark.parametrize("damage", [b"this is no database" * 100, b"SQLite format 3\x00" + b"\xff" * 5000])
def test_a_broken_database_is_told_and_left_as_it_is(data: Path, dist: Path, damage: bytes) -> None:
    succeed(data, "publish", str(dist), *PUBLISH)
    (data / "control.db").write_bytes(damage)
    for verb in (["rollout", "start", "sdk", "1.0.0"], ["rollout", "status", "sdk"], ["rollback", "sdk"]):
        line = fail(data, *verb, code=1)
        assert "the control database" in line
        assert "mend the database or restore a backup" in line
    assert (data / "control.db").read_bytes() == damage


def test_a_database_that_is_a_folder_is_told(data: Path, dist: Path) -> None:
    succeed(data, "publish", str(dist), *PUBLISH)
    (data / "control.db").mkdir()
    assert "control database" in fail(data, "rollout", "status", "sdk", code=1)


def test_a_port_in_use_is_told(data: Path, dist: Path) -> None:
    succeed(data, "publish", str(dist), *PUBLISH)
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        line = fail(data, "serve", "--port", port, "--probe-port", "0", code=1)
        assert f"can't listen on 127.0.0.1:{port}" in line
        assert "choose another" in line
        assert port in fail(data, "serve", "--port", "0", "--probe-port", port, code=1)


def test_serve_tells_where_it_listens(released: Path) -> None:
    process = subprocess.Popen(
        [HEADRACE, "serve", "--port", "0", "--probe-port", "0", "--json"],
        env=environment(released),
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    assert process.stdout is not None
    listening = json.loads("".join(process.stdout.readline() for _ in range(4)))
    assert httpx.get(f"{listening['origin']}/sdk@1.0.0/sdk.js").status_code == 200
    assert httpx.get(f"{listening['probes']}/readyz").status_code == 200
    process.terminate()
    process.communicate(timeout=60)
    assert process.returncode == 0


def test_the_controller_tells_each_promotion(data: Path, tmp_path: Path) -> None:
    publish(data, tmp_path, "1.0.0")
    succeed(data, "rollout", "start", "sdk", "1.0.0", "--stages", "100", "--bake", "0s")
    process = subprocess.Popen(
        [HEADRACE, "controller", "--interval", "0.1", "--json"],
        env=environment(data),
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    assert process.stdout is not None
    told = "".join(iter(process.stdout.readline, "}\n")) + "}"
    assert (json.loads(told)["stable"], json.loads(told)["rollout"]) == ("1.0.0", None)
    process.terminate()
    process.communicate(timeout=60)
    assert process.returncode == 0


def test_an_address_that_is_not_ours_is_told(data: Path, dist: Path) -> None:
    succeed(data, "publish", str(dist), *PUBLISH)
    for host in ("192.0.2.1", "not a host"):
        assert f"can't listen on {host}" in fail(
            data, "serve", "--host", host, "--port", "0", "--open-to-all", code=1
        )


def test_an_origin_without_keys_says_what_to_do(data: Path) -> None:
    assert "publish a build there first" in fail(data, "serve", "--port", "0", code=1)
    assert "publish a build there first" in fail(data, "why", "acme", "sdk", code=1)
    assert not data.exists()


def test_a_data_folder_that_is_a_file_is_told(tmp_path: Path, dist: Path) -> None:
    (tmp_path / "data").write_text("")
    assert "data/keys/trusted: Not a directory" in fail(tmp_path / "data", "publish", str(dist), *PUBLISH, code=1)


def test_a_controller_stops_when_it_is_asked_to(released: Path) -> None:
    with controller(released) as process:
        pass
    assert process.log[-1]["event"] == "controller stopped"


def test_a_reader_that_leaves_early_is_no_fault(released: Path) -> None:
    read_end, write_end = os.pipe()
    os.close(read_end)
    result = subprocess.run(
        [HEADRACE, "rollout", "status", "sdk"],
        env=environment(released),
        stdout=write_end,
        stderr=subprocess.PIPE,
        text=True,
        timeout=60,
        check=False,
    )
    os.close(write_end)
    assert "Traceback" not in result.stderr


def test_json_is_json_alone(released: Path) -> None:
    result = run(released, "rollout", "status", "sdk", "--json")
    assert json.loads(result.stdout)["stable"] == "1.0.0"
    assert result.stderr == ""


def test_every_verb_that_makes_a_change_takes_an_idempotency_key() -> None:
    def options(command: Any, path: str) -> Iterator[tuple[str, set[str]]]:
        for name in command.list_commands(None) if hasattr(command, "list_commands") else ():
            yield from options(command.get_command(None, name), f"{path} {name}")
        yield path, {option for parameter in command.params for option in parameter.opts}

    found = dict(options(typer.main.get_command(app), "headrace"))
    changing = {path for path, named in found.items() if "--actor" in named}
    assert "headrace retire" in changing
    # What is as the file declares it already, or as the backup has it, is so however often that is done.
    keyless = {path for path in changing if "--idempotency-key" not in found[path]}
    assert keyless == {"headrace apply", "headrace restore"}

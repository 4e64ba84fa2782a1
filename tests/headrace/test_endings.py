"""Whoever leaves early, stops a verb, or has another terminal than most: no traceback, and nothing half done."""

import json
import os
import random
import re
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.cli import HEADRACE, TIMEOUT_SECONDS, environment, run, succeed
from tests.support.terminal import run_in_terminal

REASON = "größer als ☃"
ASCII = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONIOENCODING": ""}
COLOUR = re.compile(r"\x1b\[[0-9;]*(3[0-8]|4[0-8]|9[0-7])")


@pytest.fixture(scope="module")
def told(released_once: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data folder with a live rollout and a pin, whose reason is not ASCII. Tests only look at it."""
    folder = tmp_path_factory.mktemp("told")
    shutil.copytree(released_once, folder, dirs_exist_ok=True)
    succeed(folder / "data", "rollout", "start", "sdk", "1.1.0", "--reason", REASON)
    succeed(folder / "data", "pin", "set", "acme", "sdk", "1.0.0", "--reason", f"{REASON} and tested by hand")
    return folder / "data"


@pytest.mark.parametrize(
    "verb",
    [["history", "sdk"], ["history", "sdk", "--json"], ["audit", "export"], ["--help"], ["history", "--help"]],
)
def test_a_reader_that_leaves_early_ends_a_verb_as_sigpipe_would(told: Path, verb: list[str]) -> None:
    read_end, write_end = os.pipe()
    os.close(read_end)
    result = subprocess.run(
        [HEADRACE, *verb], env=environment(told), stdout=write_end, stderr=subprocess.PIPE, check=False
    )
    os.close(write_end)
    assert (result.returncode, result.stderr) == (128 + signal.SIGPIPE, b"")


def test_a_mistake_keeps_its_exit_code_though_nobody_reads_why(told: Path) -> None:
    read_end, write_end = os.pipe()
    os.close(read_end)
    result = subprocess.run([HEADRACE, "rollback", "nope"], env=environment(told), stderr=write_end, check=False)
    os.close(write_end)
    assert result.returncode == 2


@pytest.mark.parametrize("closed", ["<&-", ">&-", "2>&-", "<&- >&- 2>&-"])
def test_streams_that_are_closed_from_the_start_break_nothing(told: Path, tmp_path: Path, closed: str) -> None:
    command = f"{HEADRACE} rollout status sdk {closed}"
    result = subprocess.run(["bash", "-c", command], env=environment(told), capture_output=True, check=False)
    assert (result.returncode, result.stderr) == (0, b"")
    assert result.stdout.startswith(b"sdk stable: 1.0.0") is (">&-" not in closed.replace("2>&-", ""))
    # A file must not be opened under a stream's number, to be printed into.
    fresh = f"{HEADRACE} keys rotate <&- >&- 2>&-"
    subprocess.run(["bash", "-c", fresh], env=environment(tmp_path / "data"), check=True)
    assert len(succeed(tmp_path / "data", "keys", "list")) == 2


def test_what_a_locale_has_no_character_for_is_escaped(told: Path) -> None:
    result = subprocess.run(
        [HEADRACE, "history", "sdk"], env={**environment(told), **ASCII}, capture_output=True, check=False
    )
    assert (result.returncode, result.stderr) == (0, b"")
    assert rb"gr\xf6\xdfer als \u2603" in result.stdout


def test_json_is_utf_8_in_any_locale(told: Path) -> None:
    result = subprocess.run(
        [HEADRACE, "history", "sdk", "--json"], env={**environment(told), **ASCII}, capture_output=True, check=True
    )
    assert json.loads(result.stdout)[-2]["reason"] == REASON


def test_a_narrow_terminal_breaks_no_word_of_a_table(told: Path) -> None:
    history = run_in_terminal(told, "history", "sdk", columns=40)
    assert re.search(
        r"^revision +3\nat +20\S+\+00:00\nwho +sam\nwhat +start stable\nwhy +größer als ☃$", history, re.MULTILINE
    )
    pins = run_in_terminal(told, "pin", "list", "sdk", columns=40)
    assert re.search(r"^tenant +acme\nenvironment +production\npinned to +1\.0\.0\n", pins, re.MULTILINE)
    assert {line for line in (history + pins).splitlines() if len(line) > 40} == set()
    status = run_in_terminal(told, "rollout", "status", "sdk", columns=40)
    assert "rollout: 1.1.0 running: (staging) > canary" in status


def test_a_wide_terminal_has_a_table_with_whole_times(told: Path) -> None:
    history = run_in_terminal(told, "history", "sdk", columns=80, TERM="dumb")
    assert re.search(r"^3 +20\S+\+00:00  sam  start stable", history, re.MULTILINE)


@pytest.mark.parametrize("variables", [{}, {"NO_COLOR": "1"}, {"TERM": "dumb"}])
def test_no_colour_where_none_is_wanted(told: Path, variables: dict[str, str]) -> None:
    shown = run_in_terminal(told, "verify", "sdk", columns=80, **variables)
    assert bool(COLOUR.search(shown)) is (not variables)
    if "TERM" in variables:
        assert "\x1b" not in shown


def test_ctrl_c_ends_a_watch_without_a_word(told: Path) -> None:
    process = subprocess.Popen(
        [HEADRACE, "rollout", "watch", "sdk"],
        env=environment(told),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    assert process.stdout.readline().startswith("sdk stable 1.1.0: running at staging")
    process.send_signal(signal.SIGINT)
    assert process.communicate(timeout=TIMEOUT_SECONDS) == ("", "")
    assert process.returncode == 130


def test_ctrl_c_stops_a_controller_as_sigterm_does_with_the_exit_code_of_an_interrupt(told: Path) -> None:
    process = subprocess.Popen(
        [HEADRACE, "controller", "--interval", "0.1"],
        env=environment(told),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stderr is not None
    while "leading" not in process.stderr.readline():
        assert process.poll() is None
    process.send_signal(signal.SIGINT)
    _, said = process.communicate(timeout=TIMEOUT_SECONDS)
    assert [json.loads(line)["event"] for line in said.splitlines()] == ["controller stopped"]
    assert process.returncode == 130


def test_ctrl_c_in_a_publish_leaves_no_build_and_nothing_torn(tmp_path: Path) -> None:
    source = tmp_path / "dist"
    source.mkdir()
    for number in range(12):
        words = random.Random(number).choices(range(10_000), k=60_000)
        (source / f"{number}.js").write_text(" ".join(map(str, words)))
    data = tmp_path / "data"
    arguments = ("publish", str(source), "--product", "sdk", "--version", "1.0.0")
    process = subprocess.Popen(
        [HEADRACE, *arguments],
        env=environment(data),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    _wait_for_a_blob(data)
    process.send_signal(signal.SIGINT)
    assert process.communicate(timeout=TIMEOUT_SECONDS) == ("", "")
    assert process.returncode == 130
    assert list(data.rglob("*.tmp")) == []
    assert not (data / "store" / "builds").exists()
    small = tmp_path / "small"
    small.mkdir()
    (small / "sdk.js").write_text("export {};\n")
    assert run(data, "publish", str(small), "--product", "sdk", "--version", "1.0.0").returncode == 0


def _wait_for_a_blob(data: Path) -> None:
    def blobs() -> Iterator[Path]:
        return (data / "store" / "blobs").glob("??/*")

    deadline = time.monotonic() + TIMEOUT_SECONDS
    while not any(blobs()):
        assert time.monotonic() < deadline
        time.sleep(0.02)

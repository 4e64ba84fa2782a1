"""Smoke tests from the command line, and by a running controller: real processes, real Chromium."""

import json
import time
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.support.cli import fail, publish, run, succeed, write_build
from tests.support.processes import controller, origin

ENTRY = "--smoke-browser", "sdk,sdk.js"


@pytest.fixture
def data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A data folder with a published build. Containers have no rights for Chromium's sandbox: it is off."""
    monkeypatch.setenv("HEADRACE_CHROMIUM_SANDBOX", "off")
    publish(tmp_path / "data", tmp_path, "1.0.0")
    return tmp_path / "data"


def start(data: Path, *options: str) -> Any:
    return succeed(data, "rollout", "start", "sdk", "1.0.0", *options)


def test_the_built_in_test_from_start_to_canary(data: Path) -> None:
    started = start(data, *ENTRY, "--smoke-command", "sh -c 'echo fine'")
    assert [(test["name"], test["passed"]) for test in started["rollout"]["smoke_tests"]] == [
        ("browser", None),
        ("command", None),
    ]
    line = fail(data, "rollout", "promote", "sdk", code=3)
    assert "browser has not run; command has not run" in line
    assert "`headrace smoke run sdk --channel stable`" in line
    outcomes = succeed(data, "smoke", "run", "sdk")
    assert [(each["test"], each["passed"], each["actor"]) for each in outcomes] == [
        ("browser", True, "sam"),
        ("command", True, "sam"),
    ]
    assert outcomes[1]["output"] == "fine\n"
    assert len(outcomes[0]["digest"]) == 64
    kept = succeed(data, "smoke", "show", "sdk")
    assert sorted(kept, key=lambda each: str(each["test"])) == outcomes
    status = succeed(data, "rollout", "status", "sdk")
    assert [test["passed"] for test in status["rollout"]["smoke_tests"]] == [True, True]
    promoted = succeed(data, "rollout", "promote", "sdk")
    assert promoted["rollout"]["stage"] == 1
    # Kept with the rollout, after its end too.
    succeed(data, "rollout", "abort", "sdk")
    assert succeed(data, "smoke", "show", "sdk", "1.0.0") == kept
    assert "name the build" in fail(data, "smoke", "show", "sdk", code=2)


def test_a_failed_test_is_exit_code_1_with_its_output_on_stdout(data: Path) -> None:
    start(data, "--smoke-command", "sh -c 'echo \"\x1b[31mno good\"; exit 7'", "--smoke-command", "true")
    result = run(data, "smoke", "run", "sdk")
    assert result.returncode == 1
    assert result.stderr == ""
    assert "command failed: sh ended with exit code 7\n" in result.stdout
    assert "  | no good\n" in result.stdout
    assert "command-2 passed" in result.stdout
    again = run(data, "smoke", "run", "sdk", "--test", "command-2", "--json")
    assert again.returncode == 0
    assert [each["test"] for each in json.loads(again.stdout)] == ["command-2"]
    status = run(data, "rollout", "status", "sdk").stdout
    assert "smoke test command: failed in" in status
    assert "command failed (sh ended with exit code 7)" in fail(data, "rollout", "promote", "sdk", code=3)
    assert "no smoke test 'other'" in fail(data, "smoke", "run", "sdk", "--test", "other", code=2)


def test_what_can_not_be_run_fails_and_says_what_to_do(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    monkeypatch.delenv("HEADRACE_SMOKE_SECRET", raising=False)
    start(data, *ENTRY, "--smoke-command", "true", "--smoke-webhook", "https://ci.example/")
    result = run(data, "smoke", "run", "sdk", "--json")
    assert result.returncode == 1
    findings = {each["test"]: each["finding"] for each in json.loads(result.stdout)}
    assert "install it (on Debian, `apt-get install chromium`)" in findings["browser"]
    assert "can't run true: No such file or directory" in findings["command"]
    assert "HEADRACE_SMOKE_SECRET_FILE" in findings["webhook"]


def test_mistakes_in_a_plan_are_one_line(data: Path) -> None:
    begin = ["rollout", "start", "sdk", "1.0.0"]
    assert "no staging stage" in fail(data, *begin, *ENTRY, "--stages", "canary,100", code=2)
    assert "has no script 'no.js'" in fail(data, *begin, "--smoke-browser", "sdk,no.js", code=2)
    assert "is not a duration" in fail(data, *begin, *ENTRY, "--smoke-timeout", "soon", code=2)
    assert "1 to 3600 seconds" in fail(data, *begin, *ENTRY, "--smoke-timeout", "2h", code=2)


def test_a_policy_names_tests_that_no_option_takes_away(data: Path, tmp_path: Path) -> None:
    policy = tmp_path / "policy.toml"
    policy.write_text(
        """
[[rollout]]
products = ["sdk"]
smoke_browser = ["sdk,sdk.js"]
smoke_command = ["true"]
smoke_timeout = "2m"
"""
    )
    succeed(data, "apply", str(policy))
    assert "no staging stage" in fail(data, "rollout", "start", "sdk", "1.0.0", "--stages", "100", code=2)
    tests = start(data, "--smoke-command", "false")["rollout"]["smoke_tests"]
    assert [test["name"] for test in tests] == ["browser", "command", "command-2"]
    assert {test["timeout_seconds"] for test in tests} == {120}
    policy.write_text('[[rollout]]\nsmoke_browser = ["a;b"]\n')
    assert "not a global's name" in fail(data, "apply", str(policy), code=2)


def test_the_controller_runs_each_test_once_and_promotes_what_has_passed(data: Path, tmp_path: Path) -> None:
    log = tmp_path / "log"
    hold = tmp_path / "hold"
    slow = f"sh -c 'echo began >> {log}; until [ -e {hold} ]; do sleep 0.05; done'"
    start(data, "--stages", "staging,canary,100", "--bake", "0s", "--smoke-command", slow, *ENTRY)
    other = write_build(tmp_path / "other", {"other.js": "globalThis.other = 1;"})
    succeed(data, "publish", str(other), "--product", "other", "--version", "2.0.0")
    with controller(data) as process:
        assert process.wait_for("smoke test")["test"] == "browser"
        # While one test is slow, ticks go on, for other products and for origins.
        succeed(data, "rollout", "start", "other", "2.0.0", "--stages", "50,100", "--bake", "0s")
        assert process.wait_for("promoted")["product"] == "other"
        assert "command has not run" in fail(data, "rollout", "promote", "sdk", code=3)
        hold.touch()
        tested = process.wait_for("smoke test")
        assert (tested["test"], tested["passed"], tested["candidate"]) == ("command", True, "1.0.0")
        while succeed(data, "rollout", "status", "sdk")["stable"] != "1.0.0":
            time.sleep(0.05)
    assert log.read_text() == "began\n"
    assert {each["actor"] for each in succeed(data, "smoke", "show", "sdk", "1.0.0")} == {"controller"}
    with origin(data) as server:
        assert httpx.get(f"{server.url}/t/acme/sdk.json").json()["version"] == "1.0.0"


def test_a_stopped_controller_leaves_no_test_behind(data: Path, tmp_path: Path) -> None:
    pid = tmp_path / "pid"
    start(data, "--smoke-command", f"sh -c 'echo $$ > {pid}.new; mv {pid}.new {pid}; sleep 1000'")
    with controller(data):
        while not pid.exists():
            time.sleep(0.05)
    assert not Path(f"/proc/{pid.read_text().strip()}/cmdline").exists()
    # It may be run at once by the next.
    with controller(data):
        old = pid.read_text()
        while pid.read_text() == old:
            time.sleep(0.05)

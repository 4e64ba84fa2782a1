"""Smoke tests that are a command: bounded, alone, and gone afterwards. Real programs on a real build."""

import os
import sys
import time
from pathlib import Path

import anyio
import pytest

from bundles.core.errors import Failed
from release.adapters.command_smoke import CommandSmoke
from release.core.smoke import MAX_OUTPUT, CommandTest, clean_output
from release.ports import SmokeResult
from tests.support.smoke import candidate

pytestmark = pytest.mark.anyio

FILES: dict[str, str | bytes] = {"sdk.js": "globalThis.sdk = 1;", "lib/deep.mjs": "export default 1;"}


async def run(folder: Path, *argv: str, seconds: int = 60) -> SmokeResult:
    async with candidate(folder / "data", FILES) as (store, build):
        test = CommandTest(name="command", argv=argv, timeout_seconds=seconds)
        return await CommandSmoke(store).run(test, build)


async def test_a_command_has_the_builds_files_and_a_small_environment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HEADRACE_SMOKE_SECRET", "a secret of the controller")
    script = 'cat "$HEADRACE_BUILD_DIR/sdk.js" "$HEADRACE_BUILD_DIR/lib/deep.mjs"; echo; ls -A; env'
    result = await run(tmp_path, "sh", "-c", script)
    assert result.passed, result
    assert result.finding == "sh ended with exit code 0"
    assert result.output.startswith("globalThis.sdk = 1;export default 1;\n")
    names = {line.partition("=")[0] for line in result.output.splitlines()[1:]}
    given = {f"HEADRACE_{name}" for name in ("BUILD_DIR", "PRODUCT", "VERSION", "CHANNEL", "DIGEST")}
    assert names - {"PWD", "SHLVL", "_", "OLDPWD"} == {*given, "PATH", "HOME", "TMPDIR", "LANG"}
    assert "HEADRACE_PRODUCT=sdk\n" in result.output
    assert "a secret" not in result.output


async def test_a_command_leaves_no_folder_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(scratch))
    result = await run(tmp_path, "sh", "-c", 'pwd; touch here "$HEADRACE_BUILD_DIR/there"')
    assert result.output.startswith(str(scratch))
    assert list(scratch.iterdir()) == []


async def test_no_shell_reads_the_arguments(tmp_path: Path) -> None:
    result = await run(tmp_path, "echo", "$HOME", "; exit 1", "*")
    assert (result.passed, result.output) == (True, "$HOME ; exit 1 *\n")


@pytest.mark.parametrize(
    ("script", "finding"),
    [
        ("exit 7", "ended with exit code 7"),
        ("kill -SEGV $$", "was ended by SIGSEGV"),
        ("kill -40 $$", "was ended by signal 40"),
    ],
)
async def test_any_other_end_than_0_fails(tmp_path: Path, script: str, finding: str) -> None:
    result = await run(tmp_path, "sh", "-c", f"echo before; {script}")
    assert (result.passed, result.finding, result.output) == (False, f"sh {finding}", "before\n")


async def test_a_command_that_is_not_there_says_so(tmp_path: Path) -> None:
    with pytest.raises(Failed, match="can't run /nowhere/check: No such file"):
        await run(tmp_path, "/nowhere/check")


async def test_a_hundred_megabytes_are_read_and_their_ends_are_kept(tmp_path: Path) -> None:
    before = _peak_kb()
    result = await run(tmp_path, "sh", "-c", "echo first; head -c 100000000 /dev/zero; echo; echo last")
    assert result.passed
    assert result.output.startswith("first\n")
    assert result.output.endswith("\nlast\n")
    assert "bytes left out" in result.output
    assert len(result.output) <= MAX_OUTPUT
    assert "bytes left out" in clean_output(result.output)
    assert _peak_kb() - before < 50_000


async def test_a_command_that_hangs_is_killed_with_its_children_and_its_output_kept(tmp_path: Path) -> None:
    result = await run(tmp_path, "sh", "-c", "sleep 1000 & echo $!; wait", seconds=1)
    assert not result.passed
    assert result.finding == "sh took longer than 1 seconds and was killed"
    await _gone(int(result.output))


async def test_a_child_that_stays_is_killed_and_nobody_waits_for_it(tmp_path: Path) -> None:
    since = time.monotonic()
    result = await run(tmp_path, "sh", "-c", "sleep 1000 & echo $!")
    assert result.passed
    await _gone(int(result.output))
    assert time.monotonic() - since < 500


async def test_a_child_that_left_the_group_keeps_nobody_waiting_either(tmp_path: Path) -> None:
    code = "import os, time; os.setsid(); print(os.getpid(), file=open('pid', 'w'), flush=True); time.sleep(1000)"
    script = f'{sys.executable} -c "{code}" & until test -s pid; do sleep 0.1; done; cat pid'
    result = await run(tmp_path, "sh", "-c", script)
    assert result.passed
    os.kill(int(result.output), 9)


async def test_a_cancelled_command_is_killed(tmp_path: Path) -> None:
    mark = tmp_path / "pid"
    async with anyio.create_task_group() as group:
        group.start_soon(run, tmp_path, "sh", "-c", f"echo $$ > {mark}.new; mv {mark}.new {mark}; sleep 1000")
        while not mark.exists():
            await anyio.sleep(0.02)
        group.cancel_scope.cancel()
    await _gone(int(mark.read_text()))


async def _gone(pid: int) -> None:
    """Returns once there is no such process, or only its remains; else fails."""
    for _ in range(500):
        if not _runs(pid):
            return
        await anyio.sleep(0.02)
    pytest.fail(f"process {pid} still runs")


def _runs(pid: int) -> bool:
    try:
        status = Path(f"/proc/{pid}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return False
    return status.rpartition(")")[2].split()[0] != "Z"


def _peak_kb() -> int:
    status = Path("/proc/self/status").read_text()
    return int(status.partition("VmHWM:")[2].split(maxsplit=1)[0])

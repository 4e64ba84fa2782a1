"""Smoke tests hold a candidate in staging: what is run, what is kept, and when it may leave. A real database."""

from collections.abc import AsyncIterator
from pathlib import Path

import anyio
import msgspec
import pytest

from bundles.core.digest import Digest
from bundles.core.errors import Invalid, Refused
from bundles.core.version import Version
from headrace import service_wiring
from release.advance import advance
from release.change import Author, Control, Subject
from release.core.audit import open_row
from release.core.commands import Abort, Command, Pause, Promote, Resume, Rollback, Schedule, Start
from release.core.names import STABLE
from release.core.plan import parse_plan
from release.core.routing import Rollout
from release.core.smoke import CommandTest, SmokeOutcome, parse_smoke_tests
from release.rollouts import command_channel, read_channel
from release.smoke import SmokeRun, due_runs, list_outcomes, run_smoke_test, runs_of
from tests.support.changes import change
from tests.support.smoke import ONE, SDK, control_of

pytestmark = pytest.mark.anyio

TWO = Version("1.1.0")
SAM = Author("sam")


@pytest.fixture
def data(tmp_path: Path) -> Path:
    return tmp_path / "data"


@pytest.fixture
async def control(data: Path) -> AsyncIterator[Control]:
    async with control_of(data, ONE, TWO) as opened:
        yield opened


def start(*commands: str, version: Version = ONE, salt: str = "salt", bake: str | None = None) -> Start:
    tests = parse_smoke_tests([], commands, [], 60)
    return Start(candidate=version, plan=parse_plan("staging,canary,100", [], bake, tests), salt=salt)


SUPERSEDE = msgspec.structs.replace(start("true", version=TWO), supersede=True)


async def tell(control: Control, command: Command) -> Rollout | None:
    return (await command_channel(control, SDK, STABLE, command, SAM)).state.rollout


async def stage(control: Control) -> str:
    rollout = (await read_channel(control, SDK, STABLE)).state.rollout
    assert rollout is not None
    return str(rollout.stage)


async def run_all(control: Control, actor: str = "sam") -> list[SmokeOutcome]:
    runners = service_wiring.smoke_runners(control)
    return [await run_smoke_test(control, runners, run, actor) for run in await runs_of(control, SDK, STABLE)]


async def audit(control: Control) -> list[tuple[str, str, str, str]]:
    """Who did what to what and why, oldest first."""
    async with control.ledger.reading() as reading:
        entries = [open_row(row) async for row in reading.trail()]
    return [(entry.actor, entry.verb, entry.subject, entry.reason) for entry in entries]


async def test_a_candidate_leaves_staging_once_each_test_has_passed(control: Control) -> None:
    await tell(control, start("sh -c 'echo seen'", "true"))
    with pytest.raises(Refused, match=r"stays in staging.*command has not run; command-2 has not run"):
        await tell(control, Promote())
    first, second = await run_all(control)
    assert (first.test, first.passed, first.output, first.actor) == ("command", True, "seen\n", "sam")
    assert (second.test, second.passed) == ("command-2", True)
    await tell(control, Promote())
    assert await stage(control) == "canary"
    assert await list_outcomes(control, SDK, STABLE, ONE) == [first, second]
    assert ("sam", "smoke", "stable", "command passed: sh ended with exit code 0") in await audit(control)


async def test_a_failed_test_says_what_failed_and_how_to_run_it_again(control: Control, tmp_path: Path) -> None:
    mended = tmp_path / "mended"
    await tell(control, start(f"test -e {mended}", "true"))
    await run_all(control)
    with pytest.raises(Refused, match=r"command failed \(test ended with exit code 1\).*`headrace smoke run sdk"):
        await tell(control, Promote())
    mended.touch()
    await run_all(control)
    await tell(control, Promote())
    kept = await list_outcomes(control, SDK, STABLE, ONE)
    assert [(each.test, each.passed) for each in kept] == [
        ("command", False),
        ("command-2", True),
        ("command", True),
        ("command-2", True),
    ]
    reasons = [reason for _, verb, _, reason in await audit(control) if verb == "smoke"]
    assert reasons[:1] == ["command failed: test ended with exit code 1"]


async def test_later_stages_and_plans_without_tests_ask_for_none(control: Control) -> None:
    await tell(control, start())
    await tell(control, Promote())
    with pytest.raises(Refused, match="names no smoke tests"):
        await runs_of(control, SDK, STABLE)
    await tell(control, Abort())
    with pytest.raises(Refused, match="no live rollout"):
        await runs_of(control, SDK, STABLE)
    await tell(control, start("true"))
    with pytest.raises(Invalid, match="no smoke test 'commando'; it has command"):
        await runs_of(control, SDK, STABLE, ["commando"])
    await run_all(control)
    await tell(control, Promote())
    await tell(control, Promote())


async def test_no_stage_is_gone_to_past_staging(control: Control) -> None:
    await tell(control, start("true"))
    for later in ("canary", "100", "done"):
        with pytest.raises(Refused, match="command has not run"):
            await tell(control, Promote(to=later))
    await run_all(control)
    await tell(control, Promote(to="100"))
    assert await stage(control) == "100%"


async def test_a_promotion_that_is_sent_again_is_answered_as_before(control: Control) -> None:
    await tell(control, start("true"))
    keyed = Author("sam", key="once")
    with pytest.raises(Refused, match="command has not run"):
        await command_channel(control, SDK, STABLE, Promote(), keyed)
    await run_all(control)
    first = await command_channel(control, SDK, STABLE, Promote(), keyed)
    again = await command_channel(control, SDK, STABLE, Promote(), keyed)
    assert again.revision == first.revision
    assert again.smoke["command"].passed


async def test_in_an_emergency_the_glass_is_broken_and_that_is_audited(control: Control) -> None:
    await tell(control, start("false"))
    emergency = Author("sam", "checkout is down for everyone", breaks_glass=True)
    await command_channel(control, SDK, STABLE, Promote(), emergency)
    assert await stage(control) == "canary"
    assert (await audit(control))[-1] == ("sam", "promote", "stable", "break-glass: checkout is down for everyone")


async def test_a_build_without_the_script_that_is_named_is_not_begun(control: Control) -> None:
    tests = parse_smoke_tests(["sdk,array.js"], [], [], 60)
    command = Start(ONE, parse_plan("staging,100", [], None, tests), "salt")
    for each in (command, Schedule(command, at=2**33)):
        with pytest.raises(Invalid, match=r"smoke test 'browser': sdk@1.0.0 has no script 'array.js'"):
            await tell(control, each)


async def test_what_passed_for_another_candidate_does_not_count(control: Control) -> None:
    await tell(control, start("true"))
    await run_all(control)
    # What takes the place of another has its salt.
    await tell(control, SUPERSEDE)
    with pytest.raises(Refused, match="command has not run"):
        await tell(control, Promote())
    await run_all(control)
    await tell(control, Promote())
    assert await stage(control) == "canary"


@pytest.mark.parametrize("salt", ["salt", "another"])
async def test_what_passed_in_an_earlier_rollout_or_for_other_bytes_does_not_count(
    control: Control, salt: str
) -> None:
    await tell(control, start("true"))
    [earlier] = await run_all(control)
    await tell(control, Abort())
    live = await tell(control, start("true", salt=salt))
    assert live is not None
    assert [run.test.name for run in await due_runs(control)] == ["command"]
    with pytest.raises(Refused, match="command has not run"):
        await tell(control, Promote())
    other = msgspec.structs.replace(earlier, rollout=live.identity, digest=Digest("0" * 64))
    await change(
        control, Subject("smoke", SDK, STABLE), SAM, lambda new: new.add_smoke_outcome(SDK, STABLE, other)
    )
    with pytest.raises(Refused, match="command passed for other bytes"):
        await tell(control, Promote())


async def test_the_controller_promotes_only_what_has_passed(control: Control, tmp_path: Path) -> None:
    mended = tmp_path / "mended"
    await tell(control, start(f"test -e {mended}", bake="0s"))
    assert await advance(control) == []
    await run_all(control)
    assert await advance(control) == []
    assert await stage(control) == "staging"
    mended.touch()
    await run_all(control)
    assert len(await advance(control)) == 1
    assert await stage(control) == "canary"


async def test_where_there_is_no_room_the_test_fails_and_says_so(
    control: Control, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    await tell(control, start("true"))
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "nowhere"))
    [outcome] = await run_all(control)
    assert not outcome.passed
    assert outcome.finding.startswith(f"it can't be run: {tmp_path}/nowhere/")
    assert outcome.finding.endswith("No such file or directory")


async def test_each_test_is_due_once(control: Control) -> None:
    assert await due_runs(control) == []
    await tell(control, start("true", "false"))
    due = await due_runs(control)
    assert [run.test.name for run in due] == ["command", "command-2"]
    for run in due:
        await run_smoke_test(control, service_wiring.smoke_runners(control), run, "controller")
    assert await due_runs(control) == []
    with pytest.raises(Refused, match="has run"):
        await run_smoke_test(control, service_wiring.smoke_runners(control), due[0], "controller")
    assert len(await list_outcomes(control, SDK, STABLE, None)) == 2


async def test_while_one_runs_a_test_it_is_not_due_and_a_person_is_told(control: Control, tmp_path: Path) -> None:
    began = tmp_path / "began"
    await tell(control, start(f"sh -c 'touch {began}; sleep 1000'"))
    [run] = await due_runs(control)
    async with anyio.create_task_group() as group:
        group.start_soon(_run_or_not, control, run, "controller", [])
        await _until(began)
        assert await due_runs(control) == []
        with pytest.raises(Refused, match="is being run already"):
            await run_all(control)
        group.cancel_scope.cancel()
    # What was broken off is as if it had not begun.
    assert await due_runs(control) == [run]
    assert await list_outcomes(control, SDK, STABLE, ONE) == []


@pytest.mark.parametrize(
    "end", [[Abort()], [Abort(), start("true", version=TWO)], [Abort(), start("true", salt="b")]]
)
async def test_what_comes_of_a_test_whose_rollout_has_ended_is_not_kept(
    control: Control, tmp_path: Path, end: list[Command]
) -> None:
    began, go = tmp_path / "began", tmp_path / "go"
    await tell(control, start(f"sh -c 'touch {began}; until [ -e {go} ]; do sleep 0.02; done'"))
    [run] = await due_runs(control)
    async with anyio.create_task_group() as group:
        group.start_soon(_must_not_be_kept, control, run)
        await _until(began)
        for command in end:
            await tell(control, command)
        # A new rollout's own test need not wait for that of the old one.
        assert len(await due_runs(control)) == (end != [Abort()])
        before = await audit(control)
        go.touch()
    assert await audit(control) == before
    for version in (ONE, TWO):
        assert await list_outcomes(control, SDK, STABLE, version) == []


async def test_a_pause_or_a_rollback_of_another_keeps_the_outcome(control: Control) -> None:
    await tell(control, start("true"))
    await run_all(control)
    await tell(control, Pause())
    await tell(control, Resume())
    await tell(control, Promote())
    await tell(control, Promote())
    await tell(control, Promote())
    await tell(control, start("false", version=TWO))
    await run_all(control)
    # To take a build back needs no smoke test.
    await tell(control, Rollback())
    assert (await read_channel(control, SDK, STABLE)).state.stable == ONE


async def test_a_promotion_is_for_the_rollout_that_was_proven(control: Control) -> None:
    proven = await tell(control, start("true"))
    await run_all(control)
    await tell(control, Abort())
    await tell(control, start("true", salt="another"))
    await run_all(control)
    with pytest.raises(Refused, match="has changed since it was looked at"):
        await tell(control, Promote(seen=proven))


async def _run_or_not(control: Control, run: SmokeRun, name: str, kept: list[str]) -> None:
    try:
        await run_smoke_test(control, service_wiring.smoke_runners(control), run, name)
    except Refused:
        return
    kept.append(name)


async def _must_not_be_kept(control: Control, run: SmokeRun) -> None:
    assert isinstance(run.test, CommandTest)
    with pytest.raises(Refused, match="has ended while smoke test 'command' ran: that it passed is not kept"):
        await run_smoke_test(control, service_wiring.smoke_runners(control), run, "controller")


async def _until(file: Path) -> None:
    while not await anyio.Path(file).exists():
        await anyio.sleep(0.02)

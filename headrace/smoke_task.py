"""What the controller does for smoke tests: run each that has not run."""

import anyio
import structlog

from bundles.core.errors import HeadraceError
from headrace.service_wiring import SMOKE_TESTS_AT_ONCE
from release.change import Control
from release.core.audit import CONTROLLER
from release.ports import Leadership
from release.smoke import SmokeRun, SmokeRunners, due_runs, run_smoke_test

_log = structlog.get_logger()


async def run_smoke_tests(
    control: Control, leadership: Leadership, runners: SmokeRunners, interval: float
) -> None:
    """Run each smoke test that has not run, a few at once; none of them keeps a tick waiting."""
    free = anyio.Semaphore(SMOKE_TESTS_AT_ONCE)

    async def run_one(run: SmokeRun) -> None:
        try:
            outcome = await run_smoke_test(control, runners, run, CONTROLLER)
            _log.info("smoke test", **_named(run), passed=outcome.passed, seconds=outcome.seconds)
        except HeadraceError as error:
            _log.warning("smoke test not kept", **_named(run), why=str(error))
        finally:
            free.release()

    async with anyio.create_task_group() as group:
        while True:
            try:
                with anyio.CancelScope(shield=True):
                    due = await due_runs(control) if await leadership.holds() else []
                for each in due:
                    await free.acquire()
                    group.start_soon(run_one, each)
            except HeadraceError as error:
                _log.error("smoke tests not looked for", why=str(error))
            await anyio.sleep(interval)


def _named(run: SmokeRun) -> dict[str, str]:
    candidate = run.rollout.candidate
    return {"product": run.product, "channel": run.channel, "candidate": candidate, "test": run.test.name}

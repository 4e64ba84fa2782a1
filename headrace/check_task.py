"""The controller's task that asks the checks of live rollouts."""

import anyio
import structlog

from bundles.core.errors import HeadraceError
from headrace import service_wiring
from release.ask_checks import CheckAskers, DueCheck, ask_check, due_checks
from release.change import Control
from release.core.check_rule import Finding
from release.ports import Leadership

_log = structlog.get_logger()


async def ask_checks(control: Control, leadership: Leadership, askers: CheckAskers, interval: float) -> None:
    """Ask each check when it is due, several at once; none of them keeps another or a tick waiting for long."""
    free = anyio.Semaphore(service_wiring.CHECKS_AT_ONCE)
    asking: set[str] = set()

    async def ask_one(due: DueCheck) -> None:
        try:
            state = await ask_check(control, askers, due)
            if state is not None and state.answer.finding is not Finding.GOOD:
                _log.warning("check", **_named(due), finding=state.answer.finding, why=state.answer.reason)
        except HeadraceError as error:
            _log.error("check not kept", **_named(due), why=str(error))
        finally:
            asking.remove(due.name)
            free.release()

    async with anyio.create_task_group() as group:
        while True:
            try:
                with anyio.CancelScope(shield=True):
                    due = await due_checks(control) if await leadership.holds() else []
                for each in due:
                    if each.name not in asking and free.value:
                        asking.add(each.name)
                        free.acquire_nowait()
                        group.start_soon(ask_one, each)
            except HeadraceError as error:
                _log.error("checks not looked for", why=str(error))
            await anyio.sleep(interval)


def _named(due: DueCheck) -> dict[str, str]:
    about = due.about
    return {
        "product": about.product,
        "channel": about.channel,
        "candidate": about.candidate,
        "check": due.rule.name,
    }

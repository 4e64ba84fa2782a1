"""Runs checks beside one another: one that breaks, or takes too long, ends none of the others."""

from collections.abc import Awaitable, Callable, Sequence

import anyio

from bundles.core.errors import HeadraceError
from headrace.doctor.finding import Finding, failed

LIMIT_SECONDS = 10

Check = tuple[str, Callable[[], Awaitable[Finding | Sequence[Finding]]]]
"""What it is called where it comes to no finding, and what it does."""


async def run_checks(checks: Sequence[Check]) -> list[Finding]:
    """The findings of all checks, in the checks' order."""
    found: list[Sequence[Finding]] = [()] * len(checks)

    async def run(place: int, check: Check) -> None:
        found[place] = await _run_one(*check)

    async with anyio.create_task_group() as group:
        for place, check in enumerate(checks):
            group.start_soon(run, place, check)
    return [finding for findings in found for finding in findings]


async def _run_one(name: str, look: Callable[[], Awaitable[Finding | Sequence[Finding]]]) -> Sequence[Finding]:
    try:
        with anyio.fail_after(LIMIT_SECONDS):
            found = await look()
    except HeadraceError as error:
        return [failed(name, " ".join(str(error).split()), "mend what is named")]
    except TimeoutError:
        return [
            failed(
                name, f"no answer within {LIMIT_SECONDS} s", "see that it runs, and that this machine reaches it"
            )
        ]
    except OSError as error:
        return [failed(name, f"{error.filename or 'the system'}: {error.strerror or error}", "mend what is named")]
    except Exception as error:  # noqa: BLE001 - whatever it is, the other checks are wanted
        return [
            failed(name, f"the check broke: {type(error).__name__}", "report this: no set-up should break a check")
        ]
    return [found] if isinstance(found, Finding) else found

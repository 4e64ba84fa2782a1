"""What is tried again, when, and how often."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

import httpx

from bundles.core.errors import Failed, HeadraceError
from headrace.client.wire import read_fault

ATTEMPTS = 5
_FIRST_WAIT = 0.2
_LONGEST_WAIT = 30.0
_PATIENCE = timedelta(minutes=5)
BREAK_SECONDS = 1.0
"""The pause before a stream that has ended is begun anew."""
_PASSING = (429, 502, 503, 504)


class Passing(Exception):
    """What may be otherwise when it is tried again, after `wait` seconds where the server named them."""

    def __init__(self, fault: HeadraceError, wait: float | None = None) -> None:
        super().__init__(str(fault))
        self.fault = fault
        self.wait = wait


@contextmanager
def telling() -> Iterator[None]:
    """Within it, what httpx raises of a connection becomes what may pass."""
    try:
        yield
    except httpx.TransportError as error:
        raise Passing(Failed(f"the server did not answer: {error or type(error).__name__}")) from None


def checked(response: httpx.Response) -> httpx.Response:
    """The response, if it is an answer. Raises the fault that it tells of."""
    if response.is_success:
        return response
    raise fault_in(response)


def fault_in(response: httpx.Response) -> Passing | HeadraceError:
    """What to raise for a response that is not what was asked for."""
    fault = read_fault(response)
    if response.status_code not in _PASSING:
        return fault
    wait = response.headers.get("retry-after", "")
    return Passing(fault, float(wait) if wait.isascii() and wait.isdigit() else None)


def _pause(error: Exception) -> bool | float:
    """Whether to try again, or in how many seconds."""
    if not isinstance(error, Passing):
        return False
    return True if error.wait is None else min(error.wait, _LONGEST_WAIT)


RETRIES: dict[str, Any] = {
    "on": _pause,
    "wait_initial": _FIRST_WAIT,
    "wait_max": _LONGEST_WAIT,
    "timeout": _PATIENCE,
}
"""How stamina tries again, with pauses that grow."""

"""The exit codes of every verb, and how a fault ends one."""

import signal
import sys
from contextlib import suppress
from enum import IntEnum

from bundles.core.errors import Conflict, Failed, HeadraceError, Invalid, NotAllowed, Refused


class Exit(IntEnum):
    """The exit codes of every verb."""

    OK = 0
    FAILED = 1
    USAGE = 2
    REFUSED = 3
    NOT_ALLOWED = 4
    CONFLICT = 5
    TIMED_OUT = 6
    ROLLED_BACK = 7
    INTERRUPTED = 128 + signal.SIGINT
    READER_LEFT = 128 + signal.SIGPIPE


_BY_FAULT: dict[type[HeadraceError], Exit] = {
    Failed: Exit.FAILED,
    Invalid: Exit.USAGE,
    Refused: Exit.REFUSED,
    NotAllowed: Exit.NOT_ALLOWED,
    Conflict: Exit.CONFLICT,
}


def exit_with(fault: HeadraceError) -> None:
    """One line on stderr, and the fault's exit code."""
    line = " ".join(str(fault).split())
    with suppress(BrokenPipeError):  # nobody reads it; the code still says what it was
        sys.stderr.write(f"headrace: {line.encode('utf-8', 'backslashreplace').decode()}\n")
    sys.exit(next((code for kind, code in _BY_FAULT.items() if isinstance(fault, kind)), Exit.FAILED))

"""A real terminal of a given width, which a verb runs in."""

import fcntl
import os
import pty
import struct
import subprocess
import termios
from pathlib import Path

from tests.support.cli import HEADRACE, TIMEOUT_SECONDS, environment

_ROWS = 50


def run_in_terminal(data: Path, *arguments: str, columns: int, **variables: str) -> str:
    """What a verb that succeeds shows there, its lines without the spaces at their ends."""
    master, slave = pty.openpty()
    fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", _ROWS, columns, 0, 0))
    inherited = environment(data)
    for name in ("NO_COLOR", "COLUMNS", "LINES"):  # what would be heeded before the terminal itself
        inherited.pop(name, None)
    process = subprocess.Popen(
        [HEADRACE, *arguments],
        env={**inherited, "TERM": "xterm-256color", **variables},
        stdin=slave,
        stdout=slave,
        stderr=slave,
    )
    os.close(slave)
    shown = _read_all(master)
    os.close(master)
    assert process.wait(TIMEOUT_SECONDS) == 0, shown
    return "\n".join(line.rstrip() for line in shown.splitlines())


def _read_all(descriptor: int) -> str:
    shown = b""
    while True:
        try:
            part = os.read(descriptor, 65_536)
        except OSError:  # Linux's way to say that the other side has closed it
            part = b""
        if not part:
            return shown.decode()
        shown += part

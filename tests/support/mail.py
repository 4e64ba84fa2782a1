"""A real mail server, as a process of its own, which keeps what it takes."""

import mailbox
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from email.message import Message
from pathlib import Path

from tests.contract.conftest import free_port

PATIENCE_SECONDS = 30


class MailServer:
    """Where it listens, and what it has taken."""

    def __init__(self, folder: Path) -> None:
        self.port = int(free_port())
        self._folder = folder

    def messages(self) -> list[Message]:
        """All that it has taken."""
        return list(mailbox.Maildir(str(self._folder)))


@contextmanager
def mail_server(folder: Path, *options: str) -> Iterator[MailServer]:
    """A server with more of aiosmtpd's options, as for TLS."""
    server = MailServer(folder)
    listen: Sequence[str] = ("-n", "-l", f"127.0.0.1:{server.port}", "-c", "aiosmtpd.handlers.Mailbox")
    process = subprocess.Popen([sys.executable, "-m", "aiosmtpd", *listen, *options, str(folder)])
    try:
        _wait_until_it_listens(server.port)
        yield server
    finally:
        process.terminate()
        process.wait(PATIENCE_SECONDS)


def _wait_until_it_listens(port: int) -> None:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while time.monotonic() < deadline:
        with suppress(OSError), socket.create_connection(("127.0.0.1", port)):
            return
        time.sleep(0.02)
    raise AssertionError(f"nothing listens on port {port}")

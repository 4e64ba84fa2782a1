"""The moments at which the crash harness breaks the control plane off."""

from asyncio.selector_events import _SelectorSocketTransport  # type: ignore[attr-defined]
from collections.abc import Callable
from typing import Any

from sqlalchemy import Engine, event
from sqlalchemy.engine.default import DefaultDialect

from tests.system.crash_harness import Steps, watch_disk


def watch_changes(steps: Steps) -> None:
    """Make steps of the moments before each statement, after each that writes, before and after each COMMIT, and
    of the disk's system calls.
    """

    def executed(_connection: object, _cursor: object, statement: str, *_: object) -> None:
        if not statement.startswith("SELECT"):
            steps.take()

    event.listen(Engine, "before_cursor_execute", lambda *_: steps.take())
    event.listen(Engine, "after_cursor_execute", executed)
    _surround_commit(steps)
    watch_disk(steps)


def watch_wire(steps: Steps) -> None:
    """Make steps of the moments right after each message to PostgreSQL was sent."""
    _watch_messages(steps, b"")


def watch_sent_commits(steps: Steps) -> None:
    """Make steps of the moments right after each COMMIT was sent to PostgreSQL: nobody knows what comes of it."""
    _watch_messages(steps, b"COMMIT")


def _watch_messages(steps: Steps, wanted: bytes) -> None:
    write: Callable[..., None] = _SelectorSocketTransport.write

    def watched(self: object, data: bytes) -> None:
        write(self, data)
        if wanted in bytes(data):
            steps.take()

    _SelectorSocketTransport.write = watched


def _surround_commit(steps: Steps) -> None:
    commit: Callable[..., None] = DefaultDialect.do_commit

    def surrounded(self: DefaultDialect, connection: Any) -> None:
        steps.take()
        commit(self, connection)
        steps.take()

    DefaultDialect.do_commit = surrounded  # type: ignore[method-assign]

"""All on one thread: the statements and files are the same, but nothing depends on when a thread is run.

aiosqlite gives each connection a thread, and files are read in others. Here what they would be asked to do is done
at once, which is also ten times as fast.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import aiosqlite.core
import anyio.to_thread
import pytest


class _AtOnce:
    """Stands for a connection's queue of work."""

    def put_nowait(self, work: tuple[Any, Callable[[], Any]]) -> None:
        """Do it now, and answer who waits for it."""
        future, function = work
        try:
            result = function()
        except BaseException as error:  # noqa: BLE001 - as the thread does
            future.set_exception(error)
        else:
            future.set_result(result)


class _NoThread:
    """Stands for a connection's thread."""

    daemon = False

    def __init__(self, target: object, args: object) -> None:
        del target, args

    def start(self) -> None:
        """There is nothing to start."""


async def _run_at_once(function: Callable[..., Any], *arguments: Any, **_: Any) -> Any:
    return function(*arguments)


@contextmanager
def one_thread() -> Iterator[None]:
    """Within it, no thread is made or used."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(aiosqlite.core, "SimpleQueue", _AtOnce)
        patch.setattr(aiosqlite.core, "Thread", _NoThread)
        patch.setattr(anyio.to_thread, "run_sync", _run_at_once)
        yield

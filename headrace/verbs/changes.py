"""Run one change of the control plane from the command line."""

from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path
from typing import TypeVar

import anyio
import msgspec

from headrace import wiring
from release.change import Control

T = TypeVar("T")
_previewing: ContextVar[bool] = ContextVar("previewing", default=False)


@contextmanager
def previewing() -> Iterator[None]:
    """Within it, `with_control` makes no change: the first one raises `Previewed`."""
    token = _previewing.set(True)
    try:
        yield
    finally:
        _previewing.reset(token)


def with_control(data: Path, database: str | None, use: Callable[[Control], Awaitable[T]]) -> T:
    """What `use` makes of the control plane in this data folder and database."""

    is_preview = _previewing.get()

    async def run() -> T:
        async with wiring.control(data, database) as control:
            return await use(msgspec.structs.replace(control, is_preview=is_preview))

    return anyio.run(run)

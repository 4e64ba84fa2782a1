"""Run one change of the control plane from the command line."""

from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TypeVar

import anyio

from headrace import wiring
from release.change import Control

T = TypeVar("T")


def with_control(data: Path, database: str | None, use: Callable[[Control], Awaitable[T]]) -> T:
    """What `use` makes of the control plane in this data folder and database."""

    async def run() -> T:
        async with wiring.control(data, database) as control:
            return await use(control)

    return anyio.run(run)

"""Run one change of the control plane from the command line."""

from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path
from typing import TypeVar

import anyio
import msgspec

from bundles.core.names import parse_product
from headrace import wiring
from headrace.channel_view import ChannelView, draw_channel, view_channel
from headrace.terminal import show
from release.change import Author, Control
from release.core.commands import Command
from release.core.names import parse_channel
from release.rollouts import command_channel

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


def run_command(
    product: str,
    channel: str,
    command: Command,
    author: Author,
    data: Path,
    database: str | None,
    as_json: bool,
) -> None:
    """Give a channel this command, and show what became of it."""
    parsed = parse_product(product), parse_channel(channel)

    async def change(control: Control) -> ChannelView:
        return view_channel(*parsed, await command_channel(control, *parsed, command, author))

    view = with_control(data, database, change)
    show(view, as_json, lambda console: draw_channel(console, view))

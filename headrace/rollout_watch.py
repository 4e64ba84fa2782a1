"""`headrace rollout watch`: a rollout as it goes on, until it ends."""

import sys
from collections.abc import AsyncIterator
from contextlib import nullcontext
from datetime import timedelta
from io import StringIO
from typing import NoReturn

import anyio
import msgspec
import typer
from rich.console import Console
from rich.live import Live
from rich.text import Text

from api.core.operation import Ask
from api.operations.channels import ReadChannel, ReadRollout
from api.views.rollout import WatchView
from bundles.core.errors import Refused
from headrace.asking import Asking, sending
from headrace.channel_text import draw_channel
from headrace.exits import Exit
from headrace.terminal import tell
from release.core.ending import How
from release.core.plan import parse_duration


def end_with_rollout(
    product: str,
    channel: str,
    candidate: str | None,
    asking: Asking,
    timeout: str | None,
    as_json: bool,
    interval: float = 1.0,
) -> NoReturn:
    """Tells the rollout as `watch` does, and ends the verb with the exit code that its end has."""
    seconds = None if timeout is None else parse_duration(timeout)

    async def run() -> Exit:
        async with sending(ReadRollout, asking) as ask:
            with anyio.move_on_after(seconds):
                last = await _show(_views(ask, product, channel, candidate, interval), as_json)
                return Exit.OK if last.ended is None or last.ended.how is How.DONE else Exit.ROLLED_BACK
        return Exit.TIMED_OUT

    raise typer.Exit(anyio.run(run))


async def _views(
    ask: Ask, product: str, channel: str, candidate: str | None, interval: float
) -> AsyncIterator[WatchView]:
    """A view at each look, the last one with the rollout's end."""
    if candidate is None:
        at = await ask(ReadChannel(product=product, channel=channel))
        coming = at.rollout or at.scheduled
        if coming is None:
            raise Refused(f"there is no live rollout of {product} on channel {channel}: name its candidate")
        candidate = coming.candidate
    while True:
        view = await ask(ReadRollout(product=product, channel=channel, candidate=candidate))
        yield view
        if view.ended is not None:
            return
        await anyio.sleep(interval)


async def _show(views: AsyncIterator[WatchView], as_json: bool) -> WatchView:
    """Each view that says something new; the last one is returned."""
    on_terminal = sys.stdout.isatty() and not Console().is_dumb_terminal and not as_json
    # What is drawn in place would be cut at the terminal's edge if it did not wrap.
    console = Console(highlight=False, markup=False, emoji=False, soft_wrap=not on_terminal)
    said = None
    with Live(console=console, auto_refresh=False, transient=True) if on_terminal else nullcontext() as live:
        async for view in views:
            # That time goes by is nothing new off a terminal.
            new = _line(view) if not as_json else msgspec.structs.replace(view, seconds_left=None)
            if live is not None:
                live.update(Text(_lines(view)), refresh=True)
            elif as_json and new != said:
                tell(view)
            elif new != said:
                console.print(new)
            said = new
    if on_terminal:
        console.print(_line(view))
    return view


def _line(view: WatchView) -> str:
    channel = view.channel
    name = f"{channel.product} {channel.channel} {view.candidate}"
    if view.ended is not None:
        why = f": {view.ended.reason}" if view.ended.reason else ""
        return f"{name}: {view.ended.how} by {view.ended.actor} at {view.ended.at}{why}"
    rollout = channel.rollout
    if rollout is None:
        return f"{name}: scheduled"
    gate = "" if rollout.gate is None else f"; gate: {rollout.gate.verdict}: {rollout.gate.reason}"
    return f"{name}: {rollout.progress} at {rollout.stages[rollout.stage].name}{gate}"


def _lines(view: WatchView) -> str:
    with StringIO() as file:
        draw_channel(Console(file=file, highlight=False, markup=False, emoji=False, soft_wrap=True), view.channel)
        drawn = file.getvalue()
    left = "" if view.seconds_left is None else f"next stage in {timedelta(seconds=view.seconds_left)}\n"
    return drawn + left

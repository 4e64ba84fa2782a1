"""`headrace rollout watch`: a rollout as it goes on, until it ends."""

import sys
from collections.abc import AsyncIterator
from contextlib import nullcontext
from datetime import timedelta
from io import StringIO
from typing import Annotated

import anyio
import msgspec
import typer
from rich.console import Console
from rich.live import Live
from rich.text import Text

from api.times import format_time
from api.views.channel import ChannelView, view_channel
from bundles.core.errors import Refused
from bundles.core.names import Product, parse_product
from bundles.core.version import Version, parse_version
from headrace.channel_text import draw_channel
from headrace.exits import Exit
from headrace.options import DEFAULT_DATA, AsJson, ChannelName, Data, Database, ProductName
from headrace.terminal import tell
from headrace.verbs.changes import with_control
from release.change import Control
from release.core.names import STABLE, Channel, parse_channel
from release.core.plan import parse_duration
from release.endings import MOST_ENTRIES, Ending, How, ending_of
from release.rollouts import ChannelAt, read_channel
from release.trail import read_history


class EndingView(msgspec.Struct, frozen=True):
    """How the rollout ended, and by which change; `at` is RFC 3339 in UTC."""

    how: How
    revision: int
    at: str
    actor: str
    reason: str


class WatchView(msgspec.Struct, frozen=True):
    """A rollout at a moment. `seconds_left` is how long its stage still bakes, null where a person promotes;
    `ended` is null while the rollout is live or scheduled.
    """

    candidate: Version
    seconds_left: int | None
    ended: EndingView | None
    channel: ChannelView


def watch(
    product: ProductName,
    version: Annotated[
        str | None, typer.Argument(metavar="[VERSION]", help="The candidate. Else that of the live rollout.")
    ] = None,
    channel: ChannelName = STABLE,
    timeout: Annotated[
        str | None,
        typer.Option("--timeout", metavar="DURATION", help="Stop watching after this, with exit code 6."),
    ] = None,
    interval: Annotated[
        float, typer.Option("--interval", min=0.1, max=3600, help="Seconds between two looks.")
    ] = 1.0,
    data: Data = DEFAULT_DATA,
    database: Database = None,
    as_json: AsJson = False,
) -> None:
    """Watch a rollout until it ends: its stage, its gate's evidence, and the time to the next stage.

    Ends with exit code 0 where the candidate is the stable build, and with 7 where it was rolled back, aborted or
    superseded. Off a terminal there is a line for each change, with --json a JSON document on one.
    """
    parsed = parse_product(product), parse_channel(channel)
    candidate = None if version is None else parse_version(version)
    seconds = None if timeout is None else parse_duration(timeout)

    async def run(control: Control) -> Exit:
        with anyio.move_on_after(seconds):
            last = await _show(_views(control, *parsed, candidate, interval), as_json)
            return Exit.OK if last.ended is None or last.ended.how is How.DONE else Exit.ROLLED_BACK
        return Exit.TIMED_OUT

    raise typer.Exit(with_control(data, database, run))


async def _views(
    control: Control, product: Product, channel: Channel, candidate: Version | None, interval: float
) -> AsyncIterator[WatchView]:
    """A view at each look, the last one with the rollout's end."""
    while True:
        at = await read_channel(control, product, channel)
        coming = at.state.coming
        present = None if coming is None else coming.candidate
        candidate = candidate or present
        if candidate is None:
            raise Refused(f"there is no live rollout of {product} on channel {channel}: name its candidate")
        ended = None
        if present != candidate:
            entries = await read_history(control.ledger, product, channel, MOST_ENTRIES)
            ended = ending_of(entries, product, channel, candidate)
            if ended is None:
                raise Refused(f"{product}@{candidate} was not rolled out on channel {channel}")
        yield _view(product, channel, candidate, at, ended, control.clock.now())
        if ended is not None:
            return
        await anyio.sleep(interval)


def _view(
    product: Product, channel: Channel, candidate: Version, at: ChannelAt, ended: Ending | None, now: int
) -> WatchView:
    rollout = at.state.rollout
    left = None if rollout is None or rollout.bakes_until is None else max(0, rollout.bakes_until - now)
    end = None
    if ended is not None:
        end = EndingView(ended.how, ended.revision, format_time(ended.at), ended.actor, ended.reason)
        left = None
    return WatchView(candidate, left, end, view_channel(product, channel, at))


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

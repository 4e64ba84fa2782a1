"""`headrace notify …`."""

from pathlib import Path
from typing import Annotated

import anyio
import msgspec
import typer
from rich.console import Console

from bundles.core.errors import Invalid
from headrace.notify_file import read_notify_file, subscriptions
from headrace.options import DEFAULT_DATA, AsJson, Data, Database, NotifyFile, example
from headrace.terminal import show
from headrace.verbs.changes import with_control
from release.adapters.system_clock import SystemClock
from release.change import Control
from release.core.notices import Severity, trial_notice
from release.core.receivers import AnyReceiver
from release.notify import Told, read_told, send_once

app = typer.Typer(
    help="Who is told of what happens (docs/notifications.md).", no_args_is_help=True, add_completion=False
)


class _Trial(msgspec.Struct, frozen=True):
    """What came back for a trial."""

    receiver: str
    answer: str


class _Row(msgspec.Struct, frozen=True):
    """A receiver: where it is, the least severity that it hears of, the revision that it was last told up to (null
    before the first), and how many notices were given up.
    """

    name: str
    where: str
    severity: Severity
    told: int | None
    given_up: int


@app.command("test", epilog=example("headrace notify test oncall --notify receivers.toml"))
def try_(
    name: Annotated[str, typer.Argument(metavar="NAME", help="A receiver of the file.")],
    notify_file: NotifyFile = None,
    as_json: AsJson = False,
) -> None:
    """Send a receiver one test event now, and say what came back (exit code 1: it did not take it)."""
    receivers = _read(notify_file)
    found = [each for each in receivers if each.name == name]
    if not found:
        known = ", ".join(each.name for each in receivers) or "none"
        raise Invalid(f"{notify_file} has no receiver {name!r}; it has {known}")
    trial = _Trial(name, anyio.run(_send, found))
    show(trial, as_json, lambda console: console.print(f"{trial.receiver}: {trial.answer}"))


@app.command("list", epilog=example("headrace notify list --notify receivers.toml"))
def list_(
    notify_file: NotifyFile = None,
    data: Data = DEFAULT_DATA,
    database: Database = None,
    as_json: AsJson = False,
) -> None:
    """Show each receiver of the file, up to which revision it was told, and how many notices were given up."""
    receivers = _read(notify_file)

    async def look(control: Control) -> list[_Row]:
        told = await read_told(control.ledger)
        return [_row(each, told.get(each.name)) for each in receivers]

    rows = with_control(data, database, look)
    show(rows, as_json, lambda console: _draw(console, rows))


def _read(file: Path | None) -> tuple[AnyReceiver, ...]:
    if file is None:
        raise Invalid("name the file of receivers: --notify FILE, or HEADRACE_NOTIFY")
    return read_notify_file(file)


def _row(options: AnyReceiver, told: Told | None) -> _Row:
    where = str(options)
    if told is None:
        return _Row(options.name, where, options.severity, None, 0)
    return _Row(options.name, where, options.severity, told.revision, told.given_up)


def _draw(console: Console, rows: list[_Row]) -> None:
    for row in rows:
        how_far = "nothing yet" if row.told is None else f"up to revision {row.told}"
        console.print(f"{row.name}: {row.where}, {row.severity}: {how_far}; {row.given_up} given up")


async def _send(receivers: list[AnyReceiver]) -> str:
    clock = SystemClock()
    async with subscriptions(receivers, clock) as [subscription]:
        return await send_once(subscription, trial_notice(clock.now()))

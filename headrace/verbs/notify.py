"""`headrace notify …`."""

from typing import Annotated

import anyio
import msgspec
import typer
from rich.console import Console

from bundles.core.errors import Invalid
from headrace import receivers
from headrace.asking import with_control
from headrace.options import DEFAULT_DATA, AsJson, Data, Database, NotifyFile, example
from headrace.terminal import show
from release.change import Control
from release.core.notices import Severity
from release.core.receivers import AnyReceiver

app = typer.Typer(
    help="Who is told of what happens (docs/notifications.md).", no_args_is_help=True, add_completion=False
)


class Trial(msgspec.Struct, frozen=True):
    """What came back for a trial."""

    receiver: str
    answer: str


class ReceiverView(msgspec.Struct, frozen=True):
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
    known = receivers.named_in(notify_file)
    found = [each for each in known if each.name == name]
    if not found:
        names = ", ".join(each.name for each in known) or "none"
        raise Invalid(f"{notify_file} has no receiver {name!r}; it has {names}")
    trial = Trial(name, anyio.run(receivers.send_trial, found))
    show(trial, as_json, lambda console: console.print(f"{trial.receiver}: {trial.answer}"))


@app.command("list", epilog=example("headrace notify list --notify receivers.toml"))
def list_(
    notify_file: NotifyFile = None,
    data: Data = DEFAULT_DATA,
    database: Database = None,
    as_json: AsJson = False,
) -> None:
    """Show each receiver of the file, up to which revision it was told, and how many notices were given up."""
    known = receivers.named_in(notify_file)

    async def look(control: Control) -> list[ReceiverView]:
        told = await receivers.read_told(control.ledger)
        return [_row(each, told.get(each.name)) for each in known]

    rows = with_control(data, database, look)
    show(rows, as_json, lambda console: _draw(console, rows))


def _row(options: AnyReceiver, told: "receivers.Told | None") -> ReceiverView:
    where = str(options)
    if told is None:
        return ReceiverView(options.name, where, options.severity, None, 0)
    return ReceiverView(options.name, where, options.severity, told.revision, told.given_up)


def _draw(console: Console, rows: list[ReceiverView]) -> None:
    for row in rows:
        how_far = "nothing yet" if row.told is None else f"up to revision {row.told}"
        console.print(f"{row.name}: {row.where}, {row.severity}: {how_far}; {row.given_up} given up")

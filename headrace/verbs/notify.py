"""`headrace notify …`."""

from functools import partial
from typing import TYPE_CHECKING, Annotated

import typer

from bundles.core.errors import Invalid
from headrace.asking import with_control
from headrace.options import DEFAULT_DATA, AsJson, Data, Database, NotifyFile, example
from headrace.terminal import show

if TYPE_CHECKING:
    from rich.console import Console

    from headrace.receivers import ReceiverView

app = typer.Typer(
    help="Who is told of what happens (docs/notifications.md).", no_args_is_help=True, add_completion=False
)


@app.command("test", epilog=example("headrace notify test oncall --notify receivers.toml"))
def try_(
    name: Annotated[str, typer.Argument(metavar="NAME", help="A receiver of the file.")],
    notify_file: NotifyFile = None,
    as_json: AsJson = False,
) -> None:
    """Send a receiver one test event now, and say what came back (exit code 1: it did not take it)."""
    import anyio

    from headrace import receivers

    known = receivers.named_in(notify_file)
    found = [each for each in known if each.name == name]
    if not found:
        names = ", ".join(each.name for each in known) or "none"
        raise Invalid(f"{notify_file} has no receiver {name!r}; it has {names}")
    trial = receivers.Trial(name, anyio.run(receivers.send_trial, found))
    show(trial, as_json, lambda console: console.print(f"{trial.receiver}: {trial.answer}"))


@app.command("list", epilog=example("headrace notify list --notify receivers.toml"))
def list_(
    notify_file: NotifyFile = None,
    data: Data = DEFAULT_DATA,
    database: Database = None,
    as_json: AsJson = False,
) -> None:
    """Show each receiver of the file, up to which revision it was told, and how many notices were given up."""
    from headrace import receivers

    known = receivers.named_in(notify_file)

    rows = with_control(data, database, partial(receivers.view_receivers, known))
    show(rows, as_json, lambda console: _draw(console, rows))


def _draw(console: "Console", rows: "list[ReceiverView]") -> None:
    for row in rows:
        how_far = "nothing yet" if row.told is None else f"up to revision {row.told}"
        console.print(f"{row.name}: {row.where}, {row.severity}: {how_far}; {row.given_up} given up")

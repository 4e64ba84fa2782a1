"""`headrace events`."""

import os
import signal
import sys
from typing import Annotated

import typer

from headrace.asking import Asking
from headrace.exits import Exit
from headrace.options import DEFAULT_DATA, AsJson, Data, Database, example

app = typer.Typer(add_completion=False)


@app.command(epilog=example("headrace events posthog-js --follow --json --since 120"))
def events(
    product: Annotated[
        str | None, typer.Argument(metavar="[PRODUCT]", help="Only changes of this product.")
    ] = None,
    follow: Annotated[
        bool, typer.Option("--follow", help="Go on with each change as it is made, until Ctrl-C.")
    ] = False,
    since: Annotated[
        int, typer.Option("--since", metavar="REV", min=0, help="Only changes after this revision.")
    ] = 0,
    data: Data = DEFAULT_DATA,
    database: Database = None,
    as_json: AsJson = False,
) -> None:
    """Print each change on a line, the oldest first; with --json each line is a JSON document.

    What --follow read last, a later one goes on from with --since. While the database is away it waits.
    """
    import anyio

    from headrace import event_lines

    # Nothing is changed here, so there is nothing to finish, also where the database hangs.
    signal.signal(signal.SIGINT, lambda *_: os._exit(Exit.INTERRUPTED))
    try:
        anyio.run(event_lines.print_events, product, since, Asking(data, database), follow, as_json)
    except BrokenPipeError:
        # Who read has enough. What could not be written must not be tried again when the process ends.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())

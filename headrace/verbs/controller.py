"""`headrace controller`."""

import signal
from typing import Annotated

import typer

from headrace.exits import Exit
from headrace.options import DEFAULT_DATA, AsJson, Data, Database, HealthDatabase, NotifyFile, example

app = typer.Typer(add_completion=False)


@app.command(epilog=example("headrace controller --data .headrace"))
def controller(
    interval: Annotated[
        float, typer.Option("--interval", min=0.05, max=3600, help="Seconds between two looks.")
    ] = 1.0,
    data: Data = DEFAULT_DATA,
    database: Database = None,
    health_database: HealthDatabase = None,
    notify_file: NotifyFile = None,
    as_json: AsJson = False,
) -> None:
    """Run the release controller, which does by itself what is due.

    It begins what is scheduled, runs smoke tests that have not run, promotes what has baked, takes back what the
    health gate or a check finds to do harm, mends the snapshot, removes what is older of beacons than the policy
    keeps it.

    Of several on one database one does so, and the others stand by. Each step is told on stdout, with --json as a
    JSON document, and to the receivers of --notify.
    """
    import anyio

    from headrace import controller_run

    stopped_by = anyio.run(controller_run.run, data, database, health_database, notify_file, interval, as_json)
    if stopped_by is signal.SIGINT:
        raise typer.Exit(Exit.INTERRUPTED)

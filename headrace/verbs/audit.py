"""`headrace audit …`."""

import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

import typer

from headrace.asking import Asking, send, send_all, sending
from headrace.exits import Exit
from headrace.options import DEFAULT_DATA, AsJson, Data, Database, example
from headrace.terminal import show

if TYPE_CHECKING:
    from rich.console import Console

    from api.views.audit import TrailView
    from api.views.refusal import RefusalView

app = typer.Typer(help="Who changed what, when and why.", no_args_is_help=True, add_completion=False)


@app.command(epilog=example("headrace audit verify"))
def verify(data: Data = DEFAULT_DATA, database: Database = None, as_json: AsJson = False) -> None:
    """Say whether the audit trail is whole: each row as it was written, and none missing (else exit 1)."""
    from api.operations.changes import VerifyAuditTrail

    verdict = send(VerifyAuditTrail(), Asking(data, database))
    show(verdict, as_json, lambda console: _draw(console, verdict))
    if verdict.faults:
        sys.exit(Exit.FAILED)


def _draw(console: "Console", verdict: "TrailView") -> None:
    from release.core.audit import MAX_FAULTS

    for fault in verdict.faults:
        console.print(f"revision {fault.revision} {fault.what}")
    if len(verdict.faults) == MAX_FAULTS:
        console.print("there may be more")
    if not verdict.faults:
        console.print(f"the audit trail is whole up to revision {verdict.revision}")
    if verdict.vouched_for is None:
        console.print("no signed snapshot vouches for it: what was cut off its end can't be seen")


@app.command(epilog=example("headrace audit export > audit.jsonl"))
def export(
    data: Data = DEFAULT_DATA,
    database: Database = None,
    _as_json: Annotated[
        bool, typer.Option("--json", help="As all verbs have it; the lines are JSON without it too.")
    ] = False,
) -> None:
    """Print every change as a line of JSON, the oldest first, with its hash and that of the one before it."""
    import anyio

    anyio.run(_export, Asking(data, database))


async def _export(asking: Asking) -> None:
    from api.core.fields import MOST_ITEMS
    from api.core.page import items_of
    from api.operations.changes import ListAuditRows
    from headrace.audit_line import audit_line

    async with sending(ListAuditRows, asking) as ask:
        async for row in items_of(ask, ListAuditRows(limit=MOST_ITEMS)):
            sys.stdout.buffer.write(audit_line(row) + b"\n")
    sys.stdout.flush()


@app.command(epilog=example("headrace audit refusals --limit 20"))
def refusals(
    limit: Annotated[int, typer.Option("--limit", min=1, max=1000, help="How many lines at most.")] = 100,
    all_: Annotated[bool, typer.Option("--all", help="All of them, as to keep them beside a backup.")] = False,
    data: Data = DEFAULT_DATA,
    database: Database = None,
    as_json: AsJson = False,
) -> None:
    """List what the admin API has refused in the last 90 days, to whom and why, the newest first."""
    from api.core.fields import MOST_ITEMS
    from api.operations.callers import ListRefusals

    asking = Asking(data, database)
    if all_:
        found: Sequence[RefusalView] = send_all(ListRefusals(limit=MOST_ITEMS), asking)
    else:
        found = send(ListRefusals(limit=limit), asking).items
    show(found, as_json, lambda console: _draw_refusals(console, found))


def _draw_refusals(console: "Console", views: "Sequence[RefusalView]") -> None:
    from headrace.tables import print_table

    columns = ("minute", "caller", "address", "operation", "why", "times")
    rows = [
        (view.at, view.caller or "unknown", view.address, view.operation, view.why, str(view.count))
        for view in views
    ]
    print_table(console, columns, rows, none="nothing was refused")

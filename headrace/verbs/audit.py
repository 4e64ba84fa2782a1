"""`headrace audit …`."""

import sys
from contextlib import aclosing

import anyio
import msgspec
import typer
from rich.console import Console

from bundles.core.errors import Failed
from headrace import wiring
from headrace.exits import Exit
from headrace.options import DEFAULT_DATA, AsJson, Data, Database, example
from headrace.terminal import show
from release.core.audit import MAX_FAULTS, Row
from release.trail import Verdict, read_trail, verify_trail

app = typer.Typer(help="Who changed what, when and why.", no_args_is_help=True, add_completion=False)


@app.command(epilog=example("headrace audit verify"))
def verify(data: Data = DEFAULT_DATA, database: Database = None, as_json: AsJson = False) -> None:
    """Say whether the audit trail is whole: each row as it was written, and none missing (else exit 1)."""

    async def run() -> Verdict:
        async with wiring.ledger(data, database) as ledger, wiring.snapshot_store(data, database) as snapshots:
            return await verify_trail(ledger, snapshots, wiring.keys(data).trusted_keys())

    verdict = anyio.run(run)
    show(verdict, as_json, lambda console: _draw(console, verdict))
    if verdict.faults:
        sys.exit(Exit.FAILED)


def _draw(console: Console, verdict: Verdict) -> None:
    for fault in verdict.faults:
        console.print(f"revision {fault.revision} {fault.what}")
    if len(verdict.faults) == MAX_FAULTS:
        console.print("there may be more")
    if not verdict.faults:
        console.print(f"the audit trail is whole up to revision {verdict.revision}")
    if verdict.vouched_for is None:
        console.print("no signed snapshot vouches for it: what was cut off its end can't be seen")


@app.command(epilog=example("headrace audit export > audit.jsonl"))
def export(data: Data = DEFAULT_DATA, database: Database = None) -> None:
    """Print every change as a line of JSON, the oldest first, with its hash and that of the one before it."""

    async def run() -> None:
        async with wiring.ledger(data, database) as ledger, aclosing(read_trail(ledger)) as rows:
            async for row in rows:
                sys.stdout.write(_line(row))
        sys.stdout.flush()

    anyio.run(run)


def _line(row: Row) -> str:
    try:
        entry = msgspec.json.decode(row.entry, type=dict[str, object])
    except msgspec.MsgspecError:
        raise Failed(f"revision {row.revision} is damaged: see `headrace audit verify`") from None
    return msgspec.json.encode({**entry, "hash": row.hash}, order="sorted").decode() + "\n"

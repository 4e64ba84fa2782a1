"""`headrace backup` and `headrace restore`."""

from pathlib import Path
from typing import Annotated

import anyio
import msgspec
import typer
from rich.console import Console

from bundles.core.errors import Failed
from headrace import wiring
from headrace.options import DEFAULT_DATA, AsJson, Data, Database, example
from headrace.terminal import show
from release.backup import Content, back_up
from release.backup import restore as restore_backup
from release.snapshot import read_table

BACKUP_EPILOG = example("headrace backup control-2027-01-31.backup --secret-file backup.secret")
RESTORE_EPILOG = example("headrace restore control-2027-01-31.backup --secret-file backup.secret")

SecretFile = Annotated[
    Path | None,
    typer.Option(
        "--secret-file",
        metavar="FILE",
        help="Holds the passphrase or key that seals it. Else HEADRACE_BACKUP_SECRET is the passphrase.",
    ),
]


class Restored(msgspec.Struct, frozen=True):
    """What was restored; `snapshot_revision` is that of the snapshot that origins serve by, null without one."""

    revision: int
    records: int
    snapshot_revision: int | None


def backup(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A file that is not there yet.")],
    secret_file: SecretFile = None,
    data: Data = DEFAULT_DATA,
    database: Database = None,
    as_json: AsJson = False,
) -> None:
    """Write all that the control database holds into a sealed file, at one moment, while others go on."""
    target = wiring.backup_file(file, secret_file)

    async def run() -> Content:
        async with wiring.ledger(data, database) as ledger:
            return await back_up(ledger, target)

    content = anyio.run(run)
    text = f"{content.records} records at revision {content.revision} are in {file}"
    show(content, as_json, lambda console: console.print(text))
    if content.faults:
        raise Failed(f"{file} is written, but the audit trail in it is damaged: see `headrace audit verify`")


def restore(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="What `headrace backup` has written.")],
    secret_file: SecretFile = None,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Replace all that is in a database that is not empty.")
    ] = False,
    accept_faults: Annotated[
        bool, typer.Option("--accept-faults", help="Even if the audit trail in it is damaged.")
    ] = False,
    data: Data = DEFAULT_DATA,
    database: Database = None,
    as_json: AsJson = False,
) -> None:
    """Put a backup into the control database, of either kind: all of it, verified, or nothing."""
    source = wiring.backup_file(file, secret_file)

    async def run() -> Restored:
        async with wiring.ledger(data, database) as ledger:
            content = await restore_backup(ledger, source, overwrite=overwrite, accept_faults=accept_faults)
        table = await read_table(wiring.snapshots(data), wiring.keys(data).trusted_keys())
        return Restored(content.revision, content.records, None if table is None else table.revision)

    restored = anyio.run(run)
    show(restored, as_json, lambda console: _draw(console, restored))


def _draw(console: Console, restored: Restored) -> None:
    console.print(f"{restored.records} records are restored, at revision {restored.revision}")
    if restored.snapshot_revision is not None and restored.snapshot_revision > restored.revision:
        console.print(
            f"origins serve by revision {restored.snapshot_revision}, which is later, and never go back: restore a"
            " newer backup if there is one (docs/control-plane.md)"
        )

"""`headrace restore`."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import msgspec
import typer

from bundles.core.errors import Failed
from headrace.backup_options import SecretFile
from headrace.options import DEFAULT_DATA, AsJson, Data, Database, example
from headrace.terminal import show

if TYPE_CHECKING:
    from rich.console import Console

app = typer.Typer(add_completion=False)


class Restored(msgspec.Struct, frozen=True):
    """What was restored; `snapshot_revision` is that of the snapshot that origins serve by, null without one."""

    revision: int
    records: int
    snapshot_revision: int | None


@app.command(epilog=example("headrace restore control-2027-01-31.backup --secret-file backup.secret"))
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
    import anyio

    from headrace import wiring
    from release.backup import restore as restore_backup

    source = wiring.backup_file(file, secret_file)

    async def run() -> tuple[Restored, Failed | None]:
        async with wiring.ledger(data, database) as ledger:
            content = await restore_backup(ledger, source, overwrite=overwrite, accept_faults=accept_faults)
        try:
            table = await wiring.routing_table(data, database, wiring.keys(data).trusted_keys())
        except Failed as error:
            return Restored(content.revision, content.records, None), error
        return Restored(content.revision, content.records, None if table is None else table.revision), None

    restored, unseen = anyio.run(run)
    show(restored, as_json, lambda console: _draw(console, restored))
    if unseen is not None:
        raise Failed(f"the backup is restored, but it is not known what origins serve by: {unseen}")


def _draw(console: "Console", restored: Restored) -> None:
    console.print(f"{restored.records} records are restored, at revision {restored.revision}")
    if restored.snapshot_revision is not None and restored.snapshot_revision > restored.revision:
        console.print(
            f"origins serve by revision {restored.snapshot_revision}, which is later, and never go back: restore a"
            " newer backup if there is one (docs/control-plane.md)"
        )

"""`headrace restore`."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import msgspec
import typer

from bundles.core.errors import Failed
from headrace.backup_options import SecretFile
from headrace.options import DEFAULT_DATA, Actor, AsJson, Data, Database, Reason, actor_or_login, example
from headrace.terminal import show

if TYPE_CHECKING:
    from rich.console import Console

app = typer.Typer(add_completion=False)


class Restored(msgspec.Struct, frozen=True):
    """What was restored; `snapshot_revision` is that of the snapshot that origins serve by, null without one.

    `withheld` are rights that the present database has taken away or narrowed since the backup. `is_compared` is
    false where the database that was replaced did not go on from the backup, so that this is not known.
    """

    revision: int
    records: int
    snapshot_revision: int | None
    withheld: tuple[str, ...]
    is_compared: bool


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
    reason: Reason = "",
    actor: Actor = None,
    data: Data = DEFAULT_DATA,
    database: Database = None,
    as_json: AsJson = False,
) -> None:
    """Put a backup into the control database, of either kind: all of it, verified, or nothing.

    Rights of tokens, people and publishers that the present database has taken away since the backup stay so.
    """
    import anyio

    from headrace import wiring
    from headrace.restoring import RIGHTS, withheld_by
    from release.backup import restore as restore_backup
    from release.change import Author

    source = wiring.backup_file(file, secret_file)
    change = withheld_by(Author(actor_or_login(actor), reason))

    async def run() -> tuple[Restored, Failed | None]:
        async with wiring.ledger(data, database) as ledger:
            done = await restore_backup(
                ledger, source, RIGHTS, change, overwrite=overwrite, accept_faults=accept_faults
            )
        content = done.content
        unseen, at = None, None
        try:
            table = await wiring.routing_table(data, database, wiring.keys(data).trusted_keys())
            at = None if table is None else table.revision
        except Failed as error:
            unseen = error
        return Restored(content.revision, content.records, at, done.withheld, done.is_compared), unseen

    restored, unseen = anyio.run(run)
    show(restored, as_json, lambda console: _draw(console, restored))
    if unseen is not None:
        raise Failed(f"the backup is restored, but it is not known what origins serve by: {unseen}")


def _draw(console: "Console", restored: Restored) -> None:
    console.print(f"{restored.records} records are restored, at revision {restored.revision}")
    for right in restored.withheld:
        console.print(f"{right} is withheld, since it was taken away or narrowed after the backup")
    if not restored.is_compared:
        console.print(
            "what was taken away since the backup is there again: see `headrace token list`,"
            " `headrace person list` and `headrace publisher list`"
        )
    ahead = restored.revision if restored.withheld else restored.revision + 1
    if restored.snapshot_revision is not None and restored.snapshot_revision >= ahead:
        console.print(
            f"origins serve by revision {restored.snapshot_revision}, which is not in it, and never go back:"
            " restore a newer backup if there is one (docs/control-plane.md)"
        )

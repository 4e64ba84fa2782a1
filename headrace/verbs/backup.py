"""`headrace backup`."""

from pathlib import Path
from typing import Annotated

import typer

from bundles.core.errors import Failed
from headrace.backup_options import SecretFile
from headrace.options import DEFAULT_DATA, AsJson, Data, Database, example
from headrace.terminal import show

app = typer.Typer(add_completion=False)


@app.command(epilog=example("headrace backup control-2027-01-31.backup --secret-file backup.secret"))
def backup(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A file that is not there yet.")],
    secret_file: SecretFile = None,
    data: Data = DEFAULT_DATA,
    database: Database = None,
    as_json: AsJson = False,
) -> None:
    """Write all that the control database holds into a sealed file, at one moment, while others go on."""
    import anyio

    from headrace import wiring
    from release.backup import Content, back_up

    target = wiring.backup_file(file, secret_file)

    async def run() -> Content:
        async with wiring.ledger(data, database) as ledger:
            return await back_up(ledger, target)

    content = anyio.run(run)
    text = f"{content.records} records at revision {content.revision} are in {file}"
    show(content, as_json, lambda console: console.print(text))
    if content.faults:
        raise Failed(f"{file} is written, but the audit trail in it is damaged: see `headrace audit verify`")

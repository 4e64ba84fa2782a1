"""`headrace export-static`."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from bundles.core.limits import DEFAULT_KEEP, MAX_KEEP
from headrace.options import DEFAULT_DATA, AsJson, Data, SnapshotDatabase, example
from headrace.terminal import show

if TYPE_CHECKING:
    from rich.console import Console

    from headrace.export_run import Exported

app = typer.Typer(add_completion=False)


@app.command(epilog=example("headrace export-static failover --range '^1'"))
def export_static(
    folder: Annotated[
        Path, typer.Argument(metavar="DIR", help="The export's own folder; a new one, or an export.")
    ],
    product: Annotated[
        list[str] | None,
        typer.Option("--product", help="This product; may be repeated. Else all that have releases."),
    ] = None,
    range_: Annotated[
        list[str] | None,
        typer.Option("--range", help="A range that pages ask for, beside MAJOR and MAJOR.MINOR; may be repeated."),
    ] = None,
    keep: Annotated[
        int,
        typer.Option("--keep", min=1, max=MAX_KEEP, help="So many builds before the stable one, to roll back to."),
    ] = DEFAULT_KEEP,
    data: Data = DEFAULT_DATA,
    database: SnapshotDatabase = None,
    as_json: AsJson = False,
) -> None:
    """Write what the origin would answer as files and a list of headers, for S3 to fail over to."""
    from headrace.export_run import export_files

    exported = export_files(data, database, folder, product or (), range_ or (), keep)
    show(exported, as_json, lambda console: _draw(console, exported))


def _draw(console: "Console", exported: "Exported") -> None:
    from rich.filesize import decimal

    console.print(
        f"{exported.folder}: {exported.urls} URLs of {exported.builds} builds in {exported.files} files of"
        f" {decimal(exported.bytes)}, as of revision {exported.revision}",
        markup=False,
    )

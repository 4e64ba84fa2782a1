"""`headrace export-static`."""

from pathlib import Path
from typing import Annotated

import anyio
import msgspec
import typer
from rich.console import Console
from rich.filesize import decimal

from bundles.core.errors import Failed, Invalid
from bundles.core.limits import DEFAULT_KEEP, MAX_KEEP
from bundles.core.names import parse_product
from bundles.core.version import Range
from headrace import wiring
from headrace.options import DEFAULT_DATA, AsJson, Data, SnapshotDatabase, example
from headrace.terminal import progress, show
from release.adapters.system_clock import SystemClock

app = typer.Typer(add_completion=False)


class Exported(msgspec.Struct, frozen=True):
    """What the folder holds now: as of which revision, how many builds, URLs and files, and the files' bytes."""

    folder: str
    revision: int
    builds: int
    urls: int
    files: int
    bytes: int


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
    from origin.adapters.disk_tree import DiskTree
    from origin.export import Exporter, Wanted

    wanted = Wanted(
        products=tuple(dict.fromkeys(parse_product(text) for text in product or ())),
        ranges=tuple(_parse_range(text) for text in range_ or ()),
        keep=keep,
    )
    tree = DiskTree(folder)

    async def run() -> Exported:
        trusted = wiring.trusted_keys(data)
        table = await wiring.routing_table(data, database, trusted)
        if table is None:
            raise Failed(f"nothing was released in {data} yet: there is nothing to fail over to")
        async with wiring.store(data) as store:
            exporter = Exporter(table, store, trusted, SystemClock())
            plan = await exporter.plan(wanted)
            with tree.exclusive(), progress("files", len(plan.files)) as advance:
                export = await exporter.export(plan, tree, advance)
        files = [entry for entry in export.entries if entry.file is not None]
        return Exported(
            folder=str(folder),
            revision=export.revision,
            builds=len({(file.product, file.version) for file in plan.files}),
            urls=len({entry.url for entry in export.entries}),
            files=len(files),
            bytes=sum(int(entry.headers["content-length"]) for entry in files),
        )

    exported = anyio.run(run)
    show(exported, as_json, lambda console: _draw(console, exported))


def _parse_range(text: str) -> Range:
    parsed = Range(text)
    if parsed.exact is not None:
        raise Invalid(f"--range {text}: that is a version, whose URLs never move")
    return parsed


def _draw(console: Console, exported: Exported) -> None:
    console.print(
        f"{exported.folder}: {exported.urls} URLs of {exported.builds} builds in {exported.files} files of"
        f" {decimal(exported.bytes)}, as of revision {exported.revision}",
        markup=False,
    )

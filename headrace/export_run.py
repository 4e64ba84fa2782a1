"""What `headrace export-static` does."""

from collections.abc import Sequence
from pathlib import Path

import anyio
import msgspec

from bundles.core.errors import Failed, Invalid
from bundles.core.names import parse_product
from bundles.core.version import Range
from headrace import wiring
from headrace.terminal import progress
from origin.adapters.disk_tree import DiskTree
from origin.export import Exporter, Wanted
from release.adapters.system_clock import SystemClock


class Exported(msgspec.Struct, frozen=True):
    """What the folder holds now: as of which revision, how many builds, URLs and files, and the files' bytes."""

    folder: str
    revision: int
    builds: int
    urls: int
    files: int
    bytes: int


def export_files(
    data: Path, database: str | None, folder: Path, products: Sequence[str], ranges: Sequence[str], keep: int
) -> Exported:
    """Write the export into its folder. Raises `Invalid`, and `Failed` where nothing was released yet."""
    wanted = Wanted(
        products=tuple(dict.fromkeys(parse_product(text) for text in products)),
        ranges=tuple(_parse_range(text) for text in ranges),
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

    return anyio.run(run)


def _parse_range(text: str) -> Range:
    parsed = Range(text)
    if parsed.exact is not None:
        raise Invalid(f"--range {text}: that is a version, whose URLs never move")
    return parsed

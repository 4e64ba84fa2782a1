"""`headrace diff`."""

from collections.abc import Iterable, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Annotated

import anyio
import msgspec
import typer
from rich.console import Console

from api.operations.changes import DiffRevisions
from bundles.compare import Comparison, FileChange, PublishedSide, Side, UnpublishedSide, compare
from bundles.core.errors import Invalid
from bundles.core.names import Product
from bundles.core.version import Version
from bundles.cores import Cores
from bundles.load import load_build
from bundles.ports import ArtifactSource, BuildReader
from bundles.screen import WithoutSourceMaps
from headrace import wiring
from headrace.asking import Asking, send
from headrace.build_name import parse_build
from headrace.options import DEFAULT_DATA, AsJson, Data, Database, example
from headrace.revision_view import draw_revisions
from headrace.tables import print_table
from headrace.terminal import show

app = typer.Typer(add_completion=False)
_MAX_DIGITS = 18
_HEADINGS = ("file", "raw", "", "br", "", "delta")
_HELP = (
    "A published build as product@version, what a build system wrote (a folder, tar, tgz or zip), or a revision of"
    " the routing table."
)


class ComparisonView(msgspec.Struct, frozen=True):
    """The files that differ between A and B, sorted by path, and how many are the same. Sizes are bytes."""

    before: str
    after: str
    changed: tuple[FileChange, ...]
    same: int


@app.command(
    epilog=example(
        "headrace diff posthog-js@1.4.1 posthog-js@1.4.2",
        "headrace diff posthog-js@1.4.1 dist",
        "headrace diff 12 20",
    )
)
def diff(
    before: Annotated[str, typer.Argument(metavar="A", help=_HELP)],
    after: Annotated[str, typer.Argument(metavar="B", help=_HELP)],
    markdown: Annotated[bool, typer.Option("--markdown", help="Print Markdown, for a CI comment.")] = False,
    source_maps: Annotated[bool, typer.Option("--source-maps", help="Compare source maps too.")] = False,
    data: Data = DEFAULT_DATA,
    database: Database = None,
    as_json: AsJson = False,
) -> None:
    """Say how much each file grew from build A to build B, in raw, br and delta bytes.

    Between two revisions: each channel, pin, block, policy and tenant that differs, with what it was and became.
    """
    if _is_revision(before) and _is_revision(after):
        if markdown or source_maps:
            raise Invalid("--markdown and --source-maps are of builds: leave them out to compare revisions")
        found = send(DiffRevisions(before=int(before), after=int(after)), Asking(data, database))
        show(found, as_json, lambda console: draw_revisions(console, found))
        return
    with ExitStack() as stack:
        parsed = [_parse(text, stack, source_maps=source_maps) for text in (before, after)]
        comparison = anyio.run(_compare, data, parsed)
    draw = _draw_markdown if markdown else _draw
    view = ComparisonView(before, after, comparison.changed, comparison.same)
    show(view, as_json, lambda console: draw(console, before, after, comparison))


def _is_revision(text: str) -> bool:
    """A file or folder of that name comes first."""
    return text.isascii() and text.isdigit() and len(text) <= _MAX_DIGITS and not Path(text).exists()


def _parse(text: str, stack: ExitStack, *, source_maps: bool) -> ArtifactSource | tuple[Product, Version]:
    if Path(text).exists():
        source = stack.enter_context(wiring.source(Path(text)))
        return source if source_maps else WithoutSourceMaps(source)
    product, at, _ = text.rpartition("@")
    if not at or not product:
        raise Invalid(
            f"{text!r} is neither a file nor a build: write product@version, as in posthog-js@1.4.2, or two"
            " revisions, as in 12 20"
        )
    return parse_build(text)


async def _compare(data: Path, given: Sequence[ArtifactSource | tuple[Product, Version]]) -> Comparison:
    cores = Cores()
    async with wiring.store(data) as store:
        before, after = [
            await _published(store, data, *one) if isinstance(one, tuple) else UnpublishedSide(one, cores)
            for one in given
        ]
        return await compare(before, after, cores)


async def _published(store: BuildReader, data: Path, product: Product, version: Version) -> Side:
    manifest = await load_build(store, wiring.trusted_keys(data), product, version)
    if manifest is None:
        raise Invalid(f"there is no build {product}@{version}")
    return PublishedSide(store, manifest)


def _draw(console: Console, before: str, after: str, comparison: Comparison) -> None:
    console.print(_summary(before, after, comparison))
    if comparison.changed:
        print_table(console, _HEADINGS, _rows(comparison))


def _draw_markdown(console: Console, before: str, after: str, comparison: Comparison) -> None:
    lines = [_summary(before, after, comparison)]
    if comparison.changed:
        lines += ["", _markdown_row(_HEADINGS), "|---|--:|--:|--:|--:|--:|"]
        lines += [_markdown_row((f"`{row[0]}`", *row[1:])) for row in _rows(comparison)]
    console.print("\n".join(lines))


def _markdown_row(cells: Iterable[str]) -> str:
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"


def _summary(before: str, after: str, comparison: Comparison) -> str:
    return f"{before} to {after}: {len(comparison.changed)} files differ, {comparison.same} are the same"


def _rows(comparison: Comparison) -> list[tuple[str, ...]]:
    changes = comparison.changed
    rows = [_row(change) for change in changes]
    if len(changes) > 1:
        old = [change.before for change in changes if change.before]
        new = [change.after for change in changes if change.after]
        raw = sum(sizes.raw for sizes in old), sum(sizes.raw for sizes in new)
        br = sum(sizes.br for sizes in old), sum(sizes.br for sizes in new)
        deltas = sum(change.delta or 0 for change in changes)
        rows.append(("all that differ", str(raw[1]), _growth(*raw), str(br[1]), _growth(*br), str(deltas)))
    return rows


def _row(change: FileChange) -> tuple[str, ...]:
    if change.after is None:
        return change.path, "-", "gone", "-", "", "-"
    delta = "-" if change.delta is None else str(change.delta)
    if change.before is None:
        return change.path, str(change.after.raw), "new", str(change.after.br), "", delta
    raw = str(change.after.raw), _growth(change.before.raw, change.after.raw)
    return change.path, *raw, str(change.after.br), _growth(change.before.br, change.after.br), delta


def _growth(before: int, after: int) -> str:
    percent = f" ({(after - before) * 100 / before:+.1f}%)" if before else ""
    return f"{after - before:+d}{percent}"

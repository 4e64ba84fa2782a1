"""What `headrace diff` finds between two builds, and says."""

from collections.abc import Iterable, Sequence
from contextlib import ExitStack
from pathlib import Path

import anyio
import msgspec
from rich.console import Console

from bundles.compare import Comparison, FileChange, PublishedSide, Side, UnpublishedSide, compare
from bundles.core.errors import Invalid
from bundles.core.names import Product
from bundles.core.version import Version
from bundles.cores import Cores
from bundles.load import load_build
from bundles.ports import ArtifactSource, BuildReader
from bundles.screen import WithoutSourceMaps
from headrace import publish_wiring, wiring
from headrace.build_name import parse_build
from headrace.tables import print_table

_HEADINGS = ("file", "raw", "", "br", "", "delta")


class ComparisonView(msgspec.Struct, frozen=True):
    """The files that differ between A and B, sorted by path, and how many are the same. Sizes are bytes."""

    before: str
    after: str
    changed: tuple[FileChange, ...]
    same: int


def compare_builds(data: Path, before: str, after: str, *, source_maps: bool) -> ComparisonView:
    """What differs between two builds, each published or what a build system wrote. Raises `Invalid`."""
    with ExitStack() as stack:
        parsed = [_parse(text, stack, source_maps=source_maps) for text in (before, after)]
        comparison = anyio.run(_compare, data, parsed)
    return ComparisonView(before, after, comparison.changed, comparison.same)


def _parse(text: str, stack: ExitStack, *, source_maps: bool) -> ArtifactSource | tuple[Product, Version]:
    if Path(text).exists():
        source = stack.enter_context(publish_wiring.source(Path(text)))
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


def draw_sizes(console: Console, view: ComparisonView) -> None:
    """A table of the files that differ."""
    console.print(_summary(view))
    if view.changed:
        print_table(console, _HEADINGS, _rows(view.changed))


def draw_markdown(console: Console, view: ComparisonView) -> None:
    """The same in Markdown."""
    lines = [_summary(view)]
    if view.changed:
        lines += ["", _markdown_row(_HEADINGS), "|---|--:|--:|--:|--:|--:|"]
        lines += [_markdown_row((f"`{row[0]}`", *row[1:])) for row in _rows(view.changed)]
    console.print("\n".join(lines))


def _markdown_row(cells: Iterable[str]) -> str:
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"


def _summary(view: ComparisonView) -> str:
    return f"{view.before} to {view.after}: {len(view.changed)} files differ, {view.same} are the same"


def _rows(changes: Sequence[FileChange]) -> list[tuple[str, ...]]:
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

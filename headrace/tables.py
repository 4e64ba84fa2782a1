"""Tables for people, also on a terminal that is too narrow for one."""

from collections.abc import Iterable, Sequence

from rich.cells import cell_len
from rich.console import Console
from rich.table import Column, Table

_GAP = 2
_LEAST_FOLDED = 24
"""The width at which a column of digests can still be read; others are not broken within a word."""

Cell = str | None


def print_table(
    console: Console, headings: Sequence[str | Column], rows: Iterable[Sequence[Cell]], *, none: str | None = None
) -> None:
    """Rows below their headings or, where the words of a row are too long for that, each row as a list.

    Where there are no rows, `none` says so in their place.
    """
    columns = [each if isinstance(each, Column) else Column(each) for each in headings]
    cells = [tuple(row) for row in rows]
    if not cells and none is not None:
        console.print(none)
        return
    for place, column in enumerate(columns):
        column.min_width = _least_width(column, [row[place] or "" for row in cells])
    if sum((column.min_width or 0) + _GAP for column in columns) - _GAP > console.width:
        _print_lists(console, columns, cells)
        return
    table = Table(*columns, box=None, pad_edge=False)
    for row in cells:
        table.add_row(*row)
    console.print(table)


def _least_width(column: Column, texts: Sequence[str]) -> int:
    """The width below which a word would have to be broken."""
    longest = max(cell_len(word) for text in (str(column.header), *texts) for word in (text.split() or [""]))
    return min(longest, _LEAST_FOLDED) if column.overflow == "fold" else longest


def _print_lists(console: Console, columns: Sequence[Column], rows: Sequence[Sequence[Cell]]) -> None:
    for place, row in enumerate(rows):
        if place:
            console.print()
        table = Table(Column(), Column(overflow="fold"), box=None, pad_edge=False, show_header=False)
        for column, cell in zip(columns, row, strict=True):
            if cell:
                table.add_row(str(column.header), cell)
        console.print(table)

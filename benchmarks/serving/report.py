"""The figures as a table, as JSON and as a picture."""

import json
from collections.abc import Sequence
from pathlib import Path
from xml.sax.saxutils import escape

import msgspec
from rich.console import Console
from rich.table import Table

_BAR_HEIGHT, _BAR_WIDTH, _LABEL_WIDTH = 18, 420, 190
_OURS, _THEIRS = "#0f766e", "#94a3b8"


class Figure(msgspec.Struct, frozen=True):
    """A server in a scenario, medians of all rounds: requests a second, the 99th percentile of latency in seconds,
    and both as parts of nginx's of the same round.
    """

    scenario: str
    connections: int
    server: str
    rate: float
    p99: float
    of_nginx: float
    p99_of_nginx: float


def report(figures: Sequence[Figure], *, as_json: bool, picture: Path | None) -> None:
    """Print them, and draw them where that is wanted."""
    if picture is not None:
        picture.write_text(_draw(figures))
    if as_json:
        print(json.dumps(msgspec.to_builtins(figures), indent=2))
        return
    table = Table(
        "scenario", "connections", "server", "requests/s", "of nginx", "p99 ms", "of nginx's p99", box=None
    )
    for figure in figures:
        table.add_row(
            figure.scenario,
            str(figure.connections),
            figure.server,
            f"{figure.rate:,.0f}",
            f"{figure.of_nginx:.2f}",
            f"{figure.p99 * 1000:.2f}",
            f"{figure.p99_of_nginx:.2f}",
        )
    Console(width=120).print(table)


def _draw(figures: Sequence[Figure]) -> str:
    """Bars of requests a second as parts of nginx's, by scenario, at the fewest connections."""
    fewest = min(figure.connections for figure in figures)
    shown = [figure for figure in figures if figure.connections == fewest]
    longest = max(figure.of_nginx for figure in shown)
    parts, top, scenario = [], 24, ""
    for figure in shown:
        if figure.scenario != scenario:
            scenario = figure.scenario
            parts.append(f'<text x="4" y="{top + 14}" font-weight="bold">{escape(scenario)}</text>')
            top += 22
        parts.append(_bar(figure, top, longest))
        top += _BAR_HEIGHT + 2
    title = f"Requests a second as a part of nginx's, one core, {fewest} connections"
    width = _LABEL_WIDTH + _BAR_WIDTH + 60
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{top + 8}" font-family="sans-serif"'
        f' font-size="12"><rect width="100%" height="100%" fill="white"/><text x="4" y="16">{title}</text>'
        + "".join(parts)
        + "</svg>\n"
    )


def _bar(figure: Figure, top: int, longest: float) -> str:
    width = figure.of_nginx / longest * _BAR_WIDTH
    colour = _OURS if figure.server == "headrace" else _THEIRS
    return (
        f'<text x="16" y="{top + 13}">{escape(figure.server)}</text>'
        f'<rect x="{_LABEL_WIDTH}" y="{top}" width="{width:.1f}" height="{_BAR_HEIGHT}" fill="{colour}"/>'
        f'<text x="{_LABEL_WIDTH + width + 4:.1f}" y="{top + 13}">{figure.of_nginx:.2f}</text>'
    )

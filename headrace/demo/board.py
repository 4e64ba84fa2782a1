"""The demo's board: which tenants get which build, live on a terminal, a table a step elsewhere."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager

import anyio
from rich.console import Console, Group
from rich.live import Live
from rich.table import Table
from rich.text import Text

from headrace.demo.traffic import Traffic

_BAR_WIDTH = 20
_NAMES_SHOWN = 2
_REDRAW_SECONDS = 0.2


class Board:
    """Shows the traffic's answers under a headline that says what is going on."""

    def __init__(self, console: Console, traffic: Traffic) -> None:
        self._console = console
        self._traffic = traffic
        self._headline = ""
        self._noted: dict[str, str] = {}
        self._live: Live | None = None

    @asynccontextmanager
    async def shown(self) -> AsyncIterator[None]:
        """Within it, a terminal has the board at its bottom, redrawn as answers come in."""
        if not self._console.is_terminal or self._console.is_dumb_terminal:
            yield
            return
        with Live(self._draw({}), console=self._console, auto_refresh=False) as self._live:
            async with anyio.create_task_group() as group:
                group.start_soon(self._redraw)
                yield
                group.cancel_scope.cancel()
        self._live = None

    def say(self, line: str) -> None:
        """A line that stays."""
        self._console.print(line, markup=False)

    def begin(self, headline: str) -> None:
        """What is going on from here."""
        self._headline = headline

    def note(self) -> None:
        """Remember the answers as they are now."""
        self._noted = dict(self._traffic.answers)

    def end(self) -> None:
        """Off a terminal, print the table as it was noted last."""
        if self._live is None:
            self._console.print(self._draw(self._noted))

    async def _redraw(self) -> None:
        while self._live is not None:
            self._live.update(self._draw(self._traffic.answers), refresh=True)
            await anyio.sleep(_REDRAW_SECONDS)

    def _draw(self, answers: Mapping[str, str]) -> Group:
        traffic = self._traffic
        table = Table("build", "tenants", "share", "", "among them", box=None, pad_edge=False)
        by_build: dict[str, list[str]] = {}
        for tenant in traffic.tenants:
            if tenant in answers:
                by_build.setdefault(answers[tenant], []).append(tenant)
        for build, tenants in sorted(by_build.items()):
            share = len(tenants) / len(traffic.tenants)
            bar = ("#" * round(share * _BAR_WIDTH)).ljust(_BAR_WIDTH, ".")
            table.add_row(build, str(len(tenants)), f"{share:.1%}", bar, " ".join(tenants[:_NAMES_SHOWN]))
        counts = f"{traffic.asked} requests, {len(traffic.faults)} failed"
        return Group(Text(f"\n{self._headline}", style="bold"), table, Text(counts))

"""The lines of `headrace events`."""

import select
import sys
from pathlib import Path

import anyio
import msgspec
import structlog

from api.views.change import ChangeView, view_change
from bundles.core.names import Product
from headrace import wiring
from headrace.change_text import cells_of
from headrace.terminal import tell
from release.core.audit import Entry, Row
from release.core.notices import Severity, notice_of
from release.ports import Unanswered
from release.trail import TrailReader

_POLL_SECONDS = 1.0
_log = structlog.get_logger()


class EventView(ChangeView, frozen=True, kw_only=True):
    """A change, with the severity of the notice of it; null where nobody need be told."""

    severity: Severity | None


async def print_events(
    data: Path, database: str | None, wanted: Product | None, since: int, follow: bool, as_json: bool
) -> None:
    """Print the changes after a revision, and with `follow` each later one, until nobody reads them."""
    async with wiring.ledger(data, database) as ledger:
        reader = _PatientReader(TrailReader(ledger, since)) if follow else TrailReader(ledger, since)
        while _has_reader():
            found = await reader.read_on()
            for row, entry in found:
                if wanted in (None, entry.product):
                    _tell(row, entry, as_json)
            if not found:
                if not follow:
                    return
                await anyio.sleep(_POLL_SECONDS)


class _PatientReader:
    """A reader that finds nothing new while the database is away, and says so once."""

    def __init__(self, reader: TrailReader) -> None:
        self._reader = reader
        self._is_away = False

    async def read_on(self) -> list[tuple[Row, Entry]]:
        """As `TrailReader.read_on`."""
        try:
            found = await self._reader.read_on()
        except Unanswered as error:
            if not self._is_away:
                _log.warning("waiting for the control database", why=str(error))
            self._is_away = True
            return []
        if self._is_away:
            _log.info("the control database is back")
        self._is_away = False
        return found


def _has_reader() -> bool:
    """False where stdout is a pipe whose other end was closed."""
    poll = select.poll()
    poll.register(sys.stdout, 0)
    return not poll.poll(0)


def _tell(row: Row, entry: Entry, as_json: bool) -> None:
    notice = notice_of(entry, row.hash)
    change = msgspec.structs.asdict(view_change(entry))
    view = EventView(**change, severity=None if notice is None else notice.severity)
    if as_json:
        tell(view)
        return
    cells = cells_of(view, f"{view.verb} {view.product} {view.subject}")
    if view.severity not in (None, Severity.INFO):
        cells.append(f"[{view.severity}]")
    sys.stdout.write("  ".join(filter(None, cells)) + "\n")
    sys.stdout.flush()

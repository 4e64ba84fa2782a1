"""What the controller warns of: pins and calendars that end soon."""

import anyio
import structlog

from api.times import format_time
from bundles.core.errors import HeadraceError
from bundles.core.names import Product
from release.change import Control
from release.core.freeze import CalendarEnd
from release.core.routing import Pin
from release.pins import pins_ending
from release.policies import calendars_to_renew
from release.ports import Leadership

_INTERVAL_SECONDS = 3600.0

_log = structlog.get_logger()


async def warn_of_ends(control: Control, leadership: Leadership, interval: float) -> None:
    """Each pin that ends soon is told of once, and each freeze whose calendar does."""
    told: set[tuple[Product, str, Pin]] = set()
    calendars_told: set[CalendarEnd] = set()
    while True:
        leads = False
        try:
            leads = await leadership.holds()
            if leads:
                ending, calendars = set(await pins_ending(control)), set(await calendars_to_renew(control))
                _tell_ends(ending - told, calendars - calendars_told)
                told, calendars_told = ending, calendars
        except HeadraceError as error:
            _log.error("can't look at pins and calendars", why=str(error))
        await anyio.sleep(_INTERVAL_SECONDS if leads else interval)


def _tell_ends(pins: set[tuple[Product, str, Pin]], calendars: set[CalendarEnd]) -> None:
    for product, key, pin in sorted(pins, key=lambda each: each[:2]):
        _log.warning("pin ends soon", product=product, pin=key, at=format_time(pin.expires_at or 0))
    for calendar in calendars:
        _log.warning("calendar ends soon", freeze=calendar.name, at=format_time(calendar.at), why=str(calendar))

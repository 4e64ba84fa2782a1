"""The lines of `headrace events`."""

import os
import select
import sys
import threading
from contextlib import aclosing

from api import feed
from api.core.fields import MOST_ITEMS
from api.core.page import items_of
from api.operations.changes import ListChanges, Order
from api.views.change import EventView
from bundles.core.names import parse_product
from headrace import remote, wiring
from headrace.asking import Asking, local_caller, sending, server_for
from headrace.change_text import cells_of
from headrace.exits import Exit
from headrace.terminal import tell
from release.core.notices import Severity


async def print_events(product: str | None, since: int, asking: Asking, follow: bool, as_json: bool) -> None:
    """Print the changes after a revision, and with `follow` each later one, until nobody reads them."""
    await (_follow if follow else _print)(product, since, asking, as_json)


async def _print(product: str | None, since: int, asking: Asking, as_json: bool) -> None:
    asked = ListChanges(product=product, after=since, order=Order.OLDEST, limit=MOST_ITEMS)
    async with sending(ListChanges, asking) as ask, aclosing(items_of(ask, asked)) as views:
        async for view in views:
            _tell(view.event, as_json)


async def _follow(product: str | None, since: int, asking: Asking, as_json: bool) -> None:
    wanted = None if product is None else parse_product(product)
    if (profile := server_for(asking)) is not None:
        _end_without_reader()
        async with remote.following(profile, wanted, since) as told:
            async for event in told:
                _tell(event, as_json)
        return
    async with (
        wiring.ledger(asking.data, asking.database) as ledger,
        aclosing(feed.follow(ledger, wanted, since, local_caller(asking.actor).grant)) as views,
    ):
        async for view in views:
            if view is not None:
                _tell(view, as_json)
            elif not _has_reader():
                return


def _end_without_reader() -> None:
    """From now on the process ends once nobody reads its stdout: there is nothing to finish."""

    def watch() -> None:
        poll = select.poll()
        poll.register(sys.stdout, 0)
        poll.poll()
        os._exit(Exit.OK)

    threading.Thread(target=watch, daemon=True).start()


def _has_reader() -> bool:
    """False where stdout is a pipe whose other end was closed."""
    poll = select.poll()
    poll.register(sys.stdout, 0)
    return not poll.poll(0)


def _tell(view: EventView, as_json: bool) -> None:
    if as_json:
        tell(view)
        return
    cells = cells_of(view, f"{view.verb} {view.product} {view.subject}")
    if view.severity not in (None, Severity.INFO):
        cells.append(f"[{view.severity}]")
    sys.stdout.write("  ".join(filter(None, cells)) + "\n")
    sys.stdout.flush()

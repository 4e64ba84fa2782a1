"""Reads what was changed."""

from contextlib import aclosing

import msgspec

from api.core.fields import MAX_REVISION
from api.core.page import MOST_LOOKED_AT, Page, open_cursor, seal_cursor, sifted_page
from api.operations.changes import DiffRevisions, ListAuditRows, ListChanges, Order, VerifyAuditTrail
from api.perform import Look, reads
from api.views.audit import AuditRowView, TrailView
from api.views.change import HistoryView, view_history
from bundles.core.errors import Failed, Invalid
from bundles.core.names import Product, parse_product
from release.core.audit import Row
from release.core.names import parse_channel
from release.core.revisions import RevisionDiff
from release.core.shards import part_at
from release.revisions import diff_revisions
from release.trail import Sought, opened, read_rows, verify_trail


@reads(ListChanges)
async def list_changes(look: Look, asked: ListChanges) -> Page[HistoryView]:
    """So many of them, and one more to know whether there are more. Raises `Failed` for a damaged row."""
    grant, sought = look.caller.grant, _sought(asked)
    is_sifted = sought.product is None and not grant.is_for_all_products
    looked_at = max(asked.limit, MOST_LOOKED_AT) if is_sifted else asked.limit
    async with look.sources.ledger() as ledger:
        rows = await read_rows(ledger, sought, looked_at + 1, newest_first=asked.order is Order.NEWEST)

    def is_theirs(row: Row) -> bool:
        return grant.is_for_product(Product(row.product))

    page = sifted_page(rows, lambda row: str(row.revision), is_theirs, looked_at, asked.limit)
    return page.each(lambda row: view_history(row, opened(row)))


@reads(DiffRevisions)
async def diff(look: Look, asked: DiffRevisions) -> RevisionDiff:
    """What differs of the caller's products."""
    async with look.sources.ledger() as ledger:
        found = await diff_revisions(ledger, asked.before, asked.after)
    grant = look.caller.grant
    changes = tuple(change for change in found.changes if grant.is_for_product(_product_of(change.place)))
    return msgspec.structs.replace(found, changes=changes)


@reads(ListAuditRows)
async def list_rows(look: Look, asked: ListAuditRows) -> Page[AuditRowView]:
    """The rows up to one that is damaged. Raises `Failed` where that is the first."""
    look.caller.require_all_products("the audit trail")
    after, rows = max(asked.after, open_cursor(asked.cursor, _revision) or 0), list[Row]()
    async with (
        look.sources.ledger() as ledger,
        ledger.reading() as reading,
        aclosing(reading.trail(after=after, limit=asked.limit + 1)) as trail,
    ):
        async for row in trail:
            rows.append(row)
    views = list[AuditRowView]()
    for row in rows[: asked.limit]:
        view = _view_row(row)
        if view is None and not views:
            raise Failed(f"revision {row.revision} is damaged: see `headrace audit verify`")
        if view is None:
            break
        views.append(view)
    more = len(rows) > len(views)
    return Page(tuple(views), seal_cursor(str(rows[len(views) - 1].revision)) if more else None)


@reads(VerifyAuditTrail)
async def verify(look: Look, _: VerifyAuditTrail) -> TrailView:
    """Its faults."""
    look.caller.require_all_products("the audit trail")
    sources = look.sources
    async with sources.ledger() as ledger, sources.snapshots() as snapshots:
        found = await verify_trail(ledger, snapshots, sources.trusted(may_lack=True))
    return TrailView(found.revision, found.vouched_for, found.faults)


def _sought(asked: ListChanges) -> Sought:
    if asked.channel is not None and asked.product is None:
        raise Invalid("a channel is one of a product's: name that too")
    at = open_cursor(asked.cursor, _revision)
    is_newest = asked.order is Order.NEWEST
    return Sought(
        product=None if asked.product is None else parse_product(asked.product),
        channel=None if asked.channel is None else parse_channel(asked.channel),
        after=asked.after if is_newest else max(asked.after, at or 0),
        before=at if is_newest else None,
    )


def _revision(text: str) -> int:
    """The revision in a cursor. Raises `ValueError` for what is none, and what no database takes."""
    revision = int(text)
    if not 0 <= revision <= MAX_REVISION:
        raise ValueError(text)
    return revision


def _product_of(place: str) -> Product:
    """The product that a place of the routing table is of; empty for what is of none."""
    part = part_at(place)
    return Product("") if part is None or part.product is None else part.product


def _view_row(row: Row) -> AuditRowView | None:
    try:
        return AuditRowView(msgspec.json.decode(row.entry, type=dict[str, object]), row.hash)
    except msgspec.MsgspecError:
        return None

"""What was changed."""

from enum import StrEnum

from api.core.access import READERS
from api.core.fields import ChannelField, CursorField, LimitField, ProductField, RevisionField
from api.core.operation import Method, Operation, route
from api.core.page import Page
from api.views.audit import AuditRowView, TrailView
from api.views.change import HistoryView
from release.core.revisions import RevisionDiff


class Order(StrEnum):
    """Which changes a list begins with."""

    NEWEST = "newest"
    OLDEST = "oldest"


@route(Method.GET, "/changes", READERS)
class ListChanges(Operation[Page[HistoryView]], frozen=True, kw_only=True):
    """List changes after a revision: who made them, when and why, and what each found and left.

    Who has a right to some products alone sees the changes of these.
    """

    product: ProductField | None = None
    channel: ChannelField | None = None
    after: RevisionField = 0
    order: Order = Order.NEWEST
    limit: LimitField = 100
    cursor: CursorField = ""


@route(Method.GET, "/revisions/{before}/diff/{after}", READERS)
class DiffRevisions(Operation[RevisionDiff], frozen=True, kw_only=True):
    """Compare two revisions of the routing table: each channel, pin, block, policy and tenant that differs.

    Who has a right to some products alone sees what differs of these.
    """

    before: RevisionField
    after: RevisionField


@route(Method.GET, "/audit", READERS)
class ListAuditRows(Operation[Page[AuditRowView]], frozen=True, kw_only=True):
    """Export the audit trail after a revision, the oldest row first, each with its hash.

    It is for who may see all products.
    """

    after: RevisionField = 0
    limit: LimitField = 100
    cursor: CursorField = ""


@route(Method.GET, "/audit/verdict", READERS)
class VerifyAuditTrail(Operation[TrailView], frozen=True, kw_only=True):
    """Say whether the audit trail is whole: each row as it was written, and none missing.

    It is for who may see all products.
    """

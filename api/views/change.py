"""A change as its users see it."""

from typing import Any

import msgspec

from api.times import format_time
from release.core.audit import Entry, Row
from release.core.notices import Severity, notice_of


class ChangeView(msgspec.Struct, frozen=True, kw_only=True):
    """A change: who made it, when and why; `at` is RFC 3339 in UTC."""

    revision: int
    at: str
    actor: str
    verb: str
    product: str
    subject: str
    reason: str


class EventView(ChangeView, frozen=True, kw_only=True):
    """A change, with the severity of the notice of it; null where nobody need be told."""

    severity: Severity | None


class HistoryView(EventView, frozen=True, kw_only=True):
    """A change with what it found and left, by place; null where that was not kept."""

    before: dict[str, Any] | None
    after: dict[str, Any] | None

    @property
    def event(self) -> EventView:
        """The same without these."""
        return EventView(**{name: getattr(self, name) for name in EventView.__struct_fields__})


def view_event(row: Row, entry: Entry) -> EventView:
    """The change in this row, with its severity."""
    return EventView(**_fields(entry), severity=_severity(row, entry))


def view_history(row: Row, entry: Entry) -> HistoryView:
    """The change in this row, with all that is known of it."""
    before, after = (None if kept is None else dict(kept) for kept in (entry.before, entry.after))
    return HistoryView(**_fields(entry), severity=_severity(row, entry), before=before, after=after)


def _fields(entry: Entry) -> dict[str, Any]:
    return {
        "revision": entry.revision,
        "at": format_time(entry.at),
        "actor": entry.actor,
        "verb": entry.verb,
        "product": entry.product,
        "subject": entry.subject,
        "reason": entry.reason,
    }


def _severity(row: Row, entry: Entry) -> Severity | None:
    notice = notice_of(entry, row.hash)
    return None if notice is None else notice.severity

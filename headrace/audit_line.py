"""The lines of `headrace audit export`."""

import msgspec

from api.views.audit import AuditRowView
from release.core.audit import Entry


class AuditLine(Entry, frozen=True):
    """A change with its hash. All else is the entry as it was written, which its hash is of: without `hash` and as
    canonical JSON it has the bytes that the hash is of. `before` and `after` have whatever a change wrote to.
    """

    hash: str


def audit_line(row: AuditRowView) -> bytes:
    """The row as it is printed: as `AuditLine`, with what else its entry has."""
    return msgspec.json.encode({**row.entry, "hash": row.hash}, order="sorted")

"""The audit trail as an auditor sees it."""

from typing import Any

import msgspec

from release.core.audit import Fault


class TrailView(msgspec.Struct, frozen=True):
    """Whether the trail is whole up to this revision: it is where there are no faults.

    `vouched_for` is the revision up to which the signed snapshot vouches for it; null where there is none to
    believe, or one by a Headrace that kept no chain.
    """

    revision: int
    vouched_for: int | None
    faults: tuple[Fault, ...]


class AuditRowView(msgspec.Struct, frozen=True):
    """A row of the trail. Its hash is the SHA-256 of `entry` as canonical JSON: keys sorted, no white space."""

    entry: dict[str, Any]
    hash: str

"""The audit trail: a row for each change, and in each row the hash of the one before it.

A row is canonical JSON (sorted keys, no white space, UTF-8). Its hash is the SHA-256 of these bytes, which hold
the hash of the row before it. So the last hash stands for the whole trail, and the signed snapshot carries it.
"""

from collections.abc import Mapping
from typing import Any, TypeVar

import msgspec

from bundles.core.digest import digest_of
from release.core.codec import decode_document, encode_document
from release.core.names import CHANNEL

GENESIS = "0" * 64
"""What the first row has for the hash of the one before it."""
MAX_FAULTS = 100
MAX_ACTOR_LENGTH = 100
MAX_KEY_LENGTH = 200
CONTROLLER = "controller"
"""The actor of what the controller does by itself."""
LEAK_REPORT = "leak-report"
"""The actor of what is done because somebody reported a token that they had found."""
PUBLISH = "publish"
"""The verb of a build that was published: of all rows, only these are of what changes no resolution by itself."""
GLASS_BROKEN = "break-glass: "
"""What the reason begins with where the glass was broken."""

Documents = Mapping[str, Any]
"""State by its place, as in `channels/sdk/stable` or `pins/sdk/acme/production`; None where nothing is there."""

T = TypeVar("T")


class Change(msgspec.Struct, frozen=True):
    """What an auditor reads of one change. `at` is in seconds since the epoch; `subject` is what was changed."""

    at: int
    actor: str
    verb: str
    product: str
    subject: str
    reason: str


class Entry(Change, frozen=True):
    """A change in the trail: with what it found and left in each place that it wrote to.

    `before` and `after` are None for changes by a Headrace that did not keep them.
    """

    revision: int
    previous: str
    before: Documents | None
    after: Documents | None


class Row(msgspec.Struct, frozen=True):
    """An entry as it is stored: its bytes, their hash, and what rows are found by."""

    revision: int
    product: str
    entry: str
    hash: str


class Fault(msgspec.Struct, frozen=True):
    """What is wrong with the trail, and at which revision."""

    revision: int
    what: str


def channels_of(entry: Entry) -> frozenset[str]:
    """The channels of its product that a change wrote to; of one that kept no places, what it was about."""
    if entry.after is None:
        return frozenset({entry.subject} if CHANNEL.fullmatch(entry.subject) else ())
    prefix = f"channels/{entry.product}/"
    return frozenset(place.removeprefix(prefix) for place in entry.after if place.startswith(prefix))


def document_at(documents: Documents | None, place: str, kind: type[T]) -> T:
    """What an entry found or left in a place that it wrote to."""
    return decode_document(encode_document((documents or {})[place]), kind)


def seal_entry(entry: Entry) -> Row:
    """The row of an entry."""
    document = encode_document(entry)
    return Row(entry.revision, entry.product, document.decode(), digest_of(document))


def open_row(row: Row) -> Entry:
    """The entry of a row. Raises `msgspec.MsgspecError` for one that was damaged."""
    return decode_document(row.entry, Entry)


class TrailCheck:
    """Takes a trail's rows from the first one on, and keeps in `faults` what is wrong with them.

    `anchors` are hashes that are vouched for elsewhere, by revision, as by a signed snapshot.
    """

    def __init__(self, anchors: Mapping[int, str]) -> None:
        self.faults: list[Fault] = []
        self.revision = 0
        self._head = GENESIS
        self._anchors = anchors

    def add(self, row: Row) -> None:
        """The next row, by revision."""
        if row.revision <= self.revision:
            self._found(row.revision, "is there twice, or out of order")
        elif row.revision > self.revision + 1:
            self._missing(self.revision + 1, row.revision - 1)
        elif self._previous(row) != self._head:
            self._found(row.revision, f"does not follow on revision {self.revision}: one of the two was altered")
        if digest_of(row.entry.encode()) != row.hash:
            self._found(row.revision, "was altered: its hash is of other bytes")
        elif not _is_of(row):
            self._found(row.revision, "was altered: it is the row of another change")
        if self._anchors.get(row.revision, row.hash) != row.hash:
            self._found(row.revision, "is not the row that the signed snapshot vouches for")
        self.revision, self._head = row.revision, row.hash

    def look_up(self, row: Row, channels: frozenset[str]) -> None:
        """Whether the row is found by the channels that it wrote to, where it is found by these."""
        try:
            wrote_to = channels_of(open_row(row))
        except msgspec.MsgspecError:
            return  # the hash says that it was altered
        if channels != wrote_to:
            self._found(row.revision, "is listed among the changes of other channels than it wrote to")

    def finish(self, revision: int, head: str) -> None:
        """The end of the trail, of a database that says it is at this revision and that this is its last hash."""
        last = max(revision, *self._anchors, 0)
        if self.revision < last:
            self._missing(self.revision + 1, last)
        elif self.revision > revision:
            self._found(self.revision, f"is more than there can be: the database is at revision {revision}")
        elif head != self._head:
            self._found(self.revision, "is not the row that the database has as its last")

    def _missing(self, first: int, last: int) -> None:
        self._found(first, "is missing" if first == last else f"is missing, and all up to revision {last}")

    def _found(self, revision: int, what: str) -> None:
        if len(self.faults) < MAX_FAULTS:
            self.faults.append(Fault(revision, what))

    def _previous(self, row: Row) -> str | None:
        try:
            return open_row(row).previous
        except msgspec.MsgspecError:
            return self._head  # the hash will say that it was altered


def _is_of(row: Row) -> bool:
    try:
        entry = open_row(row)
    except msgspec.MsgspecError:
        return False
    return (entry.revision, entry.product) == (row.revision, row.product)
